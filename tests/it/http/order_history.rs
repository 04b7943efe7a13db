//! GET /orders/history: all orders of the caller.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Parts, Reply, Stack, User};

async fn history(stack: &Stack, user: &User) -> Vec<Value> {
    let reply = stack.http().get("/orders/history").bearer(&user.token).send().await.expect(200).value();
    reply["orders"].as_array().expect("orders").clone()
}

async fn buy(stack: &Stack, user: &User, product_id: uuid::Uuid) -> Reply {
    stack.http().post("/orders").bearer(&user.token).json(&json!({ "product_id": product_id })).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_of_the_caller_is_listed_newest_first() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let (first, second) = (stack.sale(1).await, stack.sale(5).await);
    let users = stack.users(2).await;
    assert!(history(&stack, &users[0]).await.is_empty());
    let lost = buy(&stack, &users[0], first.product_id).await.expect(200).value();
    let withdraw = json!({ "flash_sale_id": first.flash_sale_id, "quantity": 0 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&withdraw).send().await.expect(200);
    let won = buy(&stack, &users[0], second.product_id).await.expect(200).value();
    let pending = history(&stack, &users[0]).await;
    assert_eq!(pending.len(), 2);
    assert!(
        pending.iter().all(|order| order["status"] == "in_progress" && order["settled_at"].is_null()),
        "{pending:?}"
    );

    stack.start_worker();
    stack.wait_until_drained(Duration::from_secs(10)).await;
    let orders = history(&stack, &users[0]).await;
    let seen: Vec<[&Value; 5]> = orders
        .iter()
        .map(|order| ["order_id", "product_id", "flash_sale_id", "status", "reason"].map(|member| &order[member]))
        .collect();
    assert_eq!(
        json!(seen),
        json!([
            [won["order_id"], second.product_id, second.flash_sale_id, "success", null],
            [lost["order_id"], first.product_id, first.flash_sale_id, "failed", "sold_out"],
        ])
    );
    for order in &orders {
        assert!(order["name"].as_str().is_some_and(|name| name.starts_with("Thing")), "{order}");
        assert_eq!(order["price_in_cents"], 1999);
        let time = |member: &str| order[member].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert!(time("accepted_at") < time("settled_at"), "{order}");
    }
    assert!(history(&stack, &users[1]).await.is_empty(), "nobody sees the orders of others");
    stack.http().get("/orders/history").send().await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_bounded() {
    let stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let many = "insert into flashsale.orders
                    (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, failure_reason)
                select gen_random_uuid(), $1, $2, $3, now() + make_interval(secs => n), now() + interval '1 hour', 'failed',
                    'sold_out'
                from generate_series(1, 250) n";
    let database = stack.database().await;
    database.execute(many, &[&sale.product_id, &user.id, &sale.flash_sale_id]).await.unwrap();
    let orders = history(&stack, &user).await;
    assert_eq!(orders.len(), 200);
    let times: Vec<&str> = orders.iter().map(|order| order["accepted_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "newest first");
}
