//! What `REDIS_URL` may be, parsed in one place. Its value is never shown: it has a password in it.
//!
//! | URL | what it names |
//! |---|---|
//! | `redis://[user:password@]host[:6379][/db]` | one server, or a name that always leads to the one that is written to |
//! | `redis+sentinel://[user:password@]host[:26379][,host…]/service[/db]` | the master of `service`, asked of these sentinels |
//! | `redis+cluster://[user:password@]host[:6379][,host…]` | a cluster, of which these servers are asked for the others |
//!
//! `rediss…` is the same by TLS. User and password are those of the Redis servers; sentinels that want some have theirs in
//! `?sentinel_username=…&sentinel_password=…`.

use url::Url;

use super::{ConfigError, Secret};

const SENTINEL_PORT: u16 = 26_379;
/// What the options of one server may be: they are the driver's.
const SERVER_OPTIONS: [&str; 1] = ["protocol"];
const SENTINEL_OPTIONS: [&str; 2] = ["sentinel_username", "sentinel_password"];

/// Where Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub servers: RedisServers,
    /// A URL of each host named, as for one server (`rediss://user:password@host:port/db`).
    pub hosts: Vec<Secret<String>>,
}

/// What the hosts of a URL are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    One,
    Sentinels { service: String, username: Option<String>, password: Option<Secret<String>> },
    Cluster,
}

impl RedisServers {
    /// As people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::One => "one server",
            Self::Sentinels { .. } => "sentinel",
            Self::Cluster => "cluster",
        }
    }
}

impl RedisUrl {
    /// # Errors
    /// [`ConfigError`], which does not show the URL.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong_scheme()) };
        let (tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").ok_or_else(wrong_scheme)?),
        };
        let parts = Parts::of(rest)?;
        let scheme = if tls { "rediss" } else { "redis" };
        match kind {
            "" => one_server(scheme, &parts),
            "+sentinel" => sentinels(scheme, &parts),
            "+cluster" => cluster(scheme, &parts),
            _ => Err(wrong_scheme()),
        }
    }
}

/// What follows `scheme://`.
struct Parts<'a> {
    /// With its `@`; empty without.
    login: &'a str,
    hosts: Vec<&'a str>,
    /// Between slashes.
    path: Vec<&'a str>,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, ConfigError> {
        if rest.contains('#') {
            return Err(wrong("has a #, which is written %23 in a password"));
        }
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rfind('@') {
            Some(at) => authority.split_at(at + 1),
            None => ("", authority),
        };
        let path = path.split('/').filter(|part| !part.is_empty()).collect();
        Ok(Self { login, hosts: hosts.split(',').map(str::trim).collect(), path, query })
    }

    /// The URL of each host, as for one server.
    fn urls(&self, scheme: &str, default_port: Option<u16>, database: &str) -> Result<Vec<Url>, ConfigError> {
        let url = |host: &&str| {
            let mut url = Url::parse(&format!("{scheme}://{}{host}/{database}", self.login)).ok()?;
            let named = url.host_str().is_some_and(|host| !host.is_empty()) && url.port() != Some(0);
            if let (None, Some(port)) = (url.port(), default_port) {
                url.set_port(Some(port)).ok()?;
            }
            named.then_some(url)
        };
        let urls: Option<Vec<Url>> = self.hosts.iter().map(url).collect();
        urls.ok_or_else(|| {
            wrong("has no host, or one that is not host:port; @ / ? # in a password are written %40 %2F %3F %23")
        })
    }

    fn options(&self, known: &[&str]) -> Result<Vec<(String, String)>, ConfigError> {
        let Some(query) = self.query else { return Ok(Vec::new()) };
        let options: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match options.iter().all(|(name, _)| known.contains(&name.as_str())) {
            true => Ok(options),
            false if known.is_empty() => Err(wrong("has options after a ?, and a cluster has none")),
            false => Err(wrong(format!("has an option that nobody knows: expected {}", known.join(" or ")))),
        }
    }
}

fn one_server(scheme: &str, parts: &Parts<'_>) -> Result<RedisUrl, ConfigError> {
    if parts.hosts.len() > 1 {
        return Err(wrong("names several servers: say redis+sentinel:// or redis+cluster://, whichever they are"));
    }
    let database = match parts.path.as_slice() {
        [] => "",
        [database] => expect_database(database)?,
        _ => return Err(wrong("has more than the number of a database after its host")),
    };
    let options = parts.options(&SERVER_OPTIONS)?;
    if options.iter().any(|(_, protocol)| !["2", "resp2", "3", "resp3"].contains(&protocol.as_str())) {
        return Err(wrong("has a protocol that is neither resp2 nor resp3"));
    }
    let mut urls = parts.urls(scheme, None, database)?;
    for url in &mut urls {
        url.set_query(parts.query);
    }
    Ok(RedisUrl { servers: RedisServers::One, hosts: secret(urls) })
}

fn sentinels(scheme: &str, parts: &Parts<'_>) -> Result<RedisUrl, ConfigError> {
    let (service, database) = match parts.path.as_slice() {
        [service] => (*service, ""),
        [service, database] => (*service, expect_database(database)?),
        _ => return Err(wrong("must name the service that the sentinels watch: redis+sentinel://host:26379/service")),
    };
    let options = parts.options(&SENTINEL_OPTIONS)?;
    let option = |wanted: &str| options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let servers = RedisServers::Sentinels {
        service: service.to_owned(),
        username: option("sentinel_username"),
        password: option("sentinel_password").map(Secret::new),
    };
    Ok(RedisUrl { servers, hosts: secret(parts.urls(scheme, Some(SENTINEL_PORT), database)?) })
}

fn cluster(scheme: &str, parts: &Parts<'_>) -> Result<RedisUrl, ConfigError> {
    if parts.path.iter().any(|path| *path != "0") {
        return Err(wrong("has a path, and a cluster has no databases: leave it out"));
    }
    parts.options(&[])?;
    Ok(RedisUrl { servers: RedisServers::Cluster, hosts: secret(parts.urls(scheme, None, "")?) })
}

fn expect_database(text: &str) -> Result<&str, ConfigError> {
    text.parse::<u16>().map(|_| text).map_err(|_| wrong("has a path that is not the number of a database"))
}

fn secret(urls: Vec<Url>) -> Vec<Secret<String>> {
    urls.into_iter().map(|url| Secret::new(url.into())).collect()
}

fn wrong_scheme() -> ConfigError {
    wrong("must start with redis://, redis+sentinel:// or redis+cluster:// (rediss… for TLS), or be empty for no Redis")
}

/// An error that says that the value is not in it.
fn wrong(problem: impl Into<String>) -> ConfigError {
    ConfigError::new("REDIS_URL", format!("{} (the value is not shown)", problem.into()))
}

#[cfg(test)]
mod tests {
    use super::{RedisServers, RedisUrl};

    fn hosts(text: &str) -> Vec<String> {
        let parsed = RedisUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        parsed.hosts.iter().map(|host| host.reveal().clone()).collect()
    }

    #[test]
    fn one_server_is_passed_on() {
        assert_eq!(hosts("redis://redis"), ["redis://redis/"]);
        assert_eq!(hosts(" rediss://u:p%40w@h:1/3?protocol=resp3 "), ["rediss://u:p%40w@h:1/3?protocol=resp3"]);
        assert_eq!(hosts("redis://:pw@[::1]:7/"), ["redis://:pw@[::1]:7/"]);
        assert_eq!(RedisUrl::parse("redis://redis").unwrap().servers, RedisServers::One);
    }

    #[test]
    fn sentinels_have_a_service_a_login_of_their_own_and_another_port() {
        let url = "redis+sentinel://u:pw@a,b:7,[::1]/sale/2?sentinel_username=s&sentinel_password=x%26y";
        assert_eq!(hosts(url), ["redis://u:pw@a:26379/2", "redis://u:pw@b:7/2", "redis://u:pw@[::1]:26379/2"]);
        let RedisServers::Sentinels { service, username, password } = RedisUrl::parse(url).unwrap().servers else {
            panic!("sentinels");
        };
        assert_eq!((service.as_str(), username.as_deref()), ("sale", Some("s")));
        assert_eq!(password.unwrap().reveal(), "x&y");
        assert_eq!(hosts("rediss+sentinel://a/sale"), ["rediss://a:26379/"]);
    }

    #[test]
    fn a_cluster_is_asked_of_some_of_its_servers() {
        assert_eq!(hosts("redis+cluster://u:pw@a:1,b"), ["redis://u:pw@a:1/", "redis://u:pw@b/"]);
        assert_eq!(hosts("rediss+cluster://a/0"), ["rediss://a/"]);
        assert_eq!(RedisUrl::parse("redis+cluster://a").unwrap().servers, RedisServers::Cluster);
    }

    #[test]
    fn a_wrong_url_is_one_sentence_without_its_value() {
        for url in [
            "hunter2",
            "http://hunter2@h",
            "redis+nothing://hunter2@h",
            "redis://",
            "redis://u:hunter2@",
            "redis://u:hunter2@h:99999",
            "redis://u:hunter2@h:0",
            "redis://u:hunter2@a,b",
            "redis://u:hunter2@h/sale",
            "redis://u:hunter2@h/1/2",
            "redis://u:hun/ter2@h",
            "rediss://u:hunter2@h/#insecure",
            "redis://h?password=hunter2",
            "redis://h?protocol=hunter2",
            "redis+sentinel://u:hunter2@h",
            "redis+sentinel://u:hunter2@h/sale/x",
            "redis+sentinel://u:hunter2@h,,i/sale",
            "redis+sentinel://u:hunter2@h/sale?password=x",
            "redis+cluster://u:hunter2@h/1",
            "redis+cluster://u:hunter2@h?protocol=3",
            "redis+cluster://",
        ] {
            let error = RedisUrl::parse(url).expect_err(url);
            assert_eq!(error.variable, "REDIS_URL", "{url}");
            assert!(!error.to_string().contains("hunter2"), "{url}: {error}");
        }
        let printed = format!("{:?}", RedisUrl::parse("redis+sentinel://u:hunter2@h/s?sentinel_password=hunter2"));
        assert!(printed.contains("Sentinels") && !printed.contains("hunter2"), "{printed}");
    }
}
