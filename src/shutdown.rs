//! Floor 1: stopping. The first SIGINT or SIGTERM asks everything to finish; the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first signal to stop.
///
/// # Errors
/// When the process cannot listen to signals.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let stopping = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = stopping.clone();
    tokio::spawn(async move {
        for signals in 1.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if signals > 1 {
                tracing::warn!("second signal: ending at once");
                std::process::exit(130);
            }
            tracing::info!("stopping: what was accepted will be finished (a second signal ends at once)");
            token.cancel();
        }
    });
    Ok(stopping)
}
