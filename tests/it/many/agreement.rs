//! What one process learns all know within a second: stock, outcome, the end of the stock, the end of a session, limits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::four_and_four;
use crate::harness::books::purchases_the_database_was_asked;
use crate::harness::{Http, Parts, Sale, Stack, User, alone, eventually};

const SOON: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_and_outcome_are_known_by_all_within_a_second() {
    let _alone = alone().await;
    let stack = Stack::with(four_and_four()).await;
    let sale = stack.sale(50).await;
    for (number, buyer) in stack.users(8).await.iter().enumerate() {
        let bought_at = stack.apis[number % 4].http;
        let order = buy(bought_at, &sale, buyer).await.expect(200).value();
        let left = json!(50 - number - 1);
        by_all(&stack, "the stock", async |http| {
            let shown = http.get(&format!("/sales/{}", sale.flash_sale_id)).send().await.expect(200).value();
            same(&shown["remaining_stock"], &left)
        })
        .await;
        by_all(&stack, "the outcome", async |http| {
            let found = http.get("/orders").bearer(&buyer.token).send().await.expect(200).value();
            assert_eq!(found["order_id"], order["order_id"]);
            same(&found["status"], &json!("success"))
        })
        .await;
        for api in &stack.apis {
            buy(api.http, &sale, buyer).await.problem(400, "already_purchased");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sold_out_is_answered_by_all_from_memory_within_a_second() {
    let _alone = alone().await;
    let stack = Stack::with(four_and_four()).await;
    let sale = stack.sale(1).await;
    let users = stack.users(80).await;
    buy(stack.http(), &sale, &users[0]).await.expect(200);
    stack.wait_until_drained(SOON).await;
    // The latch closes at the first who asks: nobody's purchase is put to the database from then on.
    for (number, user) in users[1..40].iter().enumerate() {
        buy(stack.apis[number % 4].http, &sale, user).await.problem(400, "sold_out");
    }
    let asked = purchases_the_database_was_asked(&stack).await;
    for (number, user) in users[40..].iter().enumerate() {
        buy(stack.apis[number % 4].http, &sale, user).await.problem(400, "sold_out");
    }
    assert_eq!(purchases_the_database_was_asked(&stack).await, asked, "purchases put to the database after the end");
    let administrator = stack.administrator().await;
    let body = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 5 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&body).send().await.expect(200);
    let raised = Instant::now();
    for (number, api) in stack.apis.iter().enumerate() {
        let patient = |number: usize| &users[1 + number];
        eventually("the latch opens again", SOON, async || match buy(api.http, &sale, patient(number)).await.status {
            200 => Ok(()),
            status => Err(status),
        })
        .await;
    }
    eprintln!("units that were put back were sold by all after {:?}", raised.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_out_is_known_by_all_within_a_second() {
    let _alone = alone().await;
    let stack = Stack::with(four_and_four()).await;
    for number in 0..4 {
        let user = stack.user().await;
        for api in &stack.apis {
            api.http.get("/orders").bearer(&user.token).send().await.expect(404);
        }
        stack.apis[number].http.delete("/users/session").bearer(&user.token).send().await.expect(204);
        by_all(&stack, "the end of the session", async |http| {
            let status = http.get("/orders").bearer(&user.token).send().await.status;
            same(&json!(status), &json!(401))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_what_all_have_let_through() {
    let _alone = alone().await;
    let environment = vec![("RATE_LIMITS".to_owned(), "on".to_owned())];
    let stack = Stack::with(Parts { environment, ..four_and_four() }).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let started = Instant::now();
    let mut taken = 0;
    for number in 0..80 {
        taken += u32::from(buy(stack.apis[number % 4].http, &sale, &user).await.status != 429);
    }
    // 20 at once and 5 a second: the promise is of all processes together, not of each.
    let earned = 20 + u32::try_from(started.elapsed().as_millis() / 200).unwrap() + 1;
    assert!((15..=earned).contains(&taken), "{taken} taken by four processes, {earned} allowed in this time");
}

async fn buy(http: Http, sale: &Sale, user: &User) -> crate::harness::Reply {
    http.post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id })).send().await
}

/// Until every API process has answered so, a second for all of them.
pub async fn by_all(stack: &Stack, what: &str, probe: impl AsyncFn(Http) -> Result<(), String>) {
    let deadline = Instant::now() + SOON;
    for api in &stack.apis {
        let left = deadline.saturating_duration_since(Instant::now());
        eventually(&format!("{what} is known by {}", api.process.name), left, async || probe(api.http).await).await;
    }
}

fn same(found: &Value, wanted: &Value) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{found} instead of {wanted}")) }
}
