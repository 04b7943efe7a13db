//! One purchase followed through API, queue and worker: by the id of its request in the logs, and as a trace in a
//! collector of OpenTelemetry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::{Parts, Sale, Stack, User, eventually};

const SETTLED_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
const REQUEST_ID: &str = "followed-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_id_goes_through_the_queue_to_the_settlement() {
    let mut stack = stack(&[("RUST_LOG", "info,flashsale::purchases=debug"), ("LOG_FORMAT", "json")]).await;
    let (sale, user) = (stack.sale(5).await, stack.user().await);
    let order_id = buy(&stack, &sale, &user, &[]).await;
    assert_eq!(headers_in_queue(&stack).await, json!({ "request_id": REQUEST_ID }));
    stack.start_worker();
    stack.wait_until_drained(SETTLED_WITHIN).await;
    let placed = eventually("the API says what it placed", SETTLED_WITHIN, async || line(&stack.apis[0].process)).await;
    assert_eq!(
        (&placed["order_id"], &placed["user_id"], &placed["product_id"], &placed["outcome"]),
        (&json!(order_id), &json!(user.id), &json!(sale.product_id), &json!("in_progress")),
        "{placed}"
    );
    let settled = eventually("the worker says what it settled", SETTLED_WITHIN, async || line(&stack.workers[0])).await;
    assert_eq!((&settled["order_id"], &settled["outcome"]), (&json!(order_id), &json!("success")), "{settled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_carry_nothing_while_nobody_follows_purchases() {
    let stack = stack(&[]).await;
    buy(&stack, &stack.sale(5).await, &stack.user().await, &[]).await;
    assert_eq!(headers_in_queue(&stack).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trace_goes_from_a_proxy_through_the_queue_to_the_worker() {
    let collector = Collector::start().await;
    // Nothing is sent before the processes stop: what they hold then must not be lost.
    let mut stack = stack(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let sale = stack.sale(5).await;
    stack.start_worker();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let more = [("traceparent", parent.as_str()), ("prefer", "wait=10")];
    let order_id = buy(&stack, &sale, &stack.user().await, &more).await;
    stop(&mut stack).await;

    let spans = collector.spans_of(trace);
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span {name} among {:?}", spans.iter().map(|s| &s.name).collect::<Vec<_>>()))
    };
    let (request, place, settle) = (named("POST /orders"), named("place order"), named("settle order"));
    for (child, parent) in [
        (request, "b7ad6b7169203331"),
        (named("take token"), &request.span_id),
        (place, &request.span_id),
        (settle, &place.span_id),
        (named("await outcome"), &request.span_id),
    ] {
        assert_eq!(child.parent, parent, "{}", child.name);
    }
    assert_eq!((request.service.as_str(), settle.service.as_str()), ("flashsale-api", "flashsale-worker"));
    assert_eq!(request.attributes["request_id"], REQUEST_ID);
    assert_eq!(request.attributes["http.response.status_code"], "200");
    assert_eq!(place.attributes["order_id"], order_id);
    assert_eq!(
        (settle.attributes["order_id"].as_str(), settle.attributes["outcome"].as_str()),
        (&*order_id, "success")
    );
    assert!(settle.nanoseconds > 0 && request.nanoseconds > settle.nanoseconds, "{request:?} {settle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stranger_does_not_decide_what_is_traced() {
    let collector = Collector::start().await;
    let mut stack = stack(&[("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())]).await;
    let (sale, user) = (stack.sale(5).await, stack.user().await);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    buy(&stack, &sale, &user, &[("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"))]).await;
    stop(&mut stack).await;
    assert_eq!(collector.spans_of(trace).len(), 0);
    assert!(collector.all().iter().any(|span| span.name == "POST /orders"), "{:?}", collector.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_that_is_gone_costs_no_purchase_and_one_line() {
    let nobody = format!("http://127.0.0.1:{}", crate::harness::stack::free_port());
    let mut stack = stack(&[("OTEL_EXPORTER_OTLP_ENDPOINT", nobody.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "20")]).await;
    let sale = stack.sale(5).await;
    stack.start_worker();
    for user in stack.users(3).await {
        buy(&stack, &sale, &user, &[("prefer", "wait=10")]).await;
    }
    stop(&mut stack).await;
    let log = stack.apis[0].process.log_text();
    assert_eq!(log.matches("traces cannot be sent").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoint_that_cannot_be_used_stops_the_start() {
    let mut stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
    stack.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318");
    let refused = stack.run(&["api"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("OTEL_EXPORTER_OTLP_ENDPOINT must start with http://"),
        "{said}"
    );
}

/// One API, no worker yet.
async fn stack(environment: &[(&str, &str)]) -> Stack {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Stack::with(Parts { workers: 0, environment, ..Parts::default() }).await
}

async fn buy(stack: &Stack, sale: &Sale, user: &User, headers: &[(&str, &str)]) -> String {
    let request = stack.http().post("/orders").bearer(&user.token).header("x-request-id", REQUEST_ID);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let reply = request.json(&json!({ "product_id": sale.product_id })).send().await.expect(200);
    reply.value()["order_id"].as_str().expect("an order id").to_owned()
}

async fn headers_in_queue(stack: &Stack) -> Value {
    let database = stack.database().await;
    let row = database.query_one("select headers from pgmq.q_purchases", &[]).await.expect("one message");
    row.get::<_, Option<Value>>(0).unwrap_or_default()
}

/// The fields of the one line of a log in JSON that names the request.
fn line(process: &Process) -> Result<Value, String> {
    let text = process.log_text();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut ours = lines.iter().filter(|line| line["fields"]["request_id"] == REQUEST_ID);
    match (ours.next(), ours.next()) {
        (Some(line), None) => Ok(line["fields"].clone()),
        (None, _) => Err(format!("not yet: {text}")),
        (Some(_), Some(_)) => panic!("more than one line: {text}"),
    }
}

async fn stop(stack: &mut Stack) {
    let apis = stack.apis.iter_mut().map(|api| &mut api.process);
    for process in apis.chain(&mut stack.workers) {
        process.signal(Signal::SIGTERM);
        assert!(process.wait_for_exit(STOPPED_WITHIN).await.success(), "{} stopped badly", process.name);
    }
}

/// What is looked at of a span.
#[derive(Clone, Debug)]
struct Seen {
    service: String,
    name: String,
    trace_id: String,
    span_id: String,
    parent: String,
    nanoseconds: u64,
    attributes: HashMap<String, String>,
}

/// Takes spans by OTLP over HTTP, as a collector does.
struct Collector {
    endpoint: String,
    spans: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    async fn start() -> Self {
        let spans = Arc::new(Mutex::default());
        let router = Router::new().route("/v1/traces", routing::post(collect)).with_state(Arc::clone(&spans));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, spans }
    }

    fn all(&self) -> Vec<Seen> {
        self.spans.lock().expect("no collecting panicked").clone()
    }

    fn spans_of(&self, trace_id: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|span| span.trace_id == trace_id).collect()
    }
}

async fn collect(State(spans): State<Arc<Mutex<Vec<Seen>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    for resource in request.resource_spans {
        let of = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let service = of.iter().find(|attribute| attribute.key == "service.name");
        let service = service.map(|attribute| text(attribute.value.as_ref())).unwrap_or_default();
        let seen = resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| see(&service, span));
        spans.lock().expect("no collecting panicked").extend(seen);
    }
    StatusCode::OK
}

fn see(service: &str, span: Span) -> Seen {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Seen {
        service: service.to_owned(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        nanoseconds: span.end_time_unix_nano - span.start_time_unix_nano,
        attributes: span.attributes.into_iter().map(|a| (a.key, text(a.value.as_ref()))).collect(),
        name: span.name,
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
