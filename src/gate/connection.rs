//! One connection to whatever `REDIS_URL` names: a server, the master that sentinels watch, or a cluster.
//!
//! The driver's own connections either never come back (one server), or come back to the same server (its manager), or wait
//! for ever for one that is silent (a cluster whose master's machine is gone: a time-out does not make it look at the cluster
//! again). Here all three are made anew from the start: when they break, when the server turns out to be a replica, and when a
//! command was not answered in time. The way from the start asks DNS, the sentinels or the cluster who is written to now.
//!
//! The command that met the break fails: its caller goes on without Redis, and [`probe`](super::RedisGate::probe) looks for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisFuture, RedisResult, TlsMode, Value,
};
use tokio::sync::Mutex as AsyncMutex;

use crate::config::{RedisServers, RedisUrl, Secret, deadlines};

/// After a failover a command can meet a broken connection and then, elsewhere, be told where to go: so twice again, with
/// such a pause when it is told "not now". More would only keep a purchase waiting, and the gate is not what it needs.
const CLUSTER_RETRIES: u32 = 2;
const CLUSTER_RETRY_MS: (u64, u64) = (5, 25);

/// The servers, and how they are asked for the one to talk to.
pub(super) struct Servers(Kind);

enum Kind {
    One(Client),
    Sentinels(Sentinels),
    Cluster(ClusterClient),
}

struct Sentinels {
    client: AsyncMutex<SentinelClient>,
    /// The master they named last.
    master: Mutex<Option<ConnectionAddr>>,
}

impl Servers {
    /// # Errors
    /// When the URL cannot be used.
    pub fn new(url: &RedisUrl) -> RedisResult<Self> {
        let hosts: Vec<ConnectionInfo> =
            url.hosts.iter().map(|host| host.reveal().as_str().into_connection_info()).collect::<RedisResult<_>>()?;
        let first = hosts.first().ok_or((ErrorKind::InvalidClientConfig, "no host"))?.clone();
        if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
            // The driver takes the process's; a second call changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self(match &url.servers {
            RedisServers::One => Kind::One(Client::open(first)?),
            RedisServers::Sentinels { service, username, password } => Kind::Sentinels(Sentinels {
                client: AsyncMutex::new(sentinel_client(
                    &hosts,
                    &first,
                    service,
                    username.as_ref(),
                    password.as_ref(),
                )?),
                master: Mutex::default(),
            }),
            RedisServers::Cluster => Kind::Cluster(cluster_client(hosts)?),
        }))
    }

    /// Where commands go, as far as is known: nothing secret.
    pub fn address(&self) -> Option<String> {
        match &self.0 {
            Kind::One(client) => Some(client.get_connection_info().addr().to_string()),
            Kind::Sentinels(sentinels) => sentinels.master().as_ref().map(ToString::to_string),
            Kind::Cluster(_) => None,
        }
    }

    async fn connect(&self) -> RedisResult<Link> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(deadlines::REDIS_COMMAND))
            .set_response_timeout(Some(deadlines::REDIS_COMMAND));
        let client = match &self.0 {
            Kind::One(client) => client.clone(),
            Kind::Sentinels(sentinels) => sentinels.find_master().await?,
            Kind::Cluster(client) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(deadlines::REDIS_COMMAND)
                    .set_response_timeout(deadlines::REDIS_COMMAND);
                return client.get_async_connection_with_config(config).await.map(Link::Cluster);
            }
        };
        client.get_multiplexed_async_connection_with_config(&config).await.map(Link::Server)
    }
}

impl Sentinels {
    /// The first sentinel that knows a master decides, and the master must say itself that it is one.
    async fn find_master(&self) -> RedisResult<Client> {
        let client = self.client.lock().await.async_get_client().await?;
        let address = client.get_connection_info().addr();
        let mut known = self.master();
        if known.as_ref() != Some(address) {
            if let Some(before) = known.as_ref() {
                tracing::info!(master = %address, %before, "redis: the sentinels name another master");
            }
            *known = Some(address.clone());
        }
        drop(known);
        Ok(client)
    }

    fn master(&self) -> std::sync::MutexGuard<'_, Option<ConnectionAddr>> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sentinel_client(
    hosts: &[ConnectionInfo],
    login: &ConnectionInfo,
    service: &str,
    username: Option<&String>,
    password: Option<&Secret<String>>,
) -> RedisResult<SentinelClient> {
    let addresses = hosts.iter().map(|host| host.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_redis_db(login.redis_settings().db());
    if let Some(username) = login.redis_settings().username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = login.redis_settings().password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = password {
        builder = builder.set_client_to_sentinel_password(password.reveal());
    }
    if matches!(login.addr(), ConnectionAddr::TcpTls { .. }) {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    builder.build()
}

fn cluster_client(hosts: Vec<ConnectionInfo>) -> RedisResult<ClusterClient> {
    ClusterClient::builder(hosts)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_RETRY_MS.0)
        .max_retry_wait(CLUSTER_RETRY_MS.1)
        // Each command is bounded by its caller.
        .overall_response_timeout(None)
        .build()
}

/// What was connected to.
#[derive(Clone)]
enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

type Attempt = Shared<BoxFuture<'static, RedisResult<Link>>>;

/// A connection that is made when it is first used, and anew when the one before is of no use any more. Clones share it.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    servers: Arc<Servers>,
    /// The last attempt to connect: under way, failed, or what is used.
    attempt: ArcSwapOption<Attempt>,
}

impl Connection {
    pub fn new(servers: Arc<Servers>) -> Self {
        Self(Arc::new(Inner { servers, attempt: ArcSwapOption::empty() }))
    }

    /// Connects, unless it is already.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn ready(&self) -> RedisResult<()> {
        self.link().await.map(|(_, sent)| sent.answered(false))
    }

    /// What to send a command by, and what to tell how that went.
    async fn link(&self) -> RedisResult<(Link, Sent<'_>)> {
        let attempt = self.0.current();
        let link = (*attempt).clone().await?;
        Ok((link, Sent { connection: &self.0, attempt, at: Instant::now(), is_answered: false }))
    }
}

impl Inner {
    /// The last attempt, or a new one if that failed.
    fn current(&self) -> Arc<Attempt> {
        match self.attempt.load_full() {
            Some(attempt) if !matches!(attempt.peek(), Some(Err(_))) => attempt,
            before => self.connect_anew(before.as_ref()),
        }
    }

    /// Connects anew, unless another command has done so since this one saw `before`.
    fn connect_anew(&self, before: Option<&Arc<Attempt>>) -> Arc<Attempt> {
        let servers = Arc::clone(&self.servers);
        let connect = async move {
            let connected = tokio::time::timeout(deadlines::REDIS_CONNECT, servers.connect()).await;
            connected.unwrap_or_else(|_| Err((ErrorKind::Io, "no connection in time").into()))
        };
        let attempt: Arc<Attempt> = Arc::new(connect.boxed().shared());
        let found = self.attempt.compare_and_swap(&before.cloned(), Some(Arc::clone(&attempt)));
        if (*found).as_ref().map(Arc::as_ptr) == before.map(Arc::as_ptr) {
            // It goes on although whoever asks first has no time to wait for it.
            tokio::spawn((*attempt).clone().map(drop));
            return attempt;
        }
        (*found).clone().unwrap_or(attempt)
    }
}

/// A command on its way.
struct Sent<'a> {
    connection: &'a Inner,
    attempt: Arc<Attempt>,
    at: Instant,
    is_answered: bool,
}

impl Sent<'_> {
    /// The connection is left behind if the answer shows that it is of no use.
    fn answered(mut self, is_useless: bool) {
        self.is_answered = true;
        if is_useless {
            self.connection.connect_anew(Some(&self.attempt));
        }
    }
}

impl Drop for Sent<'_> {
    /// Whoever sent it waits no longer. If it was time for an answer, another server may be the one to ask by now.
    fn drop(&mut self) {
        if !self.is_answered && self.at.elapsed() >= deadlines::REDIS_COMMAND / 2 {
            self.connection.connect_anew(Some(&self.attempt));
        }
    }
}

impl Link {
    /// Whether another server has to be looked for. A cluster's connection looks for others by itself, but for those that
    /// do not answer.
    fn is_useless<T>(&self, answer: &RedisResult<T>, is_of_replica: impl FnOnce(&T) -> bool) -> bool {
        match (self, answer) {
            (Self::Server(_), Ok(answer)) => is_of_replica(answer),
            (Self::Server(_), Err(error)) => {
                error.is_unrecoverable_error() || error.is_timeout() || is_replica(error.code())
            }
            (Self::Cluster(_), Ok(_)) => false,
            (Self::Cluster(_), Err(error)) => {
                error.is_timeout() || error.kind() == ErrorKind::ClusterConnectionNotFound
            }
        }
    }
}

/// What a server says that was the master.
fn is_replica(code: Option<&str>) -> bool {
    matches!(code, Some("READONLY" | "MASTERDOWN"))
}

fn is_of_replica(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if is_replica(Some(error.code())))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let (mut link, sent) = self.link().await?;
            let answer = match &mut link {
                Link::Server(server) => server.req_packed_command(command).await,
                Link::Cluster(cluster) => cluster.req_packed_command(command).await,
            };
            sent.answered(link.is_useless(&answer, is_of_replica));
            answer
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let (mut link, sent) = self.link().await?;
            let answers = match &mut link {
                Link::Server(server) => server.req_packed_commands(pipeline, offset, count).await,
                Link::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count).await,
            };
            sent.answered(link.is_useless(&answers, |answers| answers.iter().any(is_of_replica)));
            answers
        }
        .boxed()
    }

    /// Only pub/sub asks, which is not used.
    fn get_db(&self) -> i64 {
        0
    }
}
