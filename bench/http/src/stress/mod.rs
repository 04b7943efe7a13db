//! `http`: loads one server that speaks the engine's API and shows what became of every request.

mod signup;
mod target;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::Value;
use uuid::Uuid;

use crate::client::{self, Load, Pace, Requests};
use crate::{buyers, database, tokens};
use target::Target;

/// Loads one server and prints outcomes by status and refusal code, and latencies.
///
/// With --rate the loop is open: requests are due at that rate whatever the server does, and latency counts from when a
/// request was due. Without it the loop is closed: a connection asks again when it was answered, so a slow server is
/// asked less and latencies flatter it.
///
/// Buyers: with --database-url and a signing key they are created by SQL and need no password. Otherwise they sign up
/// through the API, which costs the server two password hashes each: start it with RATE_LIMITS=off for that.
#[derive(clap::Args)]
pub struct Arguments {
    /// The server, such as http://127.0.0.1:8080
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: String,
    /// What is asked
    #[arg(long, value_enum, default_value_t = Scenario::Buy)]
    scenario: Scenario,
    /// The product to buy [default: the first that is on sale]
    #[arg(long)]
    product_id: Option<Uuid>,
    /// Different buyers
    #[arg(long, default_value_t = 1000)]
    users: u32,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Requests due per second (open loop); without it a closed loop
    #[arg(long)]
    rate: Option<f64>,
    /// Requests at most [default: buy: one a user, herd: two a user, refuse and look: no limit but the time]
    #[arg(long)]
    requests: Option<u64>,
    /// Seconds at most
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds after which a request without an answer counts as timed out
    #[arg(long, default_value_t = 15)]
    timeout_seconds: u64,
    /// Signing key of the server, to mint tokens with
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The server's database, to create buyers in
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// Every user buys once
    Buy,
    /// Users ask for the product over and over: refusals, once it is sold out
    Refuse,
    /// GET /sales over and over
    Look,
    /// Every user asks twice at the same time, all at once
    Herd,
}

/// Fails when a request ended without an answer.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let target = Target::parse(&arguments.base_url)?;
    if let Some(rate) = arguments.rate {
        anyhow::ensure!(rate.is_finite() && rate > 0.0, "--rate must be greater than 0");
    }
    let requests = render(&arguments, &target).await?;
    let (copies, count_max) = match arguments.scenario {
        Scenario::Buy => (1, requests.len() as u64),
        Scenario::Herd => (2, 2 * requests.len() as u64),
        Scenario::Refuse | Scenario::Look => (1, u64::MAX),
    };
    let pace = arguments.rate.map_or(Pace::Closed, Pace::Open);
    match pace {
        Pace::Closed => {
            println!("loop       closed, {} connections: latency counts from sending", arguments.connections)
        }
        Pace::Open(rate) => println!(
            "loop       open, {rate} requests/s over at most {} connections: latency counts from when a request was due",
            arguments.connections
        ),
    }
    let tally = tokio::task::spawn_blocking(move || {
        let load = Load {
            address: target.address,
            requests: &requests,
            copies,
            connections: arguments.connections,
            pace,
            count_max: arguments.requests.unwrap_or(count_max),
            time_max: Duration::from_secs(arguments.seconds),
            timeout: Duration::from_secs(arguments.timeout_seconds),
        };
        load.run()
    })
    .await??;
    println!("{tally}");
    Ok(if tally.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn render(arguments: &Arguments, target: &Target) -> anyhow::Result<Requests> {
    if arguments.scenario == Scenario::Look {
        return Ok(std::iter::once(client::get(&target.host, "/sales")).collect());
    }
    let product = match arguments.product_id {
        Some(product) => product.to_string(),
        None => first_on_sale(target)?,
    };
    println!("product    {product}");
    let tokens = tokens(arguments, target.address, &target.host).await?;
    let body = format!(r#"{{"product_id":"{product}"}}"#);
    Ok(tokens.iter().map(|token| client::post(&target.host, "/orders", Some(token), &body)).collect())
}

fn first_on_sale(target: &Target) -> anyhow::Result<String> {
    let answer = client::exchange(target.address, &client::get(&target.host, "/sales"), 200)?.json()?;
    let sales = answer["sales"].as_array().map_or(&[][..], Vec::as_slice);
    let active = sales.iter().find(|sale| sale["status"] == "active");
    let product = active.and_then(|sale| sale["product_id"].as_str());
    product.map(str::to_owned).context("no sale is active: name a product with --product-id")
}

async fn tokens(arguments: &Arguments, address: SocketAddr, host: &str) -> anyhow::Result<Vec<String>> {
    match (&arguments.jwt_secret, &arguments.database_url) {
        (Some(secret), Some(url)) => {
            let client = database::connect(url).await?;
            let users = buyers::create(&client, arguments.users).await?;
            println!("buyers     {} created by SQL", users.len());
            tokens::mint(secret, &users)
        }
        (Some(_), None) => anyhow::bail!("--jwt-secret needs --database-url, to create the buyers in"),
        (None, _) => {
            let (host, count) = (host.to_owned(), arguments.users as usize);
            println!("buyers     {count} sign up through the API; --jwt-secret and --database-url would be faster");
            tokio::task::spawn_blocking(move || signup::sign_up(address, &host, count)).await?
        }
    }
}

/// A member of a JSON answer that must be text.
fn text(answer: &Value, member: &str) -> anyhow::Result<String> {
    answer[member].as_str().map(str::to_owned).with_context(|| format!("the answer has no {member}: {answer}"))
}
