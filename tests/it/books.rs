//! The books: 10,000 users press the button for 500 units, everybody at once and each twice in parallel. Exactly 500
//! orders of 500 users, every request a definite answer, the queue empty, the gate balanced.

use std::time::Duration;

use crate::harness::history::{Answer, History};
use crate::harness::{Books, Crowd, Monitor, Parts, Sale, Stack, alone};

const USERS: usize = 10_000;
const UNITS: i64 = 500;
const SOLD_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_with_redis() {
    sell_out(Parts { redis: true, ..Parts::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_without_redis() {
    sell_out(Parts::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_with_two_apis_and_two_workers() {
    sell_out(Parts { redis: true, apis: 2, workers: 2, ..Parts::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_with_two_apis_and_two_workers_without_redis() {
    sell_out(Parts { apis: 2, workers: 2, ..Parts::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_with_redis_killed_and_started_empty_half_way() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { redis: true, ..Parts::default() }).await;
    let sale = stack.sale(UNITS).await;
    let users = stack.users(USERS).await;
    let monitor = Monitor::start(&stack);

    let rush = Crowd::new(&stack, &sale, &users).twice_in_parallel().keep_trying_for(SOLD_WITHIN).start();
    wait_until_half_is_taken(&stack, &sale).await;
    stack.redis_mut().kill();
    rush.wait_for_share(0.5).await;
    stack.redis_mut().start_again().await;
    let mut history = rush.finish().await;

    assert_eq!(history.count(Answer::is_unknown), 0, "the API answers without Redis: {:#?}", history.summary());
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
}

async fn sell_out(parts: Parts) {
    let _alone = alone().await;
    let stack = Stack::with(parts).await;
    let sale = stack.sale(UNITS).await;
    let users = stack.users(USERS).await;
    let monitor = Monitor::start(&stack);
    let history = Crowd::new(&stack, &sale, &users).twice_in_parallel().rush().await;
    monitor.finish().await;

    history.expect_definite_answers();
    expect_only_purchase_answers(&history);
    assert_eq!(history.attempts.len(), 2 * USERS);
    Books::new(&stack, &sale, &history).check().await;
}

/// In a sale that is open all the time a user hears one of three things.
fn expect_only_purchase_answers(history: &History) {
    let other = history.count(|answer| match answer {
        Answer::Ok { .. } => false,
        Answer::Refused { code, .. } => code != "sold_out" && code != "already_purchased",
        Answer::Unknown(_) => true,
    });
    assert_eq!(other, 0, "{:#?}", history.summary());
}

async fn wait_until_half_is_taken(stack: &Stack, sale: &Sale) {
    let database = stack.database().await;
    crate::harness::eventually("half of the units are taken", Duration::from_secs(20), async || {
        let taken: i64 = database
            .query_one(
                "select count(*) from flashsale.orders where flash_sale_id = $1 and status <> 'failed'",
                &[&sale.flash_sale_id],
            )
            .await
            .map_err(|error| error.to_string())?
            .get(0);
        if taken >= sale.quantity / 2 { Ok(()) } else { Err(format!("{taken} taken")) }
    })
    .await;
}
