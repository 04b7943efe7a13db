//! `flashsale api`: puts the parts of an API process together and serves until it is asked to stop.

use std::sync::Arc;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::app::devices::Devices;
use crate::app::find_orders::Orders;
use crate::app::follow::{Follower, probe_redis, read_ended_sessions};
use crate::app::idempotency::IdempotencyKeys;
use crate::app::manage_sales::SaleDesk;
use crate::app::outcomes::Outcomes;
use crate::app::passwords::Passwords;
use crate::app::pictures::Pictures;
use crate::app::place_order::Purchases;
use crate::app::rate_limits::RateLimits;
use crate::app::sale_activity::{ActivityCounters, note_activity_until};
use crate::app::sale_board::SaleBoard;
use crate::app::sessions::Sessions;
use crate::app::watch_sales::SaleWatch;
use crate::config::{Config, FOLLOWING_POOL_SIZE, PLACING_POOL_SIZE, REPORTS_POOL_SIZE, deadlines};
use crate::db::{Database, DbError, Outage};
use crate::gate::{RedisGate, TokenGate};
use crate::http::{Api, ApiParts, Limits, router, server};
use crate::telemetry;

/// Redis, if `REDIS_URL` names one.
///
/// # Errors
/// When the URL cannot be used; an unreachable Redis is none: it is gone on without.
pub fn connect_redis(config: &Config) -> anyhow::Result<Option<Arc<RedisGate>>> {
    config.redis_url.as_ref().map(|url| Ok(Arc::new(RedisGate::new(url)?))).transpose()
}

/// Serves the API on the database at `url` until `stopping`.
///
/// # Errors
/// When it cannot start.
pub async fn run(
    config: &Config,
    url: &str,
    outage: Arc<Outage>,
    listener: TcpListener,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    raise_open_files_limit();
    use_small_pages();
    // First: what is made below remembers the metrics it counts with.
    let metrics = telemetry::init_metrics()?;
    let redis = connect_redis(config)?;
    let probe = redis.clone().map(|redis| tokio::spawn(probe_redis(redis)));
    let activity = Arc::new(ActivityCounters::default());
    let (api, follower) = assemble(config, url, outage, redis, Arc::clone(&activity), metrics, stopping.clone())?;
    // Before the first request: a session that was ended stays ended over a restart.
    api.sessions.replace_ended(read_ended_sessions(&api.database).await?);
    let following = CancellationToken::new();
    let (board, counts) = (Arc::clone(&follower.board), follower.database.clone());
    let noting = tokio::spawn(note_activity_until(following.clone(), activity, board, counts));
    let follower = tokio::spawn(follow(follower, config.listen_urls(url), following.clone(), stopping.clone()));
    let limits = tokio::spawn(Arc::clone(&api.limits).keep_bounded());
    let upkeep = tokio::spawn(telemetry::keep_bounded(api.metrics.clone()));
    if !config.rate_limits {
        tracing::warn!("RATE_LIMITS=off: nobody's requests are limited");
    }
    let redis = config.redis_url.as_ref().map_or("none", |url| url.servers.name());
    tracing::info!(address = %listener.local_addr()?, redis, "serving");
    server::serve(listener, router(api), config.bounds.connections_max, stopping).await;
    // Requests that waited for an outcome have been told: now nobody needs the news any more.
    following.cancel();
    let followed = follower.await?;
    noting.await?;
    limits.abort();
    upkeep.abort();
    if let Some(probe) = probe {
        probe.abort();
    }
    tracing::info!("the API has stopped");
    followed
}

/// Listens on `BIND_ADDR`.
///
/// # Errors
/// When the address cannot be had.
pub fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let backlog = u32::try_from(config.bounds.connections_max).unwrap_or(u32::MAX);
    let listen = || {
        let socket = if config.bind_addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(config.bind_addr)?;
        // A crowd connects within a millisecond: the system's usual backlog of some hundred drops most of it.
        socket.listen(backlog)
    };
    listen().with_context(|| format!("BIND_ADDR {} cannot be listened on", config.bind_addr))
}

/// Follows until asked to stop. An API that no longer follows the database must not go on: if following breaks off, the
/// process stops and its supervisor starts another.
async fn follow(
    follower: Follower,
    urls: Vec<String>,
    following: CancellationToken,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let ended = tokio::spawn(follower.follow_until(following.clone(), urls)).await;
    if following.is_cancelled() {
        return Ok(());
    }
    tracing::error!(?ended, "following the database broke off: the process stops");
    stopping.cancel();
    anyhow::bail!("following the database broke off")
}

fn assemble(
    config: &Config,
    url: &str,
    outage: Arc<Outage>,
    redis: Option<Arc<RedisGate>>,
    activity: Arc<ActivityCounters>,
    metrics: PrometheusHandle,
    stopping: CancellationToken,
) -> anyhow::Result<(Api, Follower)> {
    let bounds = &config.bounds;
    let pool = |size, name| Ok::<_, DbError>(Database::new(url, size, name, deadlines::STATEMENT)?.telling(&outage));
    let database = pool(bounds.database_pool_size, "flashsale api")?;
    let placing = pool(PLACING_POOL_SIZE, "flashsale api placing")?;
    let following = pool(FOLLOWING_POOL_SIZE, "flashsale api following")?;
    // Its statements are long ones: that one of them runs out of time says nothing of the database.
    let reports = Database::new(url, REPORTS_POOL_SIZE, "flashsale api reports", deadlines::REPORT_STATEMENT)?;
    let board = Arc::new(SaleBoard::default());
    let rates = Arc::new(RateLimits::new(config.rate_limits, redis.clone()));
    let gate = Arc::new(TokenGate::new(redis));
    let outcomes = Arc::new(Outcomes::default());
    let sessions = Arc::new(Sessions::new(&config.jwt_secrets)?);
    let purchases = Arc::new(Purchases::new(
        Arc::clone(&board),
        Arc::clone(&gate),
        Arc::clone(&outcomes),
        activity,
        Arc::clone(&rates),
        placing,
        bounds,
    ));
    let api = Api::new(ApiParts {
        database: database.clone(),
        board: Arc::clone(&board),
        outcomes: Arc::clone(&outcomes),
        purchases: Arc::clone(&purchases),
        orders: Orders::new(&database, bounds),
        sessions: Arc::clone(&sessions),
        passwords: Passwords::new(bounds)?,
        devices: Devices::new(&config.jwt_secrets)?,
        trusted_proxies: config.trusted_proxies.clone(),
        desk: SaleDesk { database: database.clone(), board: Arc::clone(&board), gate: Arc::clone(&gate) },
        pictures: Pictures::new(database.clone()),
        watch: SaleWatch { database: database.clone(), reports },
        keys: Arc::new(IdempotencyKeys::new(&database, bounds)),
        limits: Arc::new(Limits::new(bounds, rates)),
        metrics,
        stopping,
    });
    Ok((api, Follower { database: following, outage, board, gate, outcomes, purchases, sessions }))
}

/// A connection is a file descriptor: as many as the system allows us.
fn raise_open_files_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Connections that lie idle touch a little of each of their buffers: with huge pages all of it would be resident, twice
/// the memory. Nothing here is faster with them.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "transparent huge pages could not be declined");
    }
}
