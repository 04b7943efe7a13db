//! Serving: by the engine's own accept loop.

use std::net::SocketAddr;

use axum::Router;
use flashsale::config::Bounds;
use flashsale::http::server;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until the process is ended.
pub async fn serve(address: SocketAddr, router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    server::serve(listener, router, Bounds::default().connections_max, CancellationToken::new()).await;
    Ok(())
}
