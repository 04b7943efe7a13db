//! OpenTelemetry's SDK: spans of [`SPANS`](super::SPANS) go to the collector of `OTEL_EXPORTER_OTLP_ENDPOINT` as protobuf
//! over HTTP. Its other variables work as its specification says: `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…` (what waits to be
//! sent is bounded, more is dropped), `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use bytes::Bytes;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

use super::SPANS;
use super::traces::SpanLayer;
use crate::domain::OrderId;

const TRACEPARENT: &str = "traceparent";
/// The name that instruments its own spans.
const SCOPE: &str = "flashsale";
/// For one request to the collector, and for the last spans when the process ends.
const EXPORT: Duration = Duration::from_secs(5);

/// Sends spans until it is asked to finish.
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    /// The exporter has a thread of its own, which is waited for without keeping a thread of the runtime: it needs them.
    pub(super) async fn finish(self) {
        let finished = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(EXPORT)).await;
        if let Ok(Err(error)) = finished {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Nothing without `OTEL_EXPORTER_OTLP_ENDPOINT`.
///
/// # Errors
/// One sentence when the endpoint cannot be used.
pub(super) fn start(service: &'static str) -> anyhow::Result<Option<(SpanLayer, Exporter)>> {
    let set = |name| {
        let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
        value.filter(|value| !value.is_empty())
    };
    let endpoint = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    let (Some(endpoint), false) = (endpoint, set("OTEL_SDK_DISABLED").is_some_and(|value| value == "true")) else {
        return Ok(None);
    };
    anyhow::ensure!(
        endpoint.starts_with("http://"),
        "OTEL_EXPORTER_OTLP_ENDPOINT must start with http:// (the collector beside this process, usually port 4318; it can \
         pass the traces on by https)"
    );
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Courier::new(endpoint))
        .with_protocol(Protocol::HttpBinary)
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
    let mut resource = Resource::builder();
    if set("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(service);
    }
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    global::set_tracer_provider(provider.clone());
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(SPANS, Level::TRACE));
    Ok(Some((spans.boxed(), Exporter(provider))))
}

/// The `traceparent` of a span that is sent; none for one that the sampler left out.
pub(super) fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    if !context.span().span_context().is_sampled() {
        return None;
    }
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut headers);
    headers.remove(TRACEPARENT)
}

pub(super) fn continue_trace(span: &Span, traceparent: &str) {
    // A span that nobody sends has no parent to be given.
    let _ = span.set_parent(remote(traceparent));
}

pub(super) fn trace_settled(traceparent: &str, order_id: OrderId, outcome: &str, started: SystemTime) {
    let tracer = global::tracer(SCOPE);
    let span =
        tracer.span_builder("settle order").with_kind(SpanKind::Consumer).with_start_time(started).with_attributes([
            KeyValue::new("messaging.system", "pgmq"),
            KeyValue::new("messaging.destination.name", "purchases"),
            KeyValue::new("order_id", order_id.to_string()),
            KeyValue::new("outcome", outcome.to_owned()),
        ]);
    span.start_with_context(&tracer, &remote(traceparent)).end();
}

fn remote(traceparent: &str) -> Context {
    TraceContextPropagator::new().extract(&HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]))
}

/// Brings spans to the collector: on the runtime, whichever thread asks, and saying so when it cannot.
#[derive(Debug)]
struct Courier {
    client: HyperClient,
    runtime: Handle,
    endpoint: String,
    fails: AtomicBool,
}

impl Courier {
    fn new(endpoint: String) -> Self {
        let client = HyperClient::with_default_connector(EXPORT, None);
        Self { client, runtime: Handle::current(), endpoint, fails: AtomicBool::new(false) }
    }

    /// Once an outage.
    fn note(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let found = match answer {
            Ok(response) if response.status().is_success() => {
                if self.fails.swap(false, Ordering::Relaxed) {
                    tracing::info!(endpoint = self.endpoint, "traces are sent again");
                }
                return;
            }
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        if !self.fails.swap(true, Ordering::Relaxed) {
            tracing::warn!(endpoint = self.endpoint, found, "traces cannot be sent and are dropped until they can");
        }
    }
}

impl HttpClient for Courier {
    fn send_bytes<'a, 'sending>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'a: 'sending,
        Self: 'sending,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move {
            let answer = sending.await.unwrap_or_else(|broken_off| Err(broken_off.into()));
            self.note(&answer);
            answer
        })
    }
}
