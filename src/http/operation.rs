//! Liveness, readiness and metrics of a process that serves nothing else: a worker.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Router, routing};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::health::{PROMETHEUS_TEXT, live};
use crate::db::Outage;

/// What is known of the process.
#[derive(Clone)]
pub struct Operation {
    pub metrics: PrometheusHandle,
    pub outage: Arc<Outage>,
    pub stopping: CancellationToken,
}

/// `/healthz`, `/readyz` and `/metrics`, as an API process has them.
pub fn operation_router(operation: Operation) -> Router {
    Router::new()
        .route("/healthz", routing::get(live))
        .route("/readyz", routing::get(ready))
        .route("/metrics", routing::get(metrics))
        .with_state(operation)
}

async fn ready(State(operation): State<Operation>) -> (StatusCode, &'static str) {
    if operation.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the process is stopping\n");
    }
    if operation.outage.is_ongoing() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the database cannot be used, see the log of this process\n",
        );
    }
    (StatusCode::OK, "ready\n")
}

async fn metrics(State(operation): State<Operation>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], operation.metrics.render())
}
