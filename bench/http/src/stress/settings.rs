//! The arguments with their defaults filled in, and what makes no sense refused by name.

use std::time::Duration;

use serde::Serialize;

use super::arguments::{Arguments, Learn, Scenario};

const USERS_MAX: usize = 100_000;
const SALES_MAX: usize = 1_000;
const STREAMS_MAX: usize = 50_000;
const CONNECTIONS_MAX: usize = 20_000;
const CLICKS_MAX: usize = 10;
const RATE_MAX: f64 = 200_000.0;
const SECONDS_MAX: f64 = 86_400.0;
const STOCK_MAX: usize = 10_000_000;
/// People who want a unit, for each unit.
const CROWD_PER_UNIT: usize = 50;

/// What a scenario is made with.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    #[serde(serialize_with = "by_name")]
    pub scenario: Scenario,
    pub users: usize,
    pub sales: usize,
    /// Units of each sale that is made.
    pub stock: u32,
    pub clicks: usize,
    pub streams: usize,
    pub rate: f64,
    pub sign_in_rate: f64,
    pub seconds: f64,
    pub closed: bool,
    pub connections: usize,
    #[serde(rename = "timeout_seconds", serialize_with = "in_seconds")]
    pub timeout: Duration,
    /// Purchases wait for their outcome.
    pub wait: bool,
}

fn by_name<S: serde::Serializer>(scenario: &Scenario, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(scenario)
}

fn in_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl Settings {
    pub fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        refuse_what_does_not_apply(arguments)?;
        refuse_half_of_a_pair(arguments)?;
        let scenario = arguments.scenario;
        let rate = bounded("--rate", arguments.rate.unwrap_or(default_rate(scenario)), RATE_MAX)?;
        let sign_in_rate = arguments.sign_in_rate.unwrap_or(if scenario == Scenario::Day { 5.0 } else { 20.0 });
        let sign_in_rate = bounded("--sign-in-rate", sign_in_rate, RATE_MAX)?;
        let default_seconds = if scenario == Scenario::Day { 30.0 } else { 10.0 };
        let seconds = bounded("--seconds", arguments.seconds.unwrap_or(default_seconds), SECONDS_MAX)?;
        let users = match arguments.users {
            Some(users) => between("--users", users, 1, USERS_MAX)?,
            None => default_users(scenario, rate, seconds)?,
        };
        let users = if scenario == Scenario::Look { 0 } else { users };
        let sales = between("--sales", arguments.sales, 1, SALES_MAX)?;
        anyhow::ensure!(users == 0 || sales <= users, "--sales is {sales}, more than --users, which is {users}");
        let users_of_a_sale = users.div_ceil(sales);
        let clicks = between("--clicks", arguments.clicks.unwrap_or(2), 1, CLICKS_MAX)?;
        let rate = if scenario == Scenario::Herd { (users * clicks) as f64 } else { rate };
        let stock = match (arguments.stock, scenario) {
            (Some(stock), _) => between("--stock", stock as usize, 1, STOCK_MAX)?,
            (None, Scenario::Herd | Scenario::Day) => (users_of_a_sale / CROWD_PER_UNIT).max(1),
            (None, Scenario::Refuse | Scenario::Look) => 1,
            (None, Scenario::Buy | Scenario::SignIn | Scenario::Streams) => users_of_a_sale,
        };
        let streams = match (arguments.streams, scenario) {
            (Some(streams), _) => between("--streams", streams, 1, STREAMS_MAX)?,
            (None, Scenario::Streams) => 10_000,
            (None, Scenario::Day) => users.div_ceil(10),
            (None, _) => 0,
        };
        Ok(Self {
            scenario,
            users,
            sales,
            stock: u32::try_from(stock)?,
            clicks,
            streams,
            rate,
            sign_in_rate,
            seconds,
            closed: arguments.closed,
            connections: between("--connections", arguments.connections, 1, CONNECTIONS_MAX)?,
            timeout: Duration::from_secs(
                between("--timeout-seconds", arguments.timeout_seconds as usize, 1, 600)? as u64
            ),
            wait: arguments.learn == Learn::Wait,
        })
    }
}

const fn default_rate(scenario: Scenario) -> f64 {
    match scenario {
        Scenario::Refuse | Scenario::Look => 2000.0,
        Scenario::Buy | Scenario::Day | Scenario::Herd => 500.0,
        Scenario::SignIn => 200.0,
        Scenario::Streams => 2.0,
    }
}

fn default_users(scenario: Scenario, rate: f64, seconds: f64) -> anyhow::Result<usize> {
    let purchases = (rate * seconds).ceil().max(1.0) as usize;
    match scenario {
        Scenario::Herd | Scenario::Day => Ok(5_000),
        Scenario::Refuse => Ok(1_000),
        Scenario::Look => Ok(0),
        Scenario::Buy | Scenario::SignIn | Scenario::Streams => {
            anyhow::ensure!(
                purchases <= USERS_MAX,
                "--rate times --seconds is {purchases} purchases, each by another user: at most {USERS_MAX}. \
                 Lower one of them, or give --users and let users ask again"
            );
            Ok(purchases)
        }
    }
}

/// A flag that the scenario would ignore is a misunderstanding: it is refused.
fn refuse_what_does_not_apply(arguments: &Arguments) -> anyhow::Result<()> {
    use Scenario::{Buy, Day, Herd, Look, Refuse, SignIn, Streams};
    let scenario = arguments.scenario;
    let flags: [(&str, bool, &[Scenario]); 9] = [
        ("--rate", arguments.rate.is_some(), &[Buy, Refuse, Look, SignIn, Day, Streams]),
        ("--sign-in-rate", arguments.sign_in_rate.is_some(), &[SignIn, Day]),
        ("--seconds", arguments.seconds.is_some(), &[Buy, Refuse, Look, SignIn, Day, Streams]),
        ("--clicks", arguments.clicks.is_some(), &[Herd, Day]),
        ("--streams", arguments.streams.is_some(), &[Day, Streams]),
        ("--users", arguments.users.is_some(), &[Herd, Buy, Refuse, SignIn, Day, Streams]),
        ("--stock", arguments.stock.is_some(), &[Herd, Buy, Refuse, SignIn, Day, Streams]),
        ("--product-id", arguments.product_id.is_some(), &[Herd, Buy, Refuse, SignIn, Day, Streams]),
        ("--closed", arguments.closed, &[Herd, Buy, Refuse, Look]),
    ];
    for (flag, given, applies_to) in flags {
        anyhow::ensure!(
            !given || applies_to.contains(&scenario),
            "{flag} means nothing to this scenario: it applies to {}",
            names(applies_to)
        );
    }
    anyhow::ensure!(
        !(arguments.closed && arguments.rate.is_some()),
        "--closed asks as fast as it is answered and --rate asks at a rate: give one of them"
    );
    let made = arguments.stock.is_some() || arguments.sales > 1;
    anyhow::ensure!(
        !(arguments.product_id.is_some() && made),
        "--product-id names a sale that exists: --stock and --sales are for sales that are made"
    );
    Ok(())
}

fn refuse_half_of_a_pair(arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        arguments.jwt_secret.is_none() || arguments.database_url.is_some(),
        "--jwt-secret (JWT_SECRET) needs --database-url (DATABASE_URL): a token is of a user, who is made there"
    );
    anyhow::ensure!(
        arguments.admin_email.is_none() || arguments.admin_password.is_some(),
        "--admin-email needs the password in STRESS_ADMIN_PASSWORD"
    );
    anyhow::ensure!(
        arguments.admin_email.is_none() || arguments.product_id.is_none(),
        "--admin-email creates a sale and --product-id names one that exists: give one of them"
    );
    let takes_stock = arguments.database_url.is_some() || arguments.admin_email.is_some();
    anyhow::ensure!(
        takes_stock || arguments.stock.is_none(),
        "--stock is of a sale that is made: give --admin-email or DATABASE_URL, to make it with"
    );
    Ok(())
}

fn names(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(Scenario::to_string).collect::<Vec<_>>().join(", ")
}

fn between(flag: &str, value: usize, min: usize, max: usize) -> anyhow::Result<usize> {
    anyhow::ensure!((min..=max).contains(&value), "{flag} is {value}: it must be {min} to {max}");
    Ok(value)
}

fn bounded(flag: &str, value: f64, max: f64) -> anyhow::Result<f64> {
    anyhow::ensure!(value > 0.0 && value <= max, "{flag} is {value}: it must be greater than 0 and at most {max}");
    Ok(value)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(line: &str) -> Result<Settings, String> {
        let mut arguments = Line::try_parse_from(format!("http {line}").split_whitespace()).unwrap().arguments;
        arguments.database_url = Some("postgres://here".to_owned());
        Settings::of(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_follow_from_the_scenario() {
        let herd = settings("--scenario herd --users 10000 --sales 4").unwrap();
        assert_eq!((herd.stock, herd.clicks, herd.streams), (50, 2, 0));
        let buy = settings("--scenario buy --rate 100 --seconds 3").unwrap();
        assert_eq!((buy.users, buy.stock), (300, 300));
        assert_eq!(settings("--scenario look").unwrap().users, 0);
        assert_eq!(settings("--scenario day --users 400").unwrap().streams, 40);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_the_name_of_its_flag() {
        for (line, flag) in [
            ("--scenario herd --rate 10", "--rate"),
            ("--scenario buy --streams 10", "--streams"),
            ("--scenario look --users 10", "--users"),
            ("--scenario buy --rate 10 --closed", "--closed"),
            ("--scenario buy --users 100001", "--users"),
            ("--scenario buy --users 3 --sales 4", "--sales"),
            ("--scenario buy --rate 0", "--rate"),
            ("--scenario buy --rate 2000 --seconds 60", "--rate times --seconds"),
            ("--admin-email a@b.c", "--admin-email"),
            ("--product-id 00000000-0000-0000-0000-000000000000 --stock 3", "--product-id"),
        ] {
            let said = settings(line).expect_err(line);
            assert!(said.starts_with(flag), "{line}: {said}");
        }
    }
}
