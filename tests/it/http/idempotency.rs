//! Idempotency-Key on every POST: same key and body, the first answer again; another body, 422; still running, 409.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::document::Document;
use crate::harness::{Request, Sale, Stack, User, eventually};

fn buy(stack: &Stack, user: &User, sale: &Sale, key: &str) -> Request {
    let body = json!({ "product_id": sale.product_id });
    stack.http().post("/orders").bearer(&user.token).header("idempotency-key", key).json(&body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_key_and_body_get_the_first_answer_again() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let users = stack.users(2).await;
    let first = buy(&stack, &users[0], &sale, "a").send().await.expect(200);
    stack.wait_until_drained(Duration::from_secs(10)).await;
    let again = buy(&stack, &users[0], &sale, "a").send().await.expect(200);
    assert_eq!(again.text(), first.text(), "the first answer, although the order has succeeded since");
    assert_eq!(again.header("content-type"), first.header("content-type"));
    buy(&stack, &users[0], &sale, "b").send().await.problem(400, "already_purchased");
    let other = buy(&stack, &users[1], &sale, "a").send().await.expect(200).value();
    assert_ne!(other["order_id"], first.value()["order_id"], "keys are the caller's own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_is_the_first_answer_too() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(0).await;
    let user = stack.user().await;
    let first = buy(&stack, &user, &sale, "a").send().await;
    assert_eq!(first.value()["code"], "sold_out");
    let change = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 5 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&change).send().await.expect(200);
    eventually("another key buys", Duration::from_secs(5), async || {
        let reply = buy(&stack, &user, &sale, &Uuid::new_v4().to_string()).send().await;
        if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    buy(&stack, &user, &sale, "a").send().await.problem(400, "sold_out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_body_is_refused() {
    let stack = Stack::start().await;
    let (sale, other) = (stack.sale(5).await, stack.sale(5).await);
    let user = stack.user().await;
    buy(&stack, &user, &sale, "a").send().await.expect(200);
    buy(&stack, &user, &other, "a").send().await.expect(422);
    let orders: i64 =
        stack.database().await.query_one("select count(*) from flashsale.orders", &[]).await.unwrap().get(0);
    assert_eq!(orders, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_that_is_still_running_is_refused() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let locker = stack.database().await;
    locker.batch_execute("begin; lock table flashsale.orders in share mode").await.unwrap();
    let first = buy(&stack, &user, &sale, "a");
    let running = tokio::spawn(async move { first.send().await });
    let database = stack.database().await;
    eventually("the first request waits", Duration::from_secs(5), async || {
        let waiting =
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%place_orders%'";
        let waiting: i64 = database.query_one(waiting, &[]).await.map_err(|error| error.to_string())?.get(0);
        if waiting > 0 { Ok(()) } else { Err("nobody waits".to_owned()) }
    })
    .await;
    let refused = buy(&stack, &user, &sale, "a").send().await.expect(409);
    Document::of(stack.http()).await.expect_example_of("place_order", &refused);
    locker.batch_execute("rollback").await.unwrap();
    let first = running.await.unwrap().expect(200);
    assert_eq!(buy(&stack, &user, &sale, "a").send().await.expect(200).text(), first.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_key_many_times_in_parallel_makes_one_order() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let requests = (0..30).map(|_| buy(&stack, &user, &sale, "a"));
    let replies = futures_util::future::join_all(requests.map(|request| async move { request.send().await })).await;
    let orders: std::collections::HashSet<String> =
        replies.iter().filter(|reply| reply.status == 200).map(|reply| reply.value()["order_id"].to_string()).collect();
    assert_eq!(orders.len(), 1);
    for reply in replies {
        assert!([200, 409].contains(&reply.status), "{} {}", reply.status, reply.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_works_on_every_post() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let now = chrono::Utc::now();
    let body = json!({
        "name": "Lamp", "price_in_cents": 1, "quantity": 1, "start_date": now,
        "end_date": now + chrono::TimeDelta::hours(1),
    });
    let keyed = |path: &str, body: &Value| {
        stack.http().post(path).bearer(&administrator.token).header("idempotency-key", "k").json(body)
    };
    let first = keyed("/sales", &body).send().await.expect(201).value();
    let again = keyed("/sales", &body).send().await.expect(201).value();
    assert_eq!(first, again);
    let sales: i64 =
        stack.database().await.query_one("select count(*) from flashsale.flash_sales", &[]).await.unwrap().get(0);
    assert_eq!(sales, 1, "one sale, though it was posted twice");

    let user = json!({ "email": "keyed@example.com", "password": "long enough a password" });
    let sign_up = async || stack.http().post("/users").header("idempotency-key", "k").json(&user).send().await;
    let first = sign_up().await.expect(201).text();
    assert_eq!(sign_up().await.expect(201).text(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_that_is_none_is_refused() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    for key in ["", &"x".repeat(256), &"x".repeat(5000)] {
        let reply = buy(&stack, &user, &sale, key).send().await;
        assert_eq!(reply.status, 400, "a key of {} bytes: {}", key.len(), reply.text());
    }
    buy(&stack, &user, &sale, &"x".repeat(255)).send().await.expect(200);
}
