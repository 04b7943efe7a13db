//! /healthz, /readyz, /metrics, /openapi.json, /docs, and what is nowhere.

use std::time::Duration;

use super::document::Document;
use crate::harness::{Crowd, Stack, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let mut stack = Stack::start().await;
    let http = stack.http();
    http.get("/healthz").send().await.expect(200);
    http.get("/readyz").send().await.expect(200);
    stack.postgres.stop_immediately();
    eventually("not ready without the database", Duration::from_secs(10), async || {
        match http.get("/readyz").send().await.status {
            503 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    http.get("/healthz").send().await.expect(200);
    http.get("/sales").send().await.expect(200);
    stack.postgres.start_again();
    eventually("ready again", Duration::from_secs(15), async || match http.get("/readyz").send().await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_that_is_down_is_answered_with_503() {
    let mut stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let users = stack.users(3).await;
    let document = Document::of(stack.http()).await;
    stack.postgres.stop_immediately();
    for user in &users {
        let body = serde_json::json!({ "product_id": sale.product_id });
        let reply = stack.http().post("/orders").bearer(&user.token).json(&body).send().await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        let after: u64 = reply.header("retry-after").expect("Retry-After").parse().expect("seconds");
        assert!(after >= 1);
        document.expect_example_of("place_order", &reply);
        let reply = stack.http().get("/orders").bearer(&user.token).send().await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        document.expect_example_of("find_order", &reply);
    }
    stack.postgres.start_again();
    let history = Crowd::new(&stack, &sale, &users).keep_trying_for(Duration::from_secs(15)).rush().await;
    assert_eq!(history.promised().len(), 3, "{:#?}", history.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_prometheus_text() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let users = stack.users(1).await;
    Crowd::new(&stack, &sale, &users).rush().await;
    let reply = stack.http().get("/metrics").send().await.expect(200);
    assert!(reply.header("content-type").unwrap_or_default().starts_with("text/plain"), "{reply:?}");
    let text = reply.text();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "no value at the end of {line:?}");
    }
    assert!(text.contains("flashsale_"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_and_its_reader_are_served() {
    let stack = Stack::start().await;
    let document = stack.http().get("/openapi.json").send().await.expect(200).value();
    assert!(document["openapi"].as_str().unwrap_or_default().starts_with("3.1"), "{}", document["openapi"]);
    let docs = stack.http().get("/docs").send().await;
    assert!([200, 301, 302, 303, 307, 308].contains(&docs.status), "{}", docs.status);
    let page = stack.http().get("/docs/").send().await.expect(200);
    assert!(page.text().contains("<html"), "{}", page.text());
    assert!(!page.text().contains("https://"), "the reader loads nothing from another host");
    stack.http().get("/").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_nowhere_is_a_problem_too() {
    let stack = Stack::start().await;
    for path in ["/nowhere", "/orders/", "/sales/x/y", "/users/session/x"] {
        let reply = stack.http().get(path).send().await.expect(404);
        assert!(reply.value()["code"].is_string(), "{path}: {}", reply.text());
    }
    let reply = stack.http().request("PUT", "/orders").send().await.expect(405);
    assert!(reply.value()["code"].is_string(), "{}", reply.text());
    let allowed = reply.header("allow").expect("Allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}
