//! `flashsale doctor`: is it healthy, and if not, what to do.

use crate::config::{Config, deadlines};
use crate::db::{self, Database, QueueHealth, ServerState};
use crate::gate::{RedisGate, Whereabouts};

/// # Errors
/// When something is not healthy.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let url = config.require_database_url()?;
    let mut complaints = 0;
    let mut say = |healthy: bool, what: String| {
        complaints += usize::from(!healthy);
        println!("{} {what}", if healthy { "ok  " } else { "BAD " });
    };
    match db::migrate::check(url).await {
        Ok(()) => say(true, "database: reachable and migrated".into()),
        Err(error) => {
            say(false, format!("database: {error}"));
            anyhow::bail!("the rest cannot be checked without the database");
        }
    }
    let database = Database::new(url, 1, "flashsale doctor", deadlines::SETTLE_STATEMENT)?;
    check_server(&database.server_state().await?, &mut say);
    check_queue(&database.queue_health().await?, &mut say);
    for book in database.sale_books().await? {
        say(
            book.balanced,
            format!("books of {} ({}): {} of {} sold", book.name, book.flash_sale_id, book.sold, book.quantity),
        );
    }
    if let Some(redis) = super::api::connect_redis(config)? {
        check_redis(&redis, &mut say).await;
        let sales = if redis.is_available() { database.list_sales().await?.sales } else { Vec::new() };
        for sale in sales {
            if let Some((capacity, holders)) = redis.size(sale.flash_sale_id).await? {
                let same = capacity == i64::from(sale.quantity) && holders >= i64::from(sale.sold);
                let fix = if same { "" } else { ": is a worker running? or run `flashsale reconcile`" };
                say(same, format!("gate of {}: {holders} of {capacity} tokens held{fix}", sale.flash_sale_id));
            }
        }
    }
    anyhow::ensure!(complaints == 0, "{complaints} of the checks above are BAD");
    Ok(())
}

async fn check_redis(redis: &RedisGate, say: &mut impl FnMut(bool, String)) {
    match redis.whereabouts().await {
        Ok(Whereabouts { text, problem: None }) => say(true, format!("redis: {text}")),
        Ok(Whereabouts { text, problem: Some(problem) }) => say(false, format!("redis: {text}: {problem}")),
        Err(error) => say(false, format!("redis: is not there ({error}): sales go on without it, slower")),
    }
    redis.probe().await;
    say(redis.is_available(), "redis: takes what is written to it".into());
}

/// Dead rows that autovacuum should have removed long ago.
const DEAD_TUPLES_MAX: i64 = 100_000;

fn check_server(server: &ServerState, say: &mut impl FnMut(bool, String)) {
    let version = format!("postgresql: version {}", server.version / 10_000);
    say(server.version >= 150_000, version + " (15 or newer is needed)");
    say(
        server.switched_off.is_empty(),
        match server.switched_off.as_slice() {
            [] => "settings: what is committed survives a crash, autovacuum runs".into(),
            off => {
                format!("settings: {} must be on, or purchases can be lost and the queue slows down", off.join(", "))
            }
        },
    );
    say(
        server.dead_tuples < DEAD_TUPLES_MAX,
        format!(
            "vacuum: {} dead rows in the queue (many slow it: see \"why is the queue slow\" in docs/DBA.md)",
            server.dead_tuples
        ),
    );
    say(
        server.unbounded_logins.is_empty(),
        match server.unbounded_logins.as_slice() {
            [] => "roles: everybody who reads the ops views has time-outs".into(),
            logins => format!("roles: {} have no time-outs: select ops.admit_dba(login)", logins.join(", ")),
        },
    );
}

fn check_queue(health: &QueueHealth, say: &mut impl FnMut(bool, String)) {
    let is_drained = health.oldest_age_s < 10.0;
    say(
        is_drained,
        format!(
            "queue: {} messages, oldest {:.1} s, {:.1} drained per second{}",
            health.depth,
            health.oldest_age_s,
            health.drain_rate_per_s,
            if is_drained { "" } else { ": is a worker running? see its log" }
        ),
    );
    say(health.dead_letters == 0, format!("dead letters: {} (see ops.dead_letters)", health.dead_letters));
    match health.oldest_xmin_age_s {
        Some(age_s) => say(
            age_s < 60.0,
            format!("oldest snapshot: {age_s:.0} s (an old one slows the queue: end that transaction)"),
        ),
        None => say(true, "oldest snapshot: unknown (grant pg_read_all_stats to this user to see it)".into()),
    }
}
