//! `flashsale doctor`: is it healthy, and if not, what to do.

use crate::config::{Config, deadlines};
use crate::db::{self, Database};

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
    let health = database.queue_health().await?;
    say(
        health.oldest_age_s < 10.0,
        format!(
            "queue: {} messages, oldest {:.1} s, {:.1} drained per second{}",
            health.depth,
            health.oldest_age_s,
            health.drain_rate_per_s,
            if health.oldest_age_s < 10.0 { "" } else { ": is a worker running? see its log" }
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
    for book in database.sale_books().await? {
        say(
            book.balanced,
            format!("books of {} ({}): {} of {} sold", book.name, book.flash_sale_id, book.sold, book.quantity),
        );
    }
    if let Some(redis) = super::api::connect_redis(config)? {
        redis.probe().await;
        say(redis.is_available(), "redis: answers".into());
        for sale in database.list_sales().await?.sales {
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
