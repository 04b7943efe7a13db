//! `flashsale dev`, which `make run` starts: everything in one process on a PostgreSQL of its own, with a demo sale.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::authenticate::ensure_administrator;
use crate::app::passwords::Passwords;
use crate::app::pictures::{PictureType, Pictures};
use crate::config::{Administrator, Config, Secret, deadlines};
use crate::db::{self, Database, Outage};
use crate::domain::{Email, NewProduct, NewSale, Password, SaleSnapshot, SaleStatus};
use crate::embedded::EmbeddedPostgres;
use crate::{shutdown, worker};

const DEMO_NAME: &str = "Aurora desk lamp";
/// What the demo product looks like: drawn by hand, in place of the one drawn from its id.
const DEMO_PICTURE: &[u8] = include_bytes!("demo-picture.svg");
const DEMO_DESCRIPTION: &str = "Hand-blown glass, warm light, one hundred made.";

/// # Errors
/// What stopped it.
pub async fn run(mut config: Config) -> anyhow::Result<()> {
    let stopping = shutdown::on_signal()?;
    fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("DATA_DIR {:?} cannot be created", config.data_dir))?;
    let listener = super::api::listen(&config)?;
    let mut postgres = match &config.database_url {
        Some(_) => None,
        None => {
            let data_dir = config.data_dir.clone();
            Some(tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&data_dir)).await??)
        }
    };
    let served = serve(&mut config, postgres.as_ref(), listener, stopping).await;
    if let Some(postgres) = postgres.take() {
        tokio::task::spawn_blocking(move || {
            let mut postgres = postgres;
            postgres.stop()
        })
        .await??;
    }
    served
}

async fn serve(
    config: &mut Config,
    postgres: Option<&EmbeddedPostgres>,
    listener: TcpListener,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let url = match postgres {
        Some(postgres) => {
            write_private(&config.data_dir.join("database.url"), postgres.url())?;
            postgres.url().to_owned()
        }
        None => config.require_database_url()?.to_owned(),
    };
    if config.jwt_secrets.is_empty() {
        let key = keep(&config.data_dir.join("jwt.secret"), random_word)?;
        config.jwt_secrets = vec![Secret::new(key.into_bytes())];
    }
    db::migrate::migrate(&url).await?;
    let database = Database::new(&url, 2, "flashsale dev", deadlines::STATEMENT)?;
    let login = administrator(config, &database).await?;
    let demo = if config.demo { Some(demo_sale(&database).await?) } else { None };
    print_welcome(config, postgres, &login, demo.as_ref());

    // As in production, neither process could touch a table if it tried.
    let (api_url, worker_url) = match postgres {
        Some(_) => (
            db::migrate::log_in_as("flashsale_api", &url).await?,
            db::migrate::log_in_as("flashsale_worker", &url).await?,
        ),
        None => (url.clone(), url),
    };
    let redis = super::api::connect_redis(config)?;
    // The worker goes on until the API's last request has its outcome.
    let working = CancellationToken::new();
    let (bounds, worker_stop) = (config.bounds.clone(), working.clone());
    // One process, one database: its outages are said once.
    let outage = Arc::new(Outage::new(deadlines::SETTLE_STATEMENT));
    let of_worker = Arc::clone(&outage);
    let worker =
        tokio::spawn(async move { worker::work_until(worker_stop, &worker_url, &bounds, redis, &of_worker).await });
    let served = super::api::run(config, &api_url, outage, listener, stopping).await;
    working.cancel();
    worker.await??;
    served
}

/// The administrator's login: from the environment, or one made once and kept in the data folder.
async fn administrator(config: &Config, database: &Database) -> anyhow::Result<String> {
    let file = config.data_dir.join("administrator");
    let passwords = Passwords::new(&config.bounds)?;
    if let Some(Administrator { email, password }) = config.administrator()? {
        ensure_administrator(database, &passwords, &email, password).await?;
        return Ok(format!("{} with your ADMIN_PASSWORD", email.as_str()));
    }
    let email = Email::parse("admin@example.org")?;
    let word = keep(&file, || random_word().chars().take(16).collect())?;
    if !ensure_administrator(database, &passwords, &email, Password::parse_new(word.clone())?).await?
        && database.find_user_by_email(&email).await?.is_none()
    {
        return Ok("the administrator is disabled".to_owned());
    }
    Ok(format!("{} with {word}", email.as_str()))
}

/// The demo sale: one that has not ended, or a new one that starts in a minute.
async fn demo_sale(database: &Database) -> anyhow::Result<(SaleSnapshot, DateTime<Utc>)> {
    for _ in 0..2 {
        let now = database.list_sales().await?;
        let running = now
            .sales
            .into_iter()
            .find(|sale| sale.name == DEMO_NAME && sale.status_at(now.database_time) != SaleStatus::Ended);
        if let Some(sale) = running {
            return Ok((sale, now.database_time));
        }
        let start_date = now.database_time + TimeDelta::seconds(60);
        let sale = NewSale {
            flash_sale_id: Uuid::now_v7(),
            product: NewProduct::Create {
                product_id: Uuid::now_v7(),
                name: DEMO_NAME.to_owned(),
                description: DEMO_DESCRIPTION.to_owned(),
                price_in_cents: 4900,
            },
            quantity: 100,
            start_date,
            end_date: start_date + TimeDelta::hours(2),
        };
        database.create_sale(&sale).await?;
        let pictures = Pictures::new(database.clone());
        pictures.put_picture(sale.product.product_id(), PictureType::Svg, DEMO_PICTURE).await?;
    }
    anyhow::bail!("the demo sale was created and is not there")
}

fn print_welcome(
    config: &Config,
    postgres: Option<&EmbeddedPostgres>,
    login: &str,
    demo: Option<&(SaleSnapshot, DateTime<Utc>)>,
) {
    println!("\n  Flash sale is running. Ctrl-c stops it; the data stay in {}.\n", config.data_dir.display());
    println!("  {:12} http://{}", "look", config.bind_addr);
    println!("  {:12} http://{}/docs/", "API", config.bind_addr);
    println!("  {:12} {login}", "admin login");
    match postgres {
        Some(postgres) => println!(
            "  {:12} PostgreSQL {}, psql \"$(cat {})\"",
            "database",
            postgres.version(),
            config.data_dir.join("database.url").display()
        ),
        None => println!("  {:12} the one of DATABASE_URL", "database"),
    }
    println!(
        "  {:12} {}",
        "redis",
        if config.redis_url.is_some() { "the one of REDIS_URL" } else { "none: the gate is in the process" }
    );
    if let Some((sale, now)) = demo {
        let (what, when) = match sale.status_at(*now) {
            SaleStatus::Upcoming => ("starts in", sale.start_date - *now),
            _ => ("ends in", sale.end_date - *now),
        };
        println!(
            "  {:12} {}, {} of {} units left, {what} {} s",
            "demo sale",
            sale.name,
            sale.remaining_stock(),
            sale.quantity,
            when.num_seconds()
        );
        println!("  {:12} product_id {}", "", sale.product_id);
    }
    println!();
    let _ = std::io::stdout().flush();
}

/// The content of a private file, which is made with `make` if absent.
fn keep(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = make();
            write_private(path, &text)?;
            Ok(text)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// 244 random bits as text.
fn random_word() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
