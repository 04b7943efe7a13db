//! Floor 5: one binary, one subcommand a role.

mod admin;
mod api;
mod dev;
mod doctor;
mod healthcheck;
mod maintenance;
mod sale;
mod user;
mod worker;

use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::config::{Config, deadlines};
use crate::db::Outage;
use crate::{db, http, shutdown, telemetry};

/// A flash-sale engine on PostgreSQL: API, workers and everything in one binary.
///
/// Settings come from environment variables: DATABASE_URL, DATABASE_LISTEN_URLS, REDIS_URL, BIND_ADDR, JWT_SECRET or
/// JWT_SECRET_FILE, ADMIN_EMAIL, ADMIN_PASSWORD, DATA_DIR, DEMO, RATE_LIMITS, TRUSTED_PROXIES, METRICS_ADDR; the README has the table.
#[derive(Debug, Parser)]
#[command(name = "flashsale", version, about)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process on an embedded PostgreSQL, with a demo sale: to try it out
    Dev,
    /// Serve the HTTP API
    Api,
    /// Settle queued purchases and keep Redis up to date
    Worker,
    /// Install or upgrade the database, and create the administrator of ADMIN_EMAIL and ADMIN_PASSWORD
    Migrate,
    /// Make the token gates in Redis equal to the database, once
    Reconcile,
    /// Manage administrators
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Disable users, enable them again, sign them out
    #[command(subcommand)]
    User(user::UserCommand),
    /// Manage sales
    #[command(subcommand)]
    Sale(sale::SaleCommand),
    /// Print the OpenAPI document of the API; needs no database
    Openapi,
    /// Ask the process on BIND_ADDR whether it answers; status 0 if it does
    Healthcheck,
    /// Check the database, the queue, the books and the gates, and say what to do
    Doctor,
}

impl Command {
    /// The process as traces name it.
    const fn service(&self) -> &'static str {
        match self {
            Self::Api => "flashsale-api",
            Self::Worker => "flashsale-worker",
            _ => "flashsale",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Whatever stopped it, as a sentence for the person who started it.
pub async fn run(line: CommandLine) -> anyhow::Result<()> {
    let traces = telemetry::init(line.command.service())?;
    let ran = dispatch(line.command).await;
    traces.finish().await;
    ran
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    match command {
        Command::Dev => dev::run(config).await,
        Command::Api => {
            let url = config.require_database_url()?.to_owned();
            config.require_jwt_secrets()?;
            db::migrate::check(&url).await?;
            let stopping = shutdown::on_signal()?;
            let listener = api::listen(&config)?;
            let outage = Arc::new(Outage::new(deadlines::STATEMENT_CLIENT));
            api::run(&config, &url, outage, listener, stopping).await
        }
        Command::Worker => worker::run(&config).await,
        Command::Healthcheck => healthcheck::run(config.bind_addr).await,
        Command::Migrate => maintenance::migrate(&config).await,
        Command::Reconcile => maintenance::reconcile(&config).await,
        Command::Admin(command) => admin::run(&config, command).await,
        Command::User(command) => user::run(&config, command).await,
        Command::Sale(command) => sale::run(&config, command).await,
        Command::Doctor => doctor::run(&config).await,
        Command::Openapi => {
            println!("{}", http::document().to_pretty_json()?);
            Ok(())
        }
    }
}
