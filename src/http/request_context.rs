//! The outermost layer: bounds the requests in progress, gives each an id, writes problems to their bodies, logs errors.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{Counter, Histogram, counter, histogram};
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, trace_span};
use uuid::Uuid;

use super::client::{RequestId, is_from_trusted_proxy};
use super::idempotency::idempotent;
use super::problem::{PROBLEM_JSON, Problem};
use super::state::Api;
use crate::telemetry::{SPANS, continue_trace};

const PROBLEM_TYPE: HeaderValue = HeaderValue::from_static(PROBLEM_JSON);
/// The page's own screen for an address that is not there.
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Wraps every request.
pub async fn request_context(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(&request);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    // A process that is full is alive: whoever watches it must not kill it in the middle of the crowd.
    if request.uri().path() == "/healthz" {
        return write_problem(next.run(request).await, &request_id);
    }
    let started = Instant::now();
    let span = server_span(&request, &request_id, &api);
    let response = match api.limits.enter() {
        // The place is given up when the head of the answer is ready: event streams do not hold it.
        Some(_place) => {
            let answering = idempotent(&api, request, next).instrument(span.clone());
            answering.await.unwrap_or_else(IntoResponse::into_response)
        }
        None => Problem::unavailable().into_response(),
    };
    let response = write_problem(response, &request_id);
    span.record("http.response.status_code", response.status().as_u16());
    count(response.status(), started.elapsed());
    response
}

/// The span of a request. It goes on with the trace of a proxy that we trust; whoever else sends a `traceparent` would
/// decide what is sampled.
fn server_span(request: &Request, request_id: &HeaderValue, api: &Api) -> Span {
    let span = trace_span!(target: SPANS, "request", otel.name = Empty, otel.kind = "server",
        http.request.method = %request.method(), http.route = Empty, http.response.status_code = Empty,
        request_id = request_id.to_str().unwrap_or_default());
    if span.is_disabled() {
        return span;
    }
    let route = request.extensions().get::<MatchedPath>().map_or("/{page}", MatchedPath::as_str);
    span.record("http.route", route);
    span.record("otel.name", display(format_args!("{} {route}", request.method())));
    let parent = request.headers().get(TRACEPARENT).and_then(|parent| parent.to_str().ok());
    if let Some(parent) = parent.filter(|_| is_from_trusted_proxy(request.extensions(), &api.trusted_proxies)) {
        continue_trace(&span, parent);
    }
    span
}

/// Every request counts, so the metrics are looked up once.
fn count(status: StatusCode, took: Duration) {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    static REQUESTS: LazyLock<([Counter; 5], Histogram)> = LazyLock::new(|| {
        let requests = CLASSES.map(|class| counter!("flashsale_http_requests_total", "status" => class));
        (requests, histogram!("flashsale_http_request_seconds"))
    });
    let (requests, seconds) = &*REQUESTS;
    if let Some(requests) = requests.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
        requests.increment(1);
    }
    seconds.record(took.as_secs_f64());
}

/// The caller's own id if it is a sensible one, so that a request can be followed through a proxy; otherwise a new one.
fn request_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|id| {
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    });
    given.cloned().unwrap_or_else(|| {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = Uuid::new_v4().simple().encode_lower(&mut buffer);
        HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("none"))
    })
}

fn write_problem(mut response: Response, request_id: &HeaderValue) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| {
        // What a library refused by itself.
        let is_ours =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_TYPE || kind == HTML);
        (!is_ours && (status.is_client_error() || status.is_server_error())).then(|| Problem::of_status(status))
    });
    if let Some(problem) = problem {
        let id = request_id.to_str().unwrap_or_default();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(status = status.as_u16(), code = problem.code, request_id = id, "a request failed");
        }
        *response.body_mut() = Body::from(problem.body(id));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_TYPE);
        headers.remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id.clone());
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
