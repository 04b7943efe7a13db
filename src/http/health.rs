//! Liveness, readiness, metrics.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::Api;

/// A board older than this is not served from: something that refreshes it is stuck.
const BOARD_AGE_MAX: Duration = Duration::from_secs(10);

pub const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
pub async fn live() -> &'static str {
    "ok\n"
}

/// The process can serve: the database is reachable and migrated.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, body = String),
))]
pub async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    if api.stopping.is_cancelled() {
        return Err(not_ready("The process is stopping"));
    }
    api.database.check_migrations().await.map_err(|error| not_ready(format!("Not ready: {error}")))?;
    match api.board.age() {
        None => Err(not_ready("The sales have not been read yet")),
        Some(age) if age > BOARD_AGE_MAX => Err(not_ready(format!("The sales were last read {age:.0?} ago"))),
        Some(_) => Ok("ready\n"),
    }
}

pub fn not_ready(error: impl Into<Cow<'static, str>>) -> Problem {
    Problem { code: "not_ready", error: error.into(), ..Problem::unavailable() }
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String)))]
pub async fn metrics(State(api): State<Api>) -> Response {
    let (open, in_use) = api.database.pool_status();
    metrics::gauge!("flashsale_database_connections", "state" => "open").set(open as f64);
    metrics::gauge!("flashsale_database_connections", "state" => "in_use").set(in_use as f64);
    metrics::gauge!("flashsale_password_hashes_waiting").set(api.passwords.waiting() as f64);
    let mut response = api.metrics.render().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, PROMETHEUS_TEXT);
    response
}
