//! POST /sales/end: a running sale ends now, by the database's clock, and what was accepted still settles.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Parts, Request, Stack, User, eventually};

const TOLD_WITHIN: Duration = Duration::from_secs(5);

fn end(stack: &Stack, user: &User, flash_sale_id: Uuid) -> Request {
    let body = json!({ "flash_sale_id": flash_sale_id });
    stack.http().post("/sales/end").bearer(&user.token).json(&body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_that_is_ended_sells_no_more_and_settles_what_it_accepted() {
    let mut stack = Stack::with(Parts { apis: 2, workers: 0, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let users = stack.users(3).await;
    let body = json!({ "product_id": sale.product_id });
    stack.http().post("/orders").bearer(&users[0].token).json(&body).send().await.expect(200);

    let before = Utc::now();
    let ended = end(&stack, &administrator, sale.flash_sale_id).send().await.expect(200).value();
    assert_eq!((&ended["status"], &ended["flash_sale_id"]), (&json!("ended"), &json!(sale.flash_sale_id)));
    let end_date: DateTime<Utc> = ended["end_date"].as_str().unwrap().parse().unwrap();
    assert!((end_date - before).abs() < TimeDelta::seconds(5), "ended at {end_date}, asked at {before}");
    for api in &stack.apis {
        eventually("every API process refuses", TOLD_WITHIN, async || {
            let reply = api.http.post("/orders").bearer(&users[1].token).json(&body).send().await;
            if reply.text().contains("sale_ended") { Ok(()) } else { Err(reply.text()) }
        })
        .await;
    }
    stack.start_worker();
    stack.wait_until_drained(Duration::from_secs(10)).await;
    let order = stack.http().get("/orders").bearer(&users[0].token).send().await.expect(200).value();
    assert_eq!(order["status"], "success", "{order}");
    end(&stack, &administrator, sale.flash_sale_id).send().await.problem(409, "sale_not_active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_running_sale_is_ended_and_only_by_an_administrator() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let user = stack.user().await;
    let now = Utc::now();
    let hours = TimeDelta::hours;
    let running = stack.sale(5).await.flash_sale_id;
    let upcoming = stack.sale_between(1, now + hours(1), now + hours(2)).await.flash_sale_id;
    let over = stack.sale_between(1, now - hours(2), now - hours(1)).await.flash_sale_id;
    for sale in [upcoming, over] {
        end(&stack, &administrator, sale).send().await.problem(409, "sale_not_active");
    }
    end(&stack, &administrator, Uuid::new_v4()).send().await.problem(404, "sale_not_found");
    end(&stack, &user, running).send().await.problem(403, "forbidden");
    let body = json!({ "flash_sale_id": running });
    stack.http().post("/sales/end").json(&body).send().await.problem(401, "unauthorized");
    for wrong in [json!({}), json!({ "flash_sale_id": "x" }), json!({ "flash_sale_id": running, "end_date": now })] {
        let request = stack.http().post("/sales/end").bearer(&administrator.token).json(&wrong);
        request.send().await.problem(400, "invalid_request");
    }
    let active = "select count(*) from flashsale.flash_sales where start_date <= now() and now() < end_date";
    assert_eq!(stack.database().await.query_one(active, &[]).await.unwrap().get::<_, i64>(0), 1, "nothing was ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_key_ends_once() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let keyed = || end(&stack, &administrator, sale.flash_sale_id).header("idempotency-key", "k");
    let first = keyed().send().await.expect(200).text();
    let again = keyed().send().await.expect(200);
    assert_eq!((again.text(), again.header("idempotency-replayed")), (first, Some("true")));
}
