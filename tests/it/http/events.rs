//! GET /sales/events and GET /orders/events: what changes is told to whoever listens, whichever process changed it.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Connection, Parts, Request, Stack};

const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// An open stream and what came through it.
pub struct Stream {
    connection: Connection,
    text: String,
}

impl Stream {
    pub async fn open(address: std::net::SocketAddr, request: &Request) -> Self {
        let mut connection = Connection::open(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut connection.stream, &request.bytes()).await.unwrap();
        let head = connection.read_head().await.unwrap().expect(200);
        let kind = head.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { connection, text: String::new() }
    }

    /// Reads on until all of these are in one event.
    pub async fn wait_for(&mut self, wanted: &[&str]) {
        let read = async {
            loop {
                let found = self.text.split("\n\n").any(|event| wanted.iter().all(|part| event.contains(part)));
                if found {
                    return;
                }
                let chunk = self.connection.read_chunk().await.unwrap();
                assert!(!chunk.is_empty(), "the stream ended; it said {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let in_time = tokio::time::timeout(TOLD_WITHIN, read).await.is_ok();
        assert!(in_time, "no event with {wanted:?} within {TOLD_WITHIN:?}; the stream said {}", self.text);
    }

    /// Reads on until the stream ends.
    pub async fn wait_for_end(&mut self, within: Duration) {
        let read = async { while !self.connection.read_chunk().await.unwrap_or_default().is_empty() {} };
        assert!(tokio::time::timeout(within, read).await.is_ok(), "the stream goes on after {within:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_is_told_by_every_api() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let id = sale.flash_sale_id.to_string();
    let mut streams = Vec::new();
    for api in &stack.apis {
        let mut stream = Stream::open(api.http.address, &api.http.get("/sales/events")).await;
        stream.wait_for(&[&id, "\"remaining_stock\":5"]).await;
        streams.push(stream);
    }
    let body = json!({ "product_id": sale.product_id });
    stack.http().post("/orders").bearer(&user.token).json(&body).send().await.expect(200);
    for stream in &mut streams {
        stream.wait_for(&[&id, "\"remaining_stock\":4"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcome_is_told_to_its_user_alone() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let users = stack.users(2).await;
    stack.http().get("/orders/events").send().await.expect(401);
    let http = stack.apis[1].http;
    let mut own = Stream::open(http.address, &http.get("/orders/events").bearer(&users[0].token)).await;
    let mut other = Stream::open(http.address, &http.get("/orders/events").bearer(&users[1].token)).await;
    let body = json!({ "product_id": sale.product_id });
    let order = stack.http().post("/orders").bearer(&users[0].token).json(&body).send().await.expect(200).value();
    own.wait_for(&[order["order_id"].as_str().unwrap(), "success"]).await;

    let second = stack.http().post("/orders").bearer(&users[1].token).json(&body).send().await.expect(200).value();
    other.wait_for(&[second["order_id"].as_str().unwrap(), "success"]).await;
    assert!(!other.text.contains(order["order_id"].as_str().unwrap()), "a stranger's order: {}", other.text);
}

/// With servers behind a router (deploy/sharding) an API hears each of them, and not the router; one that cannot be reached
/// keeps it from none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcome_is_heard_where_the_api_is_told_to_listen() {
    let mut stack = Stack::with(Parts { apis: 0, ..Parts::default() }).await;
    let elsewhere = stack.postgres.create_database("elsewhere").await;
    let everywhere = format!("postgres://nobody@127.0.0.1:1/none,{elsewhere},{}", stack.postgres.url());
    for urls in [&everywhere, &elsewhere] {
        stack.set_environment("DATABASE_LISTEN_URLS", urls);
        stack.start_api().wait_until_ready().await;
    }
    let (sale, user) = (stack.sale(5).await, stack.user().await);
    let [hears, does_not] = [0, 1].map(|api| stack.apis[api].http);
    let mut told = Stream::open(hears.address, &hears.get("/orders/events").bearer(&user.token)).await;
    let mut untold = Stream::open(does_not.address, &does_not.get("/orders/events").bearer(&user.token)).await;
    let body = json!({ "product_id": sale.product_id });
    let order = hears.post("/orders").bearer(&user.token).json(&body).send().await.expect(200).value();
    let order_id = order["order_id"].as_str().unwrap();
    told.wait_for(&[order_id, "success"]).await;
    let heard = tokio::time::timeout(Duration::from_secs(1), untold.wait_for(&[order_id])).await;
    assert!(heard.is_err(), "it listens only where nothing happens: {}", untold.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_tells_the_stock_and_ones_own_outcomes() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let users = stack.users(2).await;
    let http = stack.apis[1].http;
    http.get("/sales/events?orders=true").send().await.problem(401, "unauthorized");
    http.get("/sales/events?orders=maybe").send().await.problem(400, "invalid_request");
    let mut own = Stream::open(http.address, &http.get("/sales/events?orders=true").bearer(&users[0].token)).await;
    let mut plain = Stream::open(http.address, &http.get("/sales/events?orders=false")).await;
    let id = sale.flash_sale_id.to_string();
    own.wait_for(&["event: sales", &id, "\"remaining_stock\":5"]).await;
    let body = json!({ "product_id": sale.product_id });
    let mut orders = Vec::new();
    for user in &users {
        let order = stack.http().post("/orders").bearer(&user.token).json(&body).send().await.expect(200).value();
        orders.push(order["order_id"].as_str().unwrap().to_owned());
    }
    own.wait_for(&["event: order", &orders[0], "success"]).await;
    for stream in [&mut own, &mut plain] {
        stream.wait_for(&["event: sales", &id, "\"remaining_stock\":3"]).await;
    }
    assert!(!own.text.contains(&orders[1]), "a stranger's order: {}", own.text);
    assert!(!plain.text.contains("event: order"), "orders without being asked for: {}", plain.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_with_orders_ends_when_outcomes_may_have_been_missed() {
    let mut stack = Stack::start().await;
    let user = stack.user().await;
    let http = stack.http();
    let mut stream = Stream::open(http.address, &http.get("/sales/events?orders=true").bearer(&user.token)).await;
    stack.postgres.stop_immediately();
    stack.postgres.start_again();
    let ended = async { while stream.connection.read_chunk().await.is_ok_and(|chunk| !chunk.is_empty()) {} };
    tokio::time::timeout(TOLD_WITHIN * 2, ended).await.expect("the stream ends after an outage of the database");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_stream_does_not_hold_up_the_stop() {
    let mut stack = Stack::start().await;
    let http = stack.http();
    let mut stream = Stream::open(http.address, &http.get("/sales/events")).await;
    stack.apis[0].process.signal(nix::sys::signal::Signal::SIGTERM);
    let status = stack.apis[0].process.wait_for_exit(Duration::from_secs(5)).await;
    assert!(status.success(), "{status}");
    while stream.connection.read_chunk().await.is_ok_and(|chunk| !chunk.is_empty()) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_begins_with_the_time_of_now_however_old_the_last_change_is() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let http = stack.http();
    let board_time = async || {
        let time = http.get("/sales").send().await.expect(200).value()["server_time"].as_str().unwrap().to_owned();
        time.parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    let changed_at = board_time().await;
    crate::harness::eventually("the last change is a while ago", TOLD_WITHIN, async || {
        let now = board_time().await;
        if now - changed_at > chrono::TimeDelta::seconds(2) { Ok(()) } else { Err(now) }
    })
    .await;
    let mut stream = Stream::open(http.address, &http.get("/sales/events")).await;
    stream.wait_for(&[&sale.flash_sale_id.to_string()]).await;
    let said = stream.text.split_once("\"server_time\":\"").unwrap().1.split_once('"').unwrap().0;
    let age = board_time().await - said.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(age < chrono::TimeDelta::seconds(1), "the stream began with a time of {age} ago");
}
