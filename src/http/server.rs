//! The accept loop: HTTP/1.1 with a bounded number of connections, a time limit on heads, and a graceful stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use metrics::gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::config::deadlines;

/// Longest head of a request, in bytes, and most of its headers.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// Pause after the system refused a connection, which it does when out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const REFUSAL_SAID_EVERY: Duration = Duration::from_secs(60);

/// Serves until `stopping`, then lets the requests in progress finish, at most for [`deadlines::GRACEFUL_STOP`].
pub async fn serve(listener: TcpListener, router: Router, connections_max: usize, stopping: CancellationToken) {
    let connections = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
    let mut refusal_said: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, address, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if refusal_said.is_none_or(|said| said.elapsed() >= REFUSAL_SAID_EVERY) {
                    tracing::warn!(%error, "a connection was not accepted: trying again until one is");
                    refusal_said = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        tokio::spawn(serve_connection(stream, address, router.clone(), graceful.watcher(), place));
    }
    drop(listener);
    if tokio::time::timeout(deadlines::GRACEFUL_STOP, graceful.shutdown()).await.is_err() {
        tracing::warn!(after = ?deadlines::GRACEFUL_STOP, "connections were still open and are closed now");
    }
}

/// A place among the open connections.
type Place = OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, Place)> {
    // Beyond the bound, connections wait in the system's backlog.
    let place = Arc::clone(connections).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Answers are small and complete: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    give_up_on_unread_answers(&stream);
    Ok((stream, address, place))
}

/// Ends a connection whose other side has not taken for a while what was sent to it: gone without a word, or not reading on
/// purpose. The system watches, so that ten thousand idle connections cost no timer.
fn give_up_on_unread_answers(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let limit = u32::try_from(deadlines::UNREAD_ANSWER.as_millis()).unwrap_or(u32::MAX);
        // Without it the connection is as others are.
        let _ = nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpUserTimeout, &limit);
    }
}

/// Serves one connection to its end, or until the graceful stop lets it go, and then gives up its place.
///
/// Ten thousand of these lie idle behind event streams. A future that is handed to another one is kept twice, so everything
/// is made here, in the one block that awaits it.
async fn serve_connection(stream: TcpStream, address: SocketAddr, router: Router, watcher: Watcher, place: Place) {
    gauge!("flashsale_http_connections").increment(1);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadlines::HEADER_READ)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // Answers are small (or come in pieces, see `body`): copying one behind its head is cheaper than a vectored write.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is its client's affair.
    let _ = watcher.watch(connection).await;
    drop(place);
    gauge!("flashsale_http_connections").decrement(1);
}
