//! Floor 1: everything that can be set from outside, read once at the start from environment variables.
//!
//! A wrong value stops the start with one sentence naming the variable; nothing secret is in such a sentence.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{Email, Password};

/// A variable that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct ConfigError {
    pub variable: &'static str,
    pub problem: String,
}

impl ConfigError {
    fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The administrator that `dev` and `migrate` create when absent.
#[derive(Debug, Clone)]
pub struct Administrator {
    pub email: Email,
    pub password: Password,
}

/// The settings of one process. See the README for the table of variables.
#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: Option<Secret<String>>,
    /// Where an API process hears announcements, when not where it calls functions: with several servers behind a router.
    /// The first also tells the time.
    pub database_listen_urls: Vec<Secret<String>>,
    pub redis_url: Option<RedisUrl>,
    pub bind_addr: SocketAddr,
    /// Signing keys of at least 32 bytes; the first signs, all verify.
    pub jwt_secrets: Vec<Secret<Vec<u8>>>,
    pub administrator_email: Option<Email>,
    pub administrator_password: Option<Password>,
    pub data_dir: PathBuf,
    pub demo: bool,
    pub rate_limits: bool,
    /// Proxies whose word on who called them is believed.
    pub trusted_proxies: TrustedProxies,
    /// Where a worker serves its metrics.
    pub metrics_addr: Option<SocketAddr>,
    pub bounds: Bounds,
}

/// What bounds a process. Each has a variable of the same name in capitals.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections to PostgreSQL of one API process for what callers ask, besides those of its own for placing orders
    /// and for following the database ([`PLACING_POOL_SIZE`], [`FOLLOWING_POOL_SIZE`]): no crowd of readers can take
    /// those.
    pub database_pool_size: usize,
    /// Purchase requests placed by one SQL call. Past a few hundred the call's fixed cost no longer shows.
    pub purchase_batch_max: usize,
    /// Batches of one product on their way to the database at once. They take turns there, so that a second one would
    /// only wait; while one commits, the next fills.
    pub purchase_batches_in_flight_max: usize,
    /// Messages settled by one SQL call, which holds the sale's row for as long.
    pub settle_batch_max: usize,
    /// Settle loops of one worker process. They take turns on the row of a sale; a second one overlaps its COMMIT.
    pub settle_loops: usize,
    /// HTTP requests in progress; one more is answered 503.
    pub requests_in_flight_max: usize,
    /// Open connections; one more waits to be accepted.
    pub connections_max: usize,
    /// Passwords hashed at once, each 19 MiB and tens of milliseconds of a core.
    pub password_hashes_in_flight_max: usize,
    /// Sign-ins that wait for a hash; one more is answered 503.
    pub password_hashes_queued_max: usize,
}

/// Connections of one API process for placing orders: batches of one sale take turns, so this many sales at once.
pub const PLACING_POOL_SIZE: usize = 4;
/// Connections of one API process for following the database: one for what it hears, one for what it has counted.
pub const FOLLOWING_POOL_SIZE: usize = 2;
/// Pictures that one API process keeps in memory, in bytes.
pub const PICTURE_CACHE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Pictures that one API process reads from the database at once; the others wait for their turn.
pub const PICTURE_READS_IN_FLIGHT_MAX: usize = 4;
/// Connections of one API process for reports, so one report at a time: it reads every order of a sale.
pub const REPORTS_POOL_SIZE: usize = 1;

impl Default for Bounds {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            database_pool_size: 16,
            purchase_batch_max: 500,
            purchase_batches_in_flight_max: 1,
            settle_batch_max: 500,
            settle_loops: 1,
            requests_in_flight_max: 32_768,
            connections_max: 32_768,
            password_hashes_in_flight_max: cores.div_ceil(2),
            password_hashes_queued_max: 256,
        }
    }
}

pub mod deadlines;

pub mod intervals;

mod redis_url;

pub use redis_url::{RedisServers, RedisUrl};

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables from `lookup`; an empty value counts as absent.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that cannot be used.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &'static str| lookup(name).filter(|value| !value.trim().is_empty());
        Ok(Self {
            database_url: get("DATABASE_URL").map(|url| parse_database_url("DATABASE_URL", &url)).transpose()?,
            database_listen_urls: get("DATABASE_LISTEN_URLS")
                .iter()
                .flat_map(|urls| urls.split(','))
                .map(|url| parse_database_url("DATABASE_LISTEN_URLS", url))
                .collect::<Result<_, _>>()?,
            redis_url: get("REDIS_URL").as_deref().map(RedisUrl::parse).transpose()?,
            bind_addr: parse_address("BIND_ADDR", get("BIND_ADDR").as_deref().unwrap_or("127.0.0.1:8080"))?,
            jwt_secrets: read_jwt_secrets(get("JWT_SECRET"), get("JWT_SECRET_FILE"))?,
            administrator_email: get("ADMIN_EMAIL")
                .map(|text| Email::parse(&text))
                .transpose()
                .map_err(|e| ConfigError::new("ADMIN_EMAIL", e.problem))?,
            administrator_password: get("ADMIN_PASSWORD")
                .map(Password::parse_new)
                .transpose()
                .map_err(|e| ConfigError::new("ADMIN_PASSWORD", e.problem))?,
            data_dir: get("DATA_DIR").map_or_else(|| PathBuf::from(".data"), PathBuf::from),
            demo: parse_switch("DEMO", get("DEMO"), ["0", "1"], true)?,
            rate_limits: parse_switch("RATE_LIMITS", get("RATE_LIMITS"), ["off", "on"], true)?,
            trusted_proxies: get("TRUSTED_PROXIES").unwrap_or_default().parse()?,
            metrics_addr: get("METRICS_ADDR").map(|text| parse_address("METRICS_ADDR", &text)).transpose()?,
            bounds: Bounds::from_lookup(&get)?,
        })
    }

    /// # Errors
    /// [`ConfigError`] when `DATABASE_URL` is missing.
    pub fn require_database_url(&self) -> Result<&str, ConfigError> {
        self.database_url.as_ref().map(|url| url.reveal().as_str()).ok_or_else(|| {
            ConfigError::new(
                "DATABASE_URL",
                "is missing: set it to a PostgreSQL 15 or newer, such as postgres://user:password@host:5432/flashsale",
            )
        })
    }

    /// Where to listen, for a process that calls functions at `url`.
    pub fn listen_urls(&self, url: &str) -> Vec<String> {
        match self.database_listen_urls.as_slice() {
            [] => vec![url.to_owned()],
            urls => urls.iter().map(|url| url.reveal().clone()).collect(),
        }
    }

    /// # Errors
    /// [`ConfigError`] when neither `JWT_SECRET` nor `JWT_SECRET_FILE` is set.
    pub fn require_jwt_secrets(&self) -> Result<(), ConfigError> {
        if self.jwt_secrets.is_empty() {
            return Err(ConfigError::new(
                "JWT_SECRET",
                "is missing: set it (or JWT_SECRET_FILE) to a signing key of at least 32 bytes, \
                 for instance from `openssl rand -hex 32`",
            ));
        }
        Ok(())
    }

    /// The administrator to create, if both of its variables are set.
    ///
    /// # Errors
    /// [`ConfigError`] when only one of the two is set.
    pub fn administrator(&self) -> Result<Option<Administrator>, ConfigError> {
        match (&self.administrator_email, &self.administrator_password) {
            (Some(email), Some(password)) => {
                Ok(Some(Administrator { email: email.clone(), password: password.clone() }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::new("ADMIN_PASSWORD", "is missing although ADMIN_EMAIL is set")),
            (None, Some(_)) => Err(ConfigError::new("ADMIN_EMAIL", "is missing although ADMIN_PASSWORD is set")),
        }
    }
}

impl Bounds {
    fn from_lookup(get: &impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let bound = |name: &'static str, default: usize, max: usize| -> Result<usize, ConfigError> {
            let Some(text) = get(name) else { return Ok(default) };
            usize::from_str(text.trim())
                .ok()
                .filter(|n| (1..=max).contains(n))
                .ok_or_else(|| ConfigError::new(name, format!("is {text:?}: expected a whole number from 1 to {max}")))
        };
        Ok(Self {
            database_pool_size: bound("DATABASE_POOL_SIZE", default.database_pool_size, 1000)?,
            purchase_batch_max: bound("PURCHASE_BATCH_MAX", default.purchase_batch_max, 5000)?,
            purchase_batches_in_flight_max: bound(
                "PURCHASE_BATCHES_IN_FLIGHT_MAX",
                default.purchase_batches_in_flight_max,
                64,
            )?,
            settle_batch_max: bound("SETTLE_BATCH_MAX", default.settle_batch_max, 5000)?,
            settle_loops: bound("SETTLE_LOOPS", default.settle_loops, 64)?,
            requests_in_flight_max: bound("REQUESTS_IN_FLIGHT_MAX", default.requests_in_flight_max, 1_000_000)?,
            connections_max: bound("CONNECTIONS_MAX", default.connections_max, 1_000_000)?,
            password_hashes_in_flight_max: bound(
                "PASSWORD_HASHES_IN_FLIGHT_MAX",
                default.password_hashes_in_flight_max,
                1024,
            )?,
            password_hashes_queued_max: bound(
                "PASSWORD_HASHES_QUEUED_MAX",
                default.password_hashes_queued_max,
                100_000,
            )?,
        })
    }
}

fn parse_database_url(variable: &'static str, url: &str) -> Result<Secret<String>, ConfigError> {
    let url = url.trim();
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ConfigError::new(variable, "must start with postgres:// (the value is not shown)"));
    }
    Ok(Secret::new(url.to_owned()))
}

fn parse_address(variable: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| ConfigError::new(variable, format!("is {text:?}: expected host:port, such as 127.0.0.1:8080")))
}

/// Networks of the proxies in front of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = ConfigError;

    /// Addresses and networks (`10.0.0.0/8`), separated by commas.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let parse = |entry: &str| entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        let parsed = entries.map(|entry| {
            parse(entry).map_err(|_| {
                ConfigError::new(
                    "TRUSTED_PROXIES",
                    format!("has {entry:?}: expected addresses or networks, as 10.0.0.0/8"),
                )
            })
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

/// Keys are separated by commas; the first signs, the others still verify while a rotation lasts.
fn read_jwt_secrets(value: Option<String>, file: Option<String>) -> Result<Vec<Secret<Vec<u8>>>, ConfigError> {
    let (variable, text) = match (value, file) {
        (Some(_), Some(_)) => return Err(ConfigError::new("JWT_SECRET", "and JWT_SECRET_FILE are both set: keep one")),
        (Some(text), None) => ("JWT_SECRET", text),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path).map_err(|e| {
                ConfigError::new("JWT_SECRET_FILE", format!("names {path:?}, which cannot be read: {e}"))
            })?;
            ("JWT_SECRET_FILE", text)
        }
        (None, None) => return Ok(Vec::new()),
    };
    text.split(',')
        .map(|key| key.trim().as_bytes())
        .map(|key| {
            if key.len() < 32 {
                return Err(ConfigError::new(
                    variable,
                    format!("has a key of {} bytes: every key needs at least 32", key.len()),
                ));
            }
            Ok(Secret::new(key.to_vec()))
        })
        .collect()
}

fn parse_switch(
    variable: &'static str,
    value: Option<String>,
    [off, on]: [&str; 2],
    default: bool,
) -> Result<bool, ConfigError> {
    match value.as_deref().map(str::trim) {
        None => Ok(default),
        Some(text) if text == off => Ok(false),
        Some(text) if text == on => Ok(true),
        Some(text) => Err(ConfigError::new(variable, format!("is {text:?}: expected {off} or {on}"))),
    }
}

/// Seconds to put into `Retry-After` when a process is overloaded.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError};

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn nothing_set_is_a_good_start() {
        let config = read(&[("REDIS_URL", "")]).unwrap();
        assert_eq!(config.bind_addr.to_string(), "127.0.0.1:8080");
        assert!(config.redis_url.is_none() && config.rate_limits && config.demo);
        assert_eq!(config.require_database_url().unwrap_err().variable, "DATABASE_URL");
        assert_eq!(config.require_jwt_secrets().unwrap_err().variable, "JWT_SECRET");
    }

    #[test]
    fn a_wrong_value_names_its_variable() {
        for (variable, value) in [
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_LISTEN_URLS", "postgres://a,"),
            ("REDIS_URL", "http://x"),
            ("BIND_ADDR", "nowhere"),
            ("JWT_SECRET", "short"),
            ("JWT_SECRET_FILE", "/nonexistent"),
            ("ADMIN_EMAIL", "nobody"),
            ("ADMIN_PASSWORD", "short"),
            ("RATE_LIMITS", "maybe"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
            ("METRICS_ADDR", "9090"),
            ("DEMO", "yes"),
            ("SETTLE_BATCH_MAX", "0"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable);
            assert!(error.to_string().starts_with(variable));
        }
    }

    #[test]
    fn announcements_are_heard_where_functions_are_called_unless_told_otherwise() {
        let listens = |variables: &[(&str, &str)]| read(variables).unwrap().listen_urls("postgres://router/r");
        assert_eq!(listens(&[]), ["postgres://router/r"]);
        assert_eq!(
            listens(&[("DATABASE_LISTEN_URLS", "postgres://home/h, postgresql://shard/s")]),
            ["postgres://home/h", "postgresql://shard/s"]
        );
    }

    #[test]
    fn secrets_rotate_and_are_never_printed() {
        let keys = format!("{},{}", "a".repeat(32), "b".repeat(40));
        let config = read(&[("JWT_SECRET", &keys), ("DATABASE_URL", "postgres://u:hunter2@h/d")]).unwrap();
        assert_eq!(config.jwt_secrets.len(), 2);
        let printed = format!("{config:?}");
        assert!(!printed.contains("aaaa") && !printed.contains("hunter2"), "{printed}");
    }
}
