//! Floor 1: what a process says of itself: logs, metrics, traces.

mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod traces;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

pub use metrics::{init_metrics, keep_bounded};
pub use traces::{SPANS, Traces, continue_trace, correlate, trace_settled};

/// The drivers warn of every connection that breaks; an outage is said once, by us (`db::Outage`,
/// `gate::RedisGate`).
const DEFAULT_FILTER: &str = "info,sqlx=warn,pgmq=warn,deadpool=error,tokio_postgres=error,redis=off";

/// The target of one line a purchase where it is placed and one where it is settled, at level `debug`: with
/// `RUST_LOG=info,flashsale::purchases=debug` a purchase can be followed by the id of its request.
pub const PURCHASES: &str = "flashsale::purchases";

/// Starts logging to standard error: one line an event, JSON with `LOG_FORMAT=json`, what is logged by `RUST_LOG`
/// (default: `info` of ours); and traces, where OpenTelemetry's variables say so.
///
/// # Errors
/// One sentence naming the variable that cannot be used.
pub fn init(service: &'static str) -> anyhow::Result<Traces> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let logs = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let json = std::env::var_os("LOG_FORMAT").is_some_and(|format| format == "json");
    let logs = if json { logs.json().boxed() } else { logs.with_target(false).boxed() };
    let (spans, traces) = traces::start(service)?;
    // A second call (tests) keeps the first logger.
    let _ = registry().with(spans).with(logs.with_filter(filter)).try_init();
    Ok(traces)
}
