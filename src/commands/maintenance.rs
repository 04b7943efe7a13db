//! `flashsale migrate` and `flashsale reconcile`.

use crate::app::authenticate::ensure_administrator;
use crate::app::passwords::Passwords;
use crate::app::publish_sales::{publish_sales, reconcile_gates};
use crate::app::reconcile_gate::GateReconciler;
use crate::config::{Config, deadlines};
use crate::db::{self, Database};

/// Installs or upgrades the database and creates the administrator if both of their variables are set.
///
/// # Errors
/// What stopped it.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let url = config.require_database_url()?;
    let administrator = config.administrator()?;
    db::migrate::migrate(url).await?;
    if let Some(administrator) = administrator {
        let database = Database::new(url, 1, "flashsale migrate", deadlines::STATEMENT)?;
        let passwords = Passwords::new(&config.bounds)?;
        ensure_administrator(&database, &passwords, &administrator.email, administrator.password).await?;
    }
    println!("the database is up to date");
    Ok(())
}

/// Makes the gates in Redis equal to the database, once. A holder that no order accounts for may be a purchase on its
/// way and is left for the workers, who watch it for some seconds before they remove it.
///
/// # Errors
/// What stopped it.
pub async fn reconcile(config: &Config) -> anyhow::Result<()> {
    let url = config.require_database_url()?;
    let Some(redis) = super::api::connect_redis(config)? else {
        println!("REDIS_URL is empty: the gates are in the API processes, which reconcile them by themselves");
        return Ok(());
    };
    let database = Database::new(url, 1, "flashsale reconcile", deadlines::SETTLE_STATEMENT)?;
    publish_sales(&database, &redis).await?;
    reconcile_gates(&database, &redis, &mut GateReconciler::default()).await?;
    println!("the gates in Redis are up to date");
    Ok(())
}
