//! The names and meanings of what a process counts.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Starts counting; the handle renders the Prometheus text of `/metrics`.
///
/// # Errors
/// When another recorder is installed in this process.
pub fn init_metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        )?
        .set_buckets_for_metric(
            Matcher::Suffix("_batch_size".into()),
            &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0],
        )?;
    let handle = builder.install_recorder()?;
    describe();
    Ok(handle)
}

/// Folds what histograms have gathered, so that it does not pile up when nobody scrapes. For ever.
pub async fn keep_bounded(handle: PrometheusHandle) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("flashsale_purchase_attempts_total", "POST /orders by outcome");
    describe_histogram!("flashsale_place_orders_batch_size", "purchase requests placed by one SQL call");
    describe_histogram!("flashsale_place_orders_seconds", "duration of one place_orders call");
    describe_counter!("flashsale_purchases_not_placed_total", "purchase requests whose batch could not be placed");
    describe_histogram!("flashsale_settle_orders_batch_size", "messages settled by one SQL call");
    describe_histogram!("flashsale_settle_orders_seconds", "duration of one settle_orders call");
    describe_counter!("flashsale_orders_settled_total", "orders settled by outcome");
    describe_counter!("flashsale_dead_letters_total", "messages set aside in purchases_dead");
    describe_gauge!("flashsale_gate_tokens", "free tokens of a sale's gate");
    describe_counter!("flashsale_gate_repairs_total", "holders of a gate added, corrected or removed by reconciling");
    describe_gauge!("flashsale_gate_drift", "holders of a gate that its last comparison had to repair");
    describe_gauge!("flashsale_redis_available", "1 while Redis answers and is used; absent without REDIS_URL");
    describe_gauge!("flashsale_worker_leads", "1 for the worker that does what one of them does");
    describe_gauge!("flashsale_queue_depth", "orders in progress");
    describe_gauge!("flashsale_queue_oldest_age_seconds", "age of the oldest message in the purchases queue");
    describe_gauge!("flashsale_dead_letters", "messages in purchases_dead now, counted up to 10,000");
    describe_gauge!("flashsale_books_unbalanced", "sales whose books did not balance at the last check");
    describe_gauge!("flashsale_books_check_age_seconds", "time since the last check of the books");
    describe_counter!("flashsale_books_repairs_total", "repairs of books that did not balance, by what was repaired");
    describe_histogram!("flashsale_database_pool_wait_seconds", "wait for a connection, by pool");
    describe_gauge!("flashsale_database_connections", "connections of the API's pool for callers, open and in use");
    describe_counter!("flashsale_http_requests_total", "HTTP requests by class of status");
    describe_histogram!("flashsale_http_request_seconds", "time to the head of an answer");
    describe_counter!("flashsale_rate_limited_total", "requests refused by limit");
    describe_counter!("flashsale_security_events_total", "security events by the OWASP logging vocabulary");
    describe_histogram!("flashsale_password_hash_seconds", "time to hash or verify one password");
    describe_gauge!("flashsale_password_hashes_waiting", "passwords being hashed or waiting for it");
    describe_counter!(
        "flashsale_password_hashes_shed_total",
        "sign-ins and sign-ups answered 503 because too many wait"
    );
    describe_counter!("flashsale_idempotent_answers_lost_total", "answers to idempotency keys that were not kept");
    describe_gauge!("flashsale_http_connections", "open HTTP connections");
    describe_gauge!("flashsale_requests_in_flight", "HTTP requests in progress");
    describe_gauge!("flashsale_database_outage", "1 while the database cannot be used");
    describe_counter!("flashsale_database_outages_total", "times that the database could not be used any more");
    metrics::gauge!("flashsale_database_outage").set(0.0);
}
