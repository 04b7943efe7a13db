//! `flashsale user`: keeping a user out, and letting one in again.

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::config::{Config, deadlines};
use crate::db::Database;
use crate::domain::Email;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Disable a user, who can then neither sign in nor go on with a session
    Disable(WhichUser),
    /// Let a disabled user sign in again
    Enable(WhichUser),
    /// End all sessions of a user, who may sign in again
    SignOut(WhichUser),
}

#[derive(Debug, Args)]
pub struct WhichUser {
    /// The e-mail address the user signs in with
    #[arg(long)]
    email: String,
}

/// # Errors
/// What stopped it.
pub async fn run(config: &Config, command: UserCommand) -> anyhow::Result<()> {
    let (UserCommand::Disable(user) | UserCommand::Enable(user) | UserCommand::SignOut(user)) = &command;
    let email = Email::parse(&user.email)?;
    let database = Database::new(config.require_database_url()?, 1, "flashsale user", deadlines::STATEMENT)?;
    let (found, done) = match &command {
        UserCommand::Disable(_) => (database.set_user_disabled(&email, true).await?, "is disabled and signed out"),
        UserCommand::Enable(_) => (database.set_user_disabled(&email, false).await?, "may sign in again"),
        UserCommand::SignOut(_) => match database.find_user_by_email(&email).await? {
            Some(user) => {
                database.end_sessions_of_user(user.user_id).await?;
                (true, "is signed out")
            }
            None => (false, ""),
        },
    };
    let email = email.as_str();
    found.then_some(()).with_context(|| {
        format!("{email} is not registered (sign-out does not find a disabled user, who is signed out)")
    })?;
    println!("{email} {done}");
    Ok(())
}
