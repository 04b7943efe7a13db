//! Everything before the clock starts: servers are there, users and sales exist, and the moment of the start is agreed.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;

use super::arguments::Arguments;
use super::clock::ServerClock;
use super::people::People;
use super::sales::{self, OnSale, Order};
use super::scenario::Plan;
use super::settings::Settings;
use super::signup;
use super::target::Target;
use crate::{client, database};

/// How long before its start a load is ready: its connections are opened in that time.
const LEAD: Duration = Duration::from_millis(1500);
/// How long a sale that is made stays open after the load.
const SALE_OUTLIVES: Duration = Duration::from_secs(600);
/// How long a load may wait for a sale that is to come.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// A longer wait is said.
const WAIT_SAID: Duration = Duration::from_secs(5);
/// Seeing sales offered that were just made takes less; and making each of them.
const SALE_LEAD: Duration = Duration::from_secs(2);
const LEAD_PER_SALE: Duration = Duration::from_millis(20);

pub struct Prepared {
    pub targets: Vec<Target>,
    pub people: People,
    pub sales: Vec<OnSale>,
    /// When the load starts.
    pub origin: Instant,
    pub database_url: Option<String>,
}

pub async fn prepare(arguments: &Arguments, settings: &Settings, plan: &Plan) -> anyhow::Result<Prepared> {
    let targets = Target::all(&arguments.base_urls)?;
    let first = targets.first().context("--base-url is missing")?;
    for target in &targets {
        let ready = client::exchange(target.address, &client::get(&target.host, "/readyz"), 200);
        ready.with_context(|| format!("http://{} is not ready for a load", target.host))?;
    }
    let database = match &arguments.database_url {
        Some(url) => Some(database::connect(url).await.context("DATABASE_URL")?),
        None => None,
    };
    if settings.users == 0 {
        let origin = Instant::now() + LEAD;
        return Ok(Prepared { targets, people: People::default(), sales: Vec::new(), origin, database_url: None });
    }
    let seller = seller(arguments, settings, &targets, database.as_ref())?;
    let people = people(arguments, settings, &targets, database.as_ref()).await?;
    people.check(&targets)?;
    let clock = ServerClock::read(first).await?;
    let sales = offer(&seller, order(settings, plan, &clock), &targets).await?;
    let origin = start(plan, &sales, &clock)?;
    say_what_is_sold(settings, &sales);
    let database_url = arguments.database_url.clone();
    Ok(Prepared { targets, people, sales, origin, database_url })
}

async fn people(
    arguments: &Arguments,
    settings: &Settings,
    targets: &[Target],
    database: Option<&Client>,
) -> anyhow::Result<People> {
    match (database, &arguments.jwt_secret) {
        (Some(database), Some(secret)) => {
            let people = People::create(database, secret, settings.users).await?;
            eprintln!("users          {} made by SQL", settings.users);
            Ok(people)
        }
        _ => {
            eprintln!(
                "users          {} sign up through the API (DATABASE_URL and JWT_SECRET are faster)",
                settings.users
            );
            People::sign_up(targets, settings.users).await
        }
    }
}

/// Where the sales come from.
enum Seller<'a> {
    Database(&'a Client),
    /// With the token of an administrator.
    Administrator(String),
    /// Products whose sales are bought from as they are.
    OnOffer(Vec<String>),
}

/// Finds out where the sales come from, before users sign up for nothing.
fn seller<'a>(
    arguments: &Arguments,
    settings: &Settings,
    targets: &[Target],
    database: Option<&'a Client>,
) -> anyhow::Result<Seller<'a>> {
    let first = targets.first().context("--base-url is missing")?;
    if let Some(product) = arguments.product_id {
        return Ok(Seller::OnOffer(vec![product.to_string()]));
    }
    if let Some(database) = database {
        return Ok(Seller::Database(database));
    }
    if let (Some(email), Some(password)) = (&arguments.admin_email, &arguments.admin_password) {
        let token = signup::sign_in(first, email, password).context("--admin-email cannot sign in")?;
        return Ok(Seller::Administrator(token));
    }
    Ok(Seller::OnOffer(sales::first_on_offer(first, settings.sales)?))
}

/// The sales that are bought from, once every server shows them.
async fn offer(seller: &Seller<'_>, order: Order, targets: &[Target]) -> anyhow::Result<Vec<OnSale>> {
    let first = targets.first().context("--base-url is missing")?;
    let made = match seller {
        Seller::OnOffer(products) => return sales::shown(targets, products, false).await,
        Seller::Database(database) => sales::create_by_sql(database, order).await?,
        Seller::Administrator(token) => sales::create_by_admin(first, token, order)?,
    };
    sales::shown(targets, &made, true).await
}

fn order(settings: &Settings, plan: &Plan, clock: &ServerClock) -> Order {
    let lead = SALE_LEAD + LEAD_PER_SALE * u32::try_from(settings.sales).unwrap_or(u32::MAX);
    let opens_at = clock.at(Instant::now()) + lead + plan.opens_after;
    let open_for = plan.lasts + settings.timeout + SALE_OUTLIVES;
    Order { count: settings.sales, stock: settings.stock, opens_at, ends_at: opens_at + open_for }
}

/// The load starts so that its sales open when the plan says. Of one that is running already, at once.
fn start(plan: &Plan, sales: &[OnSale], clock: &ServerClock) -> anyhow::Result<Instant> {
    let soon = Instant::now() + LEAD;
    let upcoming = sales.iter().filter(|sale| !sale.is_active).map(|sale| sale.starts_at).max();
    let Some(opens_at) = upcoming else { return Ok(soon) };
    let opens = clock.when(opens_at);
    anyhow::ensure!(
        opens < soon + WAIT_MAX,
        "the sale opens at {opens_at}, in more than {} minutes: start this closer to it",
        WAIT_MAX.as_secs() / 60
    );
    let begins = opens.checked_sub(plan.opens_after).filter(|begins| *begins > Instant::now());
    let origin = begins.with_context(|| {
        let before = plan.opens_after.as_secs_f64();
        format!("the sale opens at {opens_at} and this scenario begins {before:.1} s before: start it earlier")
    })?;
    let wait = origin.saturating_duration_since(Instant::now());
    if wait > WAIT_SAID {
        eprintln!("start          in {} s, for the sale opens at {opens_at}", wait.as_secs());
    }
    Ok(origin)
}

fn say_what_is_sold(settings: &Settings, sales: &[OnSale]) {
    let units: u64 = sales.iter().map(|sale| u64::from(sale.remaining)).sum();
    let (count, ours) = (sales.len(), sales.iter().all(|sale| sale.is_ours));
    let made = if ours { "made for this" } else { "found on offer" };
    eprintln!("sales          {count} with {units} units, {made}; {} users", settings.users);
}
