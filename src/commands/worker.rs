//! `flashsale worker`: settles until it is asked to stop, and serves its metrics where METRICS_ADDR says.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::{Config, deadlines};
use crate::db::{self, Outage};
use crate::http::{Operation, operation_router, server};
use crate::{shutdown, telemetry};

/// Connections to what a worker serves: some scrapers and probes.
const CONNECTIONS_MAX: usize = 64;

/// # Errors
/// When it cannot start.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let url = config.require_database_url()?.to_owned();
    db::migrate::check(&url).await?;
    let stopping = shutdown::on_signal()?;
    let metrics = telemetry::init_metrics()?;
    let outage = Arc::new(Outage::new(deadlines::SETTLE_STATEMENT));
    let upkeep = tokio::spawn(telemetry::keep_bounded(metrics.clone()));
    let operation = Operation { metrics, outage: Arc::clone(&outage), stopping: stopping.clone() };
    let serving = match config.metrics_addr {
        Some(address) => Some(tokio::spawn(serve(listen(address).await?, operation))),
        None => None,
    };
    let redis = super::api::connect_redis(config)?;
    let worked = crate::worker::work_until(stopping, &url, &config.bounds, redis, &outage).await;
    for task in serving.into_iter().chain([upkeep]) {
        task.abort();
    }
    Ok(worked?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("METRICS_ADDR {address} cannot be listened on"))
}

async fn serve(listener: TcpListener, operation: Operation) {
    // Until the process ends, not until it is asked to: why it is not ready any more can be read to the last.
    server::serve(listener, operation_router(operation), CONNECTIONS_MAX, tokio_util::sync::CancellationToken::new())
        .await;
}
