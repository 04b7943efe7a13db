//! Processes and servers that die under load. Every 200 reaches an outcome, nothing is sold twice, nothing stays unsold.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio_postgres::Client;

use crate::harness::history::Answer;
use crate::harness::proxy::{Network, Proxy, Trick, Victim};
use crate::harness::{Books, Connection, Crowd, History, Monitor, Parts, Sale, Stack, alone, eventually};

const KEEP_TRYING: Duration = Duration::from_secs(40);
const SOLD_WITHIN: Duration = Duration::from_secs(40);
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_killed_before_its_commit_loses_nothing() {
    let _alone = alone().await;
    let mut stack = Stack::start().await;
    let sale = stack.sale(60).await;
    let users = stack.users(60).await;
    let mut history = History::default();
    for batch in users.chunks(20) {
        let locker = lock_sale(&stack, &sale).await;
        history.extend(Crowd::new(&stack, &sale, batch).rush().await);
        wait_for_blocked_session(&stack, "settle_orders").await;
        stack.workers[0].kill();
        locker.batch_execute("rollback").await.unwrap();
        stack.workers[0].start_again();
    }
    history.expect_definite_answers();
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_again_and_again_under_load_lose_nothing() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { redis: true, workers: 2, ..Parts::default() }).await;
    let sale = stack.sale(8000).await;
    let users = stack.users(10_000).await;
    let monitor = Monitor::start(&stack);
    let rush = Crowd::new(&stack, &sale, &users).over(50).keep_trying_for(KEEP_TRYING).start();
    for tenth in 1..=9 {
        rush.wait_for_share(f64::from(tenth) / 10.0).await;
        stack.workers[tenth as usize % 2].kill_and_start_again();
    }
    let mut history = rush.finish().await;
    history.expect_definite_answers();
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_stopped_past_its_time_out_does_not_hold_the_sale() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { workers: 2, ..Parts::default() }).await;
    let sale = stack.sale(6000).await;
    let users = stack.users(6000).await;
    let monitor = Monitor::start(&stack);
    let rush = Crowd::new(&stack, &sale, &users).over(50).keep_trying_for(KEEP_TRYING).start();
    rush.wait_for_share(0.2).await;
    stack.workers[0].signal(Signal::SIGSTOP);
    let history = rush.finish().await;
    stack.wait_until_drained(Duration::from_secs(20)).await;
    stack.workers[0].signal(Signal::SIGCONT);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
    assert!(stack.workers[0].exited().is_none(), "a worker survives a pause");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_killed_with_requests_in_flight_with_redis() {
    api_killed_with_requests_in_flight(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_killed_with_requests_in_flight_without_redis() {
    api_killed_with_requests_in_flight(false).await;
}

async fn api_killed_with_requests_in_flight(redis: bool) {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { redis, apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(5000).await;
    let users = stack.users(8000).await;
    let monitor = Monitor::start(&stack);
    let rush = Crowd::new(&stack, &sale, &users).with_keys().over(60).keep_trying_for(KEEP_TRYING).start();
    for share in [0.15, 0.3, 0.45, 0.6] {
        rush.wait_for_share(share).await;
        stack.apis[0].process.kill_and_start_again();
    }
    let mut history = rush.finish().await;
    assert!(
        history.count(Answer::is_unknown) > 0,
        "no request was in flight when the API died: {:?}",
        history.summary()
    );
    stack.apis[0].wait_until_ready().await;
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_stopped_immediately_under_load_with_redis() {
    postgres_stopped_immediately_under_load(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_stopped_immediately_under_load_without_redis() {
    postgres_stopped_immediately_under_load(false).await;
}

async fn postgres_stopped_immediately_under_load(redis: bool) {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { redis, ..Parts::default() }).await;
    let sale = stack.sale(5000).await;
    let users = stack.users(8000).await;
    let monitor = Monitor::start(&stack);
    let rush = Crowd::new(&stack, &sale, &users).with_keys().over(60).keep_trying_for(KEEP_TRYING).start();
    for share in [0.2, 0.5] {
        rush.wait_for_share(share).await;
        stack.postgres.stop_immediately();
        stack.postgres.start_again();
    }
    let mut history = rush.finish().await;
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
    assert!(stack.apis[0].process.exited().is_none(), "the API survives a restart of PostgreSQL");
    assert!(stack.workers[0].exited().is_none(), "the worker survives a restart of PostgreSQL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_killed_under_load_lose_nothing() {
    let _alone = alone().await;
    let stack = Stack::with(Parts { redis: true, ..Parts::default() }).await;
    let sale = stack.sale(5000).await;
    let users = stack.users(6000).await;
    let monitor = Monitor::start(&stack);
    let database = stack.database().await;
    let rush = Crowd::new(&stack, &sale, &users).with_keys().over(50).keep_trying_for(KEEP_TRYING).start();
    for tenth in 1..=8 {
        rush.wait_for_share(f64::from(tenth) / 10.0).await;
        let terminate = "select pg_terminate_backend(pid) from pg_stat_activity
                         where pid <> pg_backend_pid() and query like '%flashsale.%' and application_name <> 'monitor'";
        database.execute(terminate, &[]).await.unwrap();
    }
    let mut history = rush.finish().await;
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_told_to_stop_finishes_what_it_accepted() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(100).await;
    let users = stack.users(20).await;
    let locker = lock_orders(&stack).await;
    let mut crowd = Crowd::new(&stack, &sale, &users);
    crowd.addresses.truncate(1);
    let rush = crowd.start();
    wait_for_blocked_session(&stack, "place_orders").await;
    stack.apis[0].process.signal(Signal::SIGTERM);
    wait_until_closed_to_newcomers(&stack).await;
    locker.batch_execute("rollback").await.unwrap();

    let history = rush.finish().await;
    assert_eq!(history.promised().len(), 20, "every accepted request is finished: {:#?}", history.summary());
    let status = stack.apis[0].process.wait_for_exit(SOON).await;
    assert!(status.success(), "a graceful stop ends with {status}");
    stack.apis.remove(0);
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_told_to_stop_under_load_loses_no_accepted_request() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { redis: true, apis: 2, ..Parts::default() }).await;
    let sale = stack.sale(1500).await;
    let users = stack.users(3000).await;
    let rush = Crowd::new(&stack, &sale, &users).over(200).start();
    rush.wait_for_share(0.3).await;
    stack.apis[0].process.signal(Signal::SIGTERM);
    let mut history = rush.finish().await;
    let status = stack.apis[0].process.wait_for_exit(Duration::from_secs(20)).await;
    assert!(status.success(), "a graceful stop ends with {status}");

    // A client can lose the race for an idle connection; then its request was not accepted and took nothing.
    let unanswered = history.users_with(Answer::is_unknown);
    let database = stack.database().await;
    let rows = database.query("select user_id, order_id from flashsale.orders", &[]).await.unwrap();
    for row in rows {
        let (user_id, order_id): (uuid::Uuid, uuid::Uuid) = (row.get(0), row.get(1));
        assert!(!unanswered.contains(&user_id), "order {order_id} was accepted and its request never answered");
    }
    stack.apis.remove(0);
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_signal_ends_the_api_at_once() {
    let _alone = alone().await;
    let mut stack = Stack::start().await;
    let sale = stack.sale(100).await;
    let users = stack.users(5).await;
    let locker = lock_orders(&stack).await;
    let rush = Crowd::new(&stack, &sale, &users).start();
    wait_for_blocked_session(&stack, "place_orders").await;
    let told_at = Instant::now();
    stack.apis[0].process.signal(Signal::SIGTERM);
    wait_until_closed_to_newcomers(&stack).await;
    assert!(stack.apis[0].process.exited().is_none(), "the API waits for the requests in flight");
    stack.apis[0].process.signal(Signal::SIGTERM);
    let status = stack.apis[0].process.wait_for_exit(Duration::from_secs(1)).await;
    assert!(!status.success(), "an end with requests in flight is no success");
    assert!(told_at.elapsed() < Duration::from_secs(3), "took {:?}", told_at.elapsed());
    locker.batch_execute("rollback").await.unwrap();
    rush.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_told_to_stop_finishes_its_batch() {
    let _alone = alone().await;
    let mut stack = Stack::start().await;
    let sale = stack.sale(100).await;
    let users = stack.users(30).await;
    let locker = lock_sale(&stack, &sale).await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    wait_for_blocked_session(&stack, "settle_orders").await;
    stack.workers[0].signal(Signal::SIGTERM);
    locker.batch_execute("rollback").await.unwrap();
    let status = stack.workers[0].wait_for_exit(SOON).await;
    assert!(status.success(), "a graceful stop ends with {status}");
    let settled: i64 = stack
        .database()
        .await
        .query_one("select count(*) from flashsale.orders where status = 'success'", &[])
        .await
        .unwrap()
        .get(0);
    assert!(settled > 0, "the batch it had taken is settled");
    stack.workers[0].start_again();
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_lose_no_token() {
    let _alone = alone().await;
    let stack = Stack::with(Parts { redis: true, ..Parts::default() }).await;
    let sale = stack.sale(200).await;
    let leavers = stack.users(200).await;
    let mut doubtful = History::default();
    for user in &leavers {
        let body = format!(r#"{{"product_id":"{}"}}"#, sale.product_id);
        let request = stack.http().post("/orders").bearer(&user.token).body("application/json", body);
        let mut connection = Connection::open(stack.http().address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut connection.stream, &request.bytes()).await.unwrap();
        drop(connection);
        doubtful.attempts.push(crate::harness::history::Attempt {
            user_id: user.id,
            key: None,
            sent_at: Duration::ZERO,
            answered_at: Duration::ZERO,
            answer: Answer::Unknown("hung up".to_owned()),
        });
    }
    let stayers = stack.users(400).await;
    doubtful.extend(Crowd::new(&stack, &sale, &stayers).until_sold(&stack, &sale, SOLD_WITHIN).await);
    Books::new(&stack, &sale, &doubtful).check().await;
}

/// The first try waits for the intake when its connection is lost; the sale ends, and the second try would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_retry_does_not_deny_a_first_try_that_commits_later() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { apis: 0, ..Parts::default() }).await;
    let proxy = Proxy::before_postgres(&mut stack).await;
    stack.start_api().wait_until_ready().await;
    let end = Utc::now() + TimeDelta::milliseconds(1500);
    let sale = stack.sale_between(5, end - TimeDelta::minutes(1), end).await;
    let user = stack.user().await;
    let intake = stack.database().await;
    intake.batch_execute("begin; select from flashsale.sale_intakes for update").await.unwrap();
    let until_ended = (end - Utc::now()).to_std().unwrap() + Duration::from_millis(50);
    proxy.arm(Victim::Placing, Trick::ResetAfter(until_ended));
    let http = stack.http();
    let purchase = http.post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id }));
    let asked = tokio::spawn(async move { purchase.send().await });
    wait_for_blocked_session(&stack, "place_orders").await;
    let reply = asked.await.unwrap();
    reply.problem(504, "outcome_unknown");
    intake.batch_execute("rollback").await.unwrap();
    // The server has noticed that its client is gone, or not yet: then there is an order, and whoever asks again has it.
    let database = stack.database().await;
    eventually("the first try is over", SOON, async || {
        let placing = "select count(*) from pg_stat_activity
                       where state = 'active' and query like '%place_orders%' and pid <> pg_backend_pid()";
        match database.query_one(placing, &[]).await.unwrap().get::<_, i64>(0) {
            0 => Ok(()),
            placing => Err(format!("{placing} sessions place orders")),
        }
    })
    .await;
    stack.wait_until_drained(SOON).await;
    let made = database.query_one("select count(*) from flashsale.orders where status = 'success'", &[]).await.unwrap();
    let again = http.post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id })).send().await;
    match made.get::<_, i64>(0) {
        0 => again.problem(400, "sale_ended"),
        _ => again.problem(400, "already_purchased"),
    };
}

/// What may have taken effect is not answered 503, which would promise that nothing was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_that_is_never_confirmed_has_an_unknown_outcome() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { apis: 0, ..Parts::default() }).await;
    let proxy = Proxy::before_postgres(&mut stack).await;
    stack.start_api().wait_until_ready().await;
    let (sale, user, http) = (stack.sale(5).await, stack.user().await, stack.http());
    for _ in 0..9 {
        proxy.arm(Victim::Placing, Trick::HoldReply(Duration::from_secs(30)));
    }
    let purchase = http.post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id }));
    purchase.send().await.problem(504, "outcome_unknown");
    proxy.disarm();
    stack.wait_until_drained(SOON).await;
    let asked = http.get("/orders").bearer(&user.token).send().await.expect(200).value();
    assert_eq!(asked["status"], "success");
}

/// A statement whose client is gone does not wait on for a lock and commit when nobody reckons with it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_whose_connection_is_gone_is_given_up_by_the_server() {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { apis: 0, ..Parts::default() }).await;
    let proxy = Proxy::before_postgres(&mut stack).await;
    stack.start_api().wait_until_ready().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let intake = stack.database().await;
    intake.batch_execute("begin; select from flashsale.sale_intakes for update").await.unwrap();
    let purchase = stack.http().post("/orders").bearer(&user.token).json(&json!({ "product_id": sale.product_id }));
    let asked = tokio::spawn(async move { purchase.try_send().await });
    wait_for_blocked_session(&stack, "place_orders").await;
    stack.apis[0].process.kill();
    proxy.set(Network::Cut);
    let database = stack.database().await;
    eventually("nobody waits for the intake", Duration::from_millis(1500), async || {
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        match database.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) {
            0 => Ok(()),
            waiting => Err(format!("{waiting} sessions wait")),
        }
    })
    .await;
    intake.batch_execute("rollback").await.unwrap();
    let _ = asked.await;
    let made = database.query_one("select count(*) from flashsale.orders", &[]).await.unwrap();
    assert_eq!(made.get::<_, i64>(0), 0);
}

/// Holds the row of a sale, so that a worker stops in the middle of its batch.
async fn lock_sale(stack: &Stack, sale: &Sale) -> Client {
    let session = stack.database().await;
    session.batch_execute("begin").await.unwrap();
    let lock = "select from flashsale.flash_sales where flash_sale_id = $1 for update";
    session.execute(lock, &[&sale.flash_sale_id]).await.unwrap();
    session
}

/// Holds the orders, so that purchases wait for their COMMIT. Released with the session or by `rollback`.
async fn lock_orders(stack: &Stack) -> Client {
    let session = stack.database().await;
    session.batch_execute("begin; lock table flashsale.orders in share mode").await.unwrap();
    session
}

async fn wait_for_blocked_session(stack: &Stack, statement: &str) {
    let database = stack.database().await;
    eventually(&format!("a session waits for a lock in {statement}"), SOON, async || {
        let rows = database
            .query(
                "select query from pg_stat_activity
                 where wait_event_type = 'Lock' and pid <> pg_backend_pid()",
                &[],
            )
            .await
            .map_err(|error| error.to_string())?;
        let waiting: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let found = waiting.iter().any(|query| query.contains(statement));
        if found { Ok(()) } else { Err(format!("waiting: {waiting:?}")) }
    })
    .await;
}

async fn wait_until_closed_to_newcomers(stack: &Stack) {
    let http = stack.http();
    eventually("the stopping API takes no new request", SOON, async || match http.get("/readyz").try_send().await {
        Ok(reply) if reply.status == 200 => Err("still ready".to_owned()),
        _ => Ok(()),
    })
    .await;
}
