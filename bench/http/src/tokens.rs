//! Session tokens as the API issues them, by the engine's own code, for users that need not sign in.

use anyhow::Context;
use flashsale::app::sessions::Sessions;
use flashsale::config::Secret;
use uuid::Uuid;

/// The sessions of a server with these comma-separated signing keys.
pub fn sessions(secrets: &str) -> anyhow::Result<Sessions> {
    let keys: Vec<_> = secrets.split(',').map(|key| Secret::new(key.trim().as_bytes().to_vec())).collect();
    Sessions::new(&keys)
}

/// A token for each user, signed with the first of the comma-separated keys.
pub fn mint(secrets: &str, users: &[Uuid]) -> anyhow::Result<Vec<String>> {
    let sessions = sessions(secrets)?;
    let tokens = users.iter().map(|user| sessions.issue(*user).map(|(token, _)| token));
    tokens.collect::<Result<_, _>>().context("cannot sign a token")
}
