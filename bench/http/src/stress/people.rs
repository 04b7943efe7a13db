//! The users of a load: made by SQL, with tokens signed here, or signed up through the API.

use anyhow::Context;
use flashsale::app::passwords::Passwords;
use flashsale::config::Bounds;
use flashsale::domain::{Email, Password};
use tokio_postgres::Client;
use uuid::Uuid;

use super::signup;
use super::target::Target;
use crate::{client, tokens};

/// Users, by number.
#[derive(Debug, Default)]
pub struct People {
    pub tokens: Vec<String>,
    pub emails: Vec<String>,
    /// The same for all of them; made for this run.
    pub password: String,
}

impl People {
    /// Users in the database of a server with these signing keys. Their password is hashed once, as the server would.
    pub async fn create(database: &Client, secrets: &str, count: usize) -> anyhow::Result<Self> {
        let password = new_password();
        let plain = Password::parse_new(password.clone()).map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        let nobody = Email::parse("stress@bench.invalid").map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        let hash = Passwords::new(&Bounds::default())?.hash(nobody, plain).await?;
        let rows = database
            .query(
                "insert into flashsale.users (user_id, email, password)
                 select u.user_id, 'stress-' || u.user_id || '@bench.invalid', $2
                 from (select gen_random_uuid() as user_id from generate_series(1, $1::bigint)) u
                 returning user_id, email",
                &[&i64::try_from(count)?, &hash],
            )
            .await
            .context("cannot make users in DATABASE_URL: is it the database of a flashsale, migrated?")?;
        let users: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        Ok(Self {
            tokens: tokens::mint(secrets, &users)?,
            emails: rows.iter().map(|row| row.get(1)).collect(),
            password,
        })
    }

    /// Users who sign up, and sign in once for their tokens.
    pub async fn sign_up(targets: &[Target], count: usize) -> anyhow::Result<Self> {
        let (targets, password) = (targets.to_vec(), new_password());
        let shared = password.clone();
        let signed_up = tokio::task::spawn_blocking(move || signup::sign_up(&targets, count, &shared)).await??;
        let (emails, tokens) = signed_up.into_iter().unzip();
        Ok(Self { tokens, emails, password })
    }

    /// Asks each server as the first user: that a token is refused should be known before the clock starts.
    pub fn check(&self, targets: &[Target]) -> anyhow::Result<()> {
        let Some(token) = self.tokens.first() else { return Ok(()) };
        for target in targets {
            let request = client::get_as(&target.host, "/orders", token);
            let answer = client::try_exchange(target.address, &request)
                .with_context(|| format!("cannot ask http://{} for an order", target.host))?;
            anyhow::ensure!(
                answer.status != 401,
                "http://{} refuses a token of a user just made: JWT_SECRET is not its signing key, or DATABASE_URL not \
                 its database. It answered {}",
                target.host,
                answer.text()
            );
        }
        Ok(())
    }
}

fn new_password() -> String {
    format!("pw-{}", Uuid::new_v4())
}
