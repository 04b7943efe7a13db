//! `flashsale admin`: administrators.

use std::io::BufRead;

use clap::Subcommand;

use crate::app::authenticate::{CreateUserError, create_user};
use crate::app::passwords::Passwords;
use crate::config::{Config, deadlines};
use crate::db::Database;
use crate::domain::{Email, Password};

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Create an administrator; the password is ADMIN_PASSWORD, or one line of standard input
    Create {
        /// The e-mail address to sign in with
        #[arg(long)]
        email: String,
    },
}

/// # Errors
/// What stopped it.
pub async fn run(config: &Config, command: AdminCommand) -> anyhow::Result<()> {
    let AdminCommand::Create { email } = command;
    let email = Email::parse(&email)?;
    let password = match &config.administrator_password {
        Some(password) => password.clone(),
        None => read_password()?,
    };
    let database = Database::new(config.require_database_url()?, 1, "flashsale admin", deadlines::STATEMENT)?;
    let passwords = Passwords::new(&config.bounds)?;
    match create_user(&database, &passwords, &email, password, true).await {
        Ok(user_id) => println!("administrator {} has user_id {user_id}", email.as_str()),
        Err(CreateUserError::EmailTaken) => {
            anyhow::bail!("{} is registered already: use another address", email.as_str())
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn read_password() -> anyhow::Result<Password> {
    eprint!("password (8 to 128 characters): ");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(Password::parse_new(line.trim_end_matches(['\r', '\n']).to_owned())?)
}
