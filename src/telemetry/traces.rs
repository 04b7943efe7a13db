//! Traces of requests through API, queue and worker: OpenTelemetry spans, sent by OTLP in builds with the feature `otlp`.
//!
//! ```text
//!   POST /orders                        the API's span of the request
//!   ├─ take token                       the gate
//!   ├─ place order                      from the micro-batch to the COMMIT; its id travels in the message
//!   │  └─ settle order                  the worker
//!   └─ await outcome                    with `Prefer: wait`
//! ```

use std::time::SystemTime;

use tracing::{Level, Span};
use tracing_subscriber::{Layer, Registry};

use super::PURCHASES;
use crate::domain::{Correlation, OrderId};

/// The target of every span, at level `trace`: below what anybody logs, so that spans cost nothing unless they are sent.
pub const SPANS: &str = "flashsale::spans";

pub(super) type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// What is left to do for the traces when a process ends.
#[must_use = "the last spans are sent by `finish`"]
pub struct Traces {
    #[cfg(feature = "otlp")]
    exporter: Option<super::otlp::Exporter>,
}

impl Traces {
    /// Sends what has not been sent, for a few seconds at most.
    pub async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
    }
}

#[cfg(feature = "otlp")]
pub(super) fn start(service: &'static str) -> anyhow::Result<(Option<SpanLayer>, Traces)> {
    let (spans, exporter) = super::otlp::start(service)?.unzip();
    Ok((spans, Traces { exporter }))
}

#[cfg(not(feature = "otlp"))]
pub(super) fn start(_: &'static str) -> anyhow::Result<(Option<SpanLayer>, Traces)> {
    anyhow::ensure!(
        std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_none(),
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this binary was built without the feature otlp: unset it, or build with it"
    );
    Ok((None, Traces {}))
}

/// What a message is to carry of the request that the current span belongs to; nothing unless somebody follows purchases,
/// in the log or by traces.
pub fn correlate(request_id: &str) -> Option<Correlation> {
    #[cfg(feature = "otlp")]
    let traceparent = super::otlp::traceparent(&Span::current());
    #[cfg(not(feature = "otlp"))]
    let traceparent = None;
    let is_followed = tracing::enabled!(target: PURCHASES, Level::DEBUG) || traceparent.is_some();
    is_followed.then(|| Correlation { request_id: Some(request_id.to_owned()), traceparent })
}

/// Makes the span the child of one in another process. Without effect when it is no `traceparent` of W3C Trace Context.
pub fn continue_trace(span: &Span, traceparent: &str) {
    #[cfg(feature = "otlp")]
    super::otlp::continue_trace(span, traceparent);
    #[cfg(not(feature = "otlp"))]
    let _ = (span, traceparent);
}

/// Records the span of an order that was settled from `started` until now.
pub fn trace_settled(correlation: &Correlation, order_id: OrderId, outcome: &str, started: SystemTime) {
    #[cfg(feature = "otlp")]
    if let Some(traceparent) = &correlation.traceparent {
        super::otlp::trace_settled(traceparent, order_id, outcome, started);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (correlation, order_id, outcome, started);
}
