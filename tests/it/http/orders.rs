//! POST /orders and GET /orders: every answer the contract names.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::history::Answer;
use crate::harness::users::stranger;
use crate::harness::{Crowd, Http, Parts, Reply, Sale, Stack, User, eventually};

const SETTLED_WITHIN: Duration = Duration::from_secs(10);

async fn buy(http: Http, user: &User, sale: &Sale) -> Reply {
    http.post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id })).send().await
}

async fn buy_and_wait(http: Http, user: &User, sale: &Sale, seconds: u32) -> Reply {
    let body = json!({ "product_id": sale.product_id });
    let request = http.post("/orders").bearer(&user.token).header("prefer", &format!("wait={seconds}"));
    request.json(&body).send().await
}

async fn order_of(http: Http, user: &User, sale: &Sale) -> Reply {
    http.get(&format!("/orders?product_id={}", sale.product_id)).bearer(&user.token).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchase_goes_from_in_progress_to_success() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    order_of(stack.http(), &user, &sale).await.problem(404, "order_not_found");
    let placed = buy(stack.http(), &user, &sale).await.expect(200).value();
    let expected = json!({
        "order_id": placed["order_id"], "user_id": user.id, "product_id": sale.product_id, "status": "in_progress",
    });
    assert_eq!(placed, expected);
    assert!(Uuid::parse_str(placed["order_id"].as_str().unwrap()).is_ok());
    assert_eq!(buy(stack.http(), &user, &sale).await.expect(200).value(), placed, "asking again answers the same");
    assert_eq!(order_of(stack.http(), &user, &sale).await.expect(200).value(), placed);

    stack.start_worker();
    let settled = eventually("the order succeeds", SETTLED_WITHIN, async || {
        let order = order_of(stack.http(), &user, &sale).await.expect(200).value();
        if order["status"] == "success" { Ok(order) } else { Err(order) }
    })
    .await;
    assert_eq!(settled["order_id"], placed["order_id"]);
    let newest = stack.http().get("/orders").bearer(&user.token).send().await.expect(200).value();
    assert_eq!(newest, settled, "without product_id the newest order is answered");
    let problem = buy(stack.http(), &user, &sale).await.problem(400, "already_purchased");
    assert_eq!(problem["error"], "Already purchased");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_bought_in_time_is_told_so_after_the_end() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let (sale, administrator) = (stack.sale(5).await, stack.administrator().await);
    let users = stack.users(2).await;
    let placed = buy(stack.http(), &users[0], &sale).await.expect(200).value();
    let end = json!({ "flash_sale_id": sale.flash_sale_id });
    stack.http().post("/sales/end").bearer(&administrator.token).json(&end).send().await.expect(200);
    buy(stack.http(), &users[1], &sale).await.problem(400, "sale_ended");
    assert_eq!(buy(stack.http(), &users[0], &sale).await.expect(200).value(), placed);
    stack.start_worker();
    stack.wait_until_drained(SETTLED_WITHIN).await;
    buy(stack.http(), &users[0], &sale).await.problem(400, "already_purchased");
    buy(stack.http(), &users[1], &sale).await.problem(400, "sale_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcome_is_asked_for_when_its_notification_is_lost() {
    let stack = Stack::start().await;
    let (sale, user) = (stack.sale(5).await, stack.user().await);
    let lose = "create or replace function flashsale.notify_outcomes(p_orders flashsale.orders[]) returns void
                language sql as 'select'";
    stack.database().await.batch_execute(lose).await.unwrap();
    let bought = buy_and_wait(stack.http(), &user, &sale, 10).await.expect(200).value();
    assert_eq!(bought["status"], "success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_order_is_answered_without_a_product() {
    let stack = Stack::start().await;
    let (first, second) = (stack.sale(5).await, stack.sale(5).await);
    let user = stack.user().await;
    for sale in [&first, &second] {
        buy_and_wait(stack.http(), &user, sale, 10).await.expect(200);
    }
    let newest = stack.http().get("/orders").bearer(&user.token).send().await.expect(200).value();
    assert_eq!(newest["product_id"], second.product_id.to_string());
    let of_first = order_of(stack.http(), &user, &first).await.expect(200).value();
    assert_eq!(of_first["product_id"], first.product_id.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchase_that_waits_hears_the_outcome() {
    for redis in [false, true] {
        // The worker is another process, and the second API is not the one that was asked last.
        let stack = Stack::with(Parts { redis, apis: 2, ..Parts::default() }).await;
        let sale = stack.sale(2).await;
        let users = stack.users(3).await;
        for (user, api) in users.iter().zip(&stack.apis) {
            let asked_at = Instant::now();
            let order = buy_and_wait(api.http, user, &sale, 10).await.expect(200).value();
            assert_eq!(order["status"], "success", "{order}");
            assert!(asked_at.elapsed() < Duration::from_secs(3), "an outcome takes {:?}", asked_at.elapsed());
        }
        let problem = buy_and_wait(stack.http(), &users[2], &sale, 10).await.problem(400, "sold_out");
        assert_eq!(problem["error"], "Product sold out");
        buy_and_wait(stack.http(), &users[0], &sale, 10).await.problem(400, "already_purchased");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchase_that_waits_in_vain_is_in_progress() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let asked_at = Instant::now();
    let order = buy_and_wait(stack.http(), &user, &sale, 1).await.expect(200).value();
    assert_eq!(order["status"], "in_progress");
    let took = asked_at.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&took), "waited {took:?}");
    for prefer in ["wait=x", "wait=-1", "wait=99999999999999999999", "respond-async", "wait", ";;;,,="] {
        let body = json!({ "product_id": sale.product_id });
        let request = stack.http().post("/orders").bearer(&user.token).header("prefer", prefer).json(&body);
        let reply = tokio::time::timeout(Duration::from_secs(15), request.send()).await.expect("a bounded wait");
        assert!([200, 400].contains(&reply.status), "prefer: {prefer}: {} {}", reply.status, reply.text());
    }
    // An outcome that comes while somebody waits who asked a second time.
    let waiting = buy_and_wait(stack.http(), &user, &sale, 10);
    stack.start_worker();
    assert_eq!(waiting.await.expect(200).value()["status"], "success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_their_sentences() {
    let stack = Stack::start().await;
    let sale = stack.sale(1).await;
    let users = stack.users(2).await;
    buy_and_wait(stack.http(), &users[0], &sale, 10).await.expect(200);
    assert_eq!(buy(stack.http(), &users[1], &sale).await.problem(400, "sold_out")["error"], "Product sold out");
    let now = chrono::Utc::now();
    let hours = chrono::TimeDelta::hours;
    let upcoming = stack.sale_between(1, now + hours(1), now + hours(2)).await;
    let refused = buy(stack.http(), &users[1], &upcoming).await.problem(400, "sale_not_started");
    assert_eq!(refused["error"], "Sale has not started");
    let ended = stack.sale_between(1, now - hours(2), now - hours(1)).await;
    assert_eq!(buy(stack.http(), &users[1], &ended).await.problem(400, "sale_ended")["error"], "Sale ended");
    let nothing = Sale { product_id: Uuid::new_v4(), ..sale };
    buy(stack.http(), &users[1], &nothing).await.problem(404, "product_not_found");
    order_of(stack.http(), &users[1], &sale).await.problem(404, "order_not_found");
    let body = json!({ "product_id": sale.product_id });
    stack.http().post("/orders").json(&body).send().await.expect(401);
    stack.http().get("/orders").send().await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_of_a_user_who_does_not_exist_buys_nothing() {
    let stack = Stack::start().await;
    let sale = stack.sale(1).await;
    let reply = buy(stack.http(), &stranger(), &sale).await;
    assert_eq!(reply.status, 401, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_that_fails_says_why_and_may_be_tried_again() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(2).await;
    let users = stack.users(2).await;
    for user in &users {
        buy(stack.http(), user, &sale).await.expect(200);
    }
    let withdraw = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 1 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&withdraw).send().await.expect(200);
    stack.start_worker();
    stack.wait_until_drained(SETTLED_WITHIN).await;
    let mut statuses = Vec::new();
    let mut loser = None;
    for user in &users {
        let order = order_of(stack.http(), user, &sale).await.expect(200).value();
        if order["message"] == "Failed to purchase" {
            assert_eq!(order["reason"], "sold_out");
            assert_eq!(order["product_id"], sale.product_id.to_string());
            assert!(order["order_id"].is_string(), "{order}");
            loser = Some((user.clone(), order["order_id"].clone()));
        }
        statuses.push(order["status"].as_str().unwrap_or("failed").to_owned());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, ["failed", "success"]);
    let (user, failed_id) = loser.unwrap();
    buy(stack.http(), &user, &sale).await.problem(400, "sold_out");

    let change = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 2 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&change).send().await.expect(200);
    let order = eventually("the loser buys the new unit", SETTLED_WITHIN, async || {
        let reply = buy_and_wait(stack.http(), &user, &sale, 5).await;
        if reply.status == 200 { Ok(reply.value()) } else { Err(reply.text()) }
    })
    .await;
    assert_eq!(order["status"], "success");
    assert_ne!(order["order_id"], failed_id, "a new try is a new order");
    let shown = order_of(stack.http(), &user, &sale).await.expect(200).value();
    assert_eq!((&shown["status"], &shown["order_id"]), (&json!("success"), &order["order_id"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_user_many_times_in_parallel_gets_one_order() {
    let stack = Stack::with(Parts { redis: true, apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(50).await;
    let user = stack.user().await;
    let mut crowd = Crowd::new(&stack, &sale, &vec![user; 100]);
    crowd.connections = 100;
    let history = crowd.rush().await;
    history.expect_definite_answers();
    assert_eq!(history.promised().len(), 1, "{:#?}", history.summary());
    let refused_otherwise = history.count(|answer| match answer {
        Answer::Refused { code, .. } => code != "already_purchased",
        _ => false,
    });
    assert_eq!(refused_otherwise, 0, "{:#?}", history.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn product_of_two_sales_is_bought_once() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    buy_and_wait(stack.http(), &user, &sale, 10).await.expect(200);
    let now = chrono::Utc::now();
    let end = json!({ "flash_sale_id": sale.flash_sale_id, "end_date": now });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&end).send().await.expect(200);
    let next: Value = json!({
        "product_id": sale.product_id, "quantity": 5, "start_date": now, "end_date": now + chrono::TimeDelta::hours(1),
    });
    stack.http().post("/sales").bearer(&administrator.token).json(&next).send().await.expect(201);
    eventually("the second sale refuses who bought in the first", SETTLED_WITHIN, async || {
        let reply = buy(stack.http(), &user, &sale).await;
        if reply.text().contains("already_purchased") { Ok(()) } else { Err(reply.text()) }
    })
    .await;
}
