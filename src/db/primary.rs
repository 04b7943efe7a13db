//! The way to the one server that takes writes. `DATABASE_URL` may name several, of which one is the primary and the others
//! follow it; which one it is may change at any time. Nothing is ever read from the others: what is stale decides nothing.
//!
//! tokio-postgres asks one host after the other, and one that accepts connections and then says no word (a frozen machine)
//! would keep it from ever asking the next. So each host is a configuration of its own here, and they are asked side by side.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};

use super::DbError;
use super::tls::{self, Connector};
use crate::config::deadlines;

/// What PostgreSQL calls the place where a COMMIT waits for its standby: the same in every language.
const SYNCHRONOUS_WAIT: &str = "SyncRepWaitForLSN";

type Link = Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

/// The servers that `DATABASE_URL` names, and which of them was the primary when we last asked.
pub(super) struct Servers {
    urls: Vec<String>,
    configs: Vec<Config>,
    tls: Connector,
    primary: Mutex<Primary>,
}

/// Which server it is, and since when as far as we know.
#[derive(Clone, Copy)]
struct Primary {
    server: usize,
    since: Instant,
}

impl Servers {
    /// # Errors
    /// [`DbError::Url`].
    pub fn new(url: &str, application: &str, statement: Duration) -> Result<Self, DbError> {
        let urls = one_url_each(url);
        let configs = urls.iter().map(|url| client_config(url, application, statement)).collect::<Result<_, _>>()?;
        let primary = Mutex::new(Primary { server: 0, since: Instant::now() });
        Ok(Self { urls, configs, tls: tls::connector(url)?, primary })
    }

    /// The configuration of the server asked first.
    pub fn config(&self) -> &Config {
        &self.configs[self.primary().server]
    }

    /// Connects to the primary, within a time that is bounded.
    ///
    /// # Errors
    /// [`DbError::Unreachable`].
    pub async fn connect(&self) -> Result<(Client, Link), DbError> {
        let opened = tokio::time::timeout(deadlines::CONNECT, self.open()).await;
        let silent = |_| DbError::Unreachable(format!("no primary let us in within {:?}", deadlines::CONNECT));
        opened.map_err(silent)?.map_err(DbError::not_sent)
    }

    /// The URL of the primary alone.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn find_primary_url(&self) -> Result<&str, DbError> {
        if self.urls.len() > 1 {
            drop(self.connect().await?);
        }
        Ok(&self.urls[self.primary().server])
    }

    /// Returns when another server has become the primary since a connection was made; never, where there is only one. For
    /// calls that wait for long: the answer of a server that was frozen or cut off may never come. (A server that ceases to be
    /// the primary while it is well ends its connections itself.)
    pub async fn primary_moved_after(&self, connected: Instant) {
        if self.urls.len() < 2 {
            return std::future::pending().await;
        }
        while self.primary().since < connected {
            tokio::time::sleep(deadlines::ANOTHER_PRIMARY).await;
            // An error says only that there is none now.
            drop(self.connect().await);
        }
    }

    /// Asks the last known primary, a little later the next, and so on; the first that takes writes is it. Not bounded in
    /// time where all that have not refused are silent.
    async fn open(&self) -> Result<(Client, Link), tokio_postgres::Error> {
        let first = self.primary().server;
        let asked = (0..self.configs.len()).map(|turn| self.ask((first + turn) % self.configs.len(), turn));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut refusal = None;
        loop {
            match asked.next().await {
                Some((server, Some(Ok(opened)))) => {
                    self.note_primary(server);
                    return Ok(opened);
                }
                Some((_, Some(Err(error)))) => refusal = Some(error),
                Some((_, None)) => {}
                None => match refusal {
                    Some(error) => return Err(error),
                    None => return std::future::pending().await,
                },
            }
        }
    }

    /// What one server says; none where it says nothing for so long that another may long have become the primary.
    async fn ask(&self, server: usize, turn: usize) -> (usize, Option<Result<(Client, Link), tokio_postgres::Error>>) {
        let patience = if self.configs.len() > 1 { deadlines::CONNECT / 2 } else { deadlines::CONNECT };
        tokio::time::sleep(deadlines::NEXT_SERVER * u32::try_from(turn).unwrap_or(u32::MAX)).await;
        let opened = tokio::time::timeout(patience, self.configs[server].connect(self.tls.clone())).await;
        (server, opened.ok())
    }

    fn primary(&self) -> Primary {
        *self.primary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_primary(&self, server: usize) {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if primary.server != server {
            let application = self.configs[server].get_application_name();
            tracing::debug!(application, before = primary.server, now = server, "another server takes the writes");
            *primary = Primary { server, since: Instant::now() };
        }
    }
}

/// How the pool gets its connections.
pub(super) struct ToPrimary(pub std::sync::Arc<Servers>);

impl deadpool_postgres::Connect for ToPrimary {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>> {
        Box::pin(async {
            let (client, connection) = self.0.open().await?;
            Ok((client, tokio::spawn(carry(connection))))
        })
    }
}

/// Carries the traffic of one connection until it ends. It is ended at once when the server says that it has stopped waiting
/// for its standby: the COMMIT that follows is on one machine only, and its caller must not take it for durable.
async fn carry<S, T>(mut connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if notice.routine() == Some(SYNCHRONOUS_WAIT) => {
                tracing::warn!(
                    "somebody cancelled a COMMIT that waited for its standby: it is not taken for durable, and tried again"
                );
                return;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection to the database broke");
                return;
            }
        }
    }
}

/// `scheme://user@a,b/name` as `scheme://user@a/name` and `scheme://user@b/name`.
fn one_url_each(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return vec![url.to_owned()] };
    let (user, rest) = rest.split_once('@').map_or(("", rest), |(user, rest)| (user, rest));
    let at = if user.is_empty() { "" } else { "@" };
    let (hosts, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let tail = without_choice(tail);
    hosts.split(',').map(|host| format!("{scheme}://{user}{at}{host}{tail}")).collect()
}

/// The path and the parameters without those that choose between servers: that is done here, always the same.
fn without_choice(tail: &str) -> String {
    let Some((path, parameters)) = tail.split_once('?') else { return tail.to_owned() };
    let chooses =
        |parameter: &&str| matches!(parameter.split('=').next(), Some("target_session_attrs" | "load_balance_hosts"));
    let kept: Vec<&str> = parameters.split('&').filter(|parameter| !chooses(parameter)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

fn client_config(url: &str, application: &str, statement: Duration) -> Result<Config, DbError> {
    let mut config: Config = tls::without_verify_mode(url).parse().map_err(|e: tokio_postgres::Error| {
        // The error's text holds no part of the URL but the name of the option it does not know.
        DbError::Url(e.to_string())
    })?;
    let options = format!(
        "{} -c statement_timeout={} -c idle_in_transaction_session_timeout=10000",
        config.get_options().unwrap_or_default(),
        statement.as_millis()
    );
    config
        .options(options.trim())
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(deadlines::CONNECT);
    config
        .keepalives_idle(deadlines::SERVER_GONE)
        .keepalives_interval(Duration::from_secs(1))
        .tcp_user_timeout(deadlines::SERVER_GONE);
    // A socket of this machine has no name that a certificate could be for, and needs none.
    if !config.get_hosts().is_empty() && config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
        config.ssl_mode(SslMode::Disable);
    }
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::one_url_each;

    #[test]
    fn several_servers_are_several_urls() {
        let several = "postgres://api:pass@a:1,b:2,[::1]/flashsale?target_session_attrs=read-write&sslmode=require";
        assert_eq!(
            one_url_each(several),
            [
                "postgres://api:pass@a:1/flashsale?sslmode=require",
                "postgres://api:pass@b:2/flashsale?sslmode=require",
                "postgres://api:pass@[::1]/flashsale?sslmode=require",
            ]
        );
        for one in ["postgres://localhost", "postgres://u@h:5432/db?sslmode=disable", "postgres:///db?host=%2Ftmp"] {
            assert_eq!(one_url_each(one), [one]);
        }
        assert_eq!(one_url_each("postgres://h/db?target_session_attrs=any"), ["postgres://h/db"]);
    }
}
