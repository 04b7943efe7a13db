//! Tokens come back: whoever takes one and does not use it, and whatever happens to Redis, every unit is sold in the end.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use redis::AsyncCommands as _;
use uuid::Uuid;

use crate::harness::books::{purchases_the_database_was_asked, tokens_in_gates, tokens_in_process, tokens_in_redis};
use crate::harness::history::Answer;
use crate::harness::proxy::{Network, Proxy};
use crate::harness::users::stranger;
use crate::harness::{Books, Crowd, History, Monitor, Parts, Sale, Stack, User, alone, eventually};

const SOLD_WITHIN: Duration = Duration::from_secs(40);
const REPAIRED_WITHIN: Duration = Duration::from_secs(20);
const LEADER_KEY: &str = "flashsale:leader";
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(10);
/// Less than what a full gate holds its crowd back for.
const HELD_FOR: Duration = Duration::from_millis(200);
const AT_ONCE: Duration = Duration::from_secs(2);

fn with_redis() -> Parts {
    Parts { redis: true, ..Parts::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_unknown_users_come_back_with_redis() {
    tokens_of_unknown_users_come_back(with_redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_unknown_users_come_back_without_redis() {
    tokens_of_unknown_users_come_back(Parts::default()).await;
}

async fn tokens_of_unknown_users_come_back(parts: Parts) {
    let _alone = alone().await;
    let stack = Stack::with(parts).await;
    unknown_users_keep_no_token(&stack).await;
}

pub async fn unknown_users_keep_no_token(stack: &Stack) {
    let sale = stack.sale(50).await;
    let strangers: Vec<User> = (0..500).map(|_| stranger()).collect();
    let refused = Crowd::new(stack, &sale, &strangers).over(40).rush().await;
    // Never more than 40 at once ask for 50 tokens: whoever hears "sold out" met a token that was not given back.
    let as_unknown = refused.count(|answer| matches!(answer, Answer::Refused { status: 401, .. }));
    assert_eq!(as_unknown, 500, "unknown users are told so: {:#?}", refused.summary());
    sell_everything(stack, &sale, History::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_back_when_the_queue_refuses_with_redis() {
    tokens_come_back_when_the_queue_refuses(with_redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_back_when_the_queue_refuses_without_redis() {
    tokens_come_back_when_the_queue_refuses(Parts::default()).await;
}

async fn tokens_come_back_when_the_queue_refuses(parts: Parts) {
    let _alone = alone().await;
    let stack = Stack::with(parts).await;
    let sale = stack.sale(50).await;
    let database = stack.database().await;
    database
        .batch_execute(
            "create function public.refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'disk full, says the test' using errcode = '53100'; end $$;
             create trigger refuse before insert on pgmq.q_purchases for each row execute function public.refuse();",
        )
        .await
        .unwrap();
    let unlucky = stack.users(100).await;
    let refused = Crowd::new(&stack, &sale, &unlucky).rush().await;
    assert_eq!(refused.promised().len(), 0, "nothing can be promised: {:#?}", refused.summary());
    assert_eq!(refused.count(Answer::is_unknown), 0, "each gets 503 or sold out: {:#?}", refused.summary());
    assert!(refused.count(|a| matches!(a, Answer::Refused { status: 503, .. })) > 0, "{:#?}", refused.summary());
    let orders: i64 = database.query_one("select count(*) from flashsale.orders", &[]).await.unwrap().get(0);
    assert_eq!(orders, 0, "a 503 promises that nothing was taken");

    database.batch_execute("drop trigger refuse on pgmq.q_purchases").await.unwrap();
    sell_everything(&stack, &sale, History::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_redis_is_rebuilt() {
    let _alone = alone().await;
    let stack = Stack::with(with_redis()).await;
    let sale = stack.sale(4000).await;
    let users = stack.users(6000).await;
    let monitor = Monitor::start(&stack);
    let rush = Crowd::new(&stack, &sale, &users).over(60).keep_trying_for(SOLD_WITHIN).start();
    for share in [0.05, 0.15, 0.3, 0.6] {
        rush.wait_for_share(share).await;
        stack.redis().flush_all().await;
    }
    let history = rush.finish().await;
    assert_eq!(history.count(Answer::is_unknown), 0, "{:#?}", history.summary());
    monitor.finish().await;
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_dump_of_redis_oversells_nothing() {
    let _alone = alone().await;
    let mut stack = Stack::with(with_redis()).await;
    let sale = stack.sale(300).await;
    let users = stack.users(1500).await;
    let first = Crowd::new(&stack, &sale, &users[..1]).rush().await;
    let almost_full = stack.redis().dump().await;

    let mut history = Crowd::new(&stack, &sale, &users[..280]).rush().await;
    history.extend(first);
    stack.wait_until_drained(SOLD_WITHIN).await;
    let monitor = Monitor::start(&stack);
    stack.redis_mut().restore(&almost_full).await;
    history.extend(Crowd::new(&stack, &sale, &users).over(100).keep_trying_for(SOLD_WITHIN).rush().await);
    assert_eq!(history.count(Answer::is_unknown), 0, "{:#?}", history.summary());
    monitor.finish().await;
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dump_of_a_sold_out_gate_leaves_nothing_unsold() {
    let _alone = alone().await;
    let mut stack = Stack::with(with_redis()).await;
    let sale = stack.sale(10).await;
    let users = stack.users(100).await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    stack.wait_until_drained(SOLD_WITHIN).await;
    let sold_out = stack.redis().dump().await;

    let administrator = stack.administrator().await;
    let body = serde_json::json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 40 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&body).send().await.expect(200);
    stack.redis_mut().restore(&sold_out).await;
    let sale = Sale { quantity: 40, ..sale };
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_leads_and_another_takes_over_when_it_is_gone() {
    let mut stack = Stack::with(Parts { workers: 2, ..with_redis() }).await;
    let sale = stack.sale(10).await;
    expect_repair(&stack, &sale).await;
    let mut redis = stack.redis().connect().await;
    let first: String = redis.get(LEADER_KEY).await.unwrap();
    expect_repair(&stack, &sale).await;
    assert_eq!(redis.get::<_, String>(LEADER_KEY).await.unwrap(), first, "it goes on leading");
    // One of these is the leader.
    for worker in 0..2 {
        stack.workers[worker].kill();
        stack.start_worker();
        expect_repair(&stack, &sale).await;
    }
    let last: String = redis.get(LEADER_KEY).await.unwrap();
    assert_ne!(last, first, "both that it could be are gone");
    // A leader that stops does not leave the others waiting.
    for worker in &mut stack.workers[2..] {
        worker.signal(Signal::SIGTERM);
        worker.wait_for_exit(TAKEN_OVER_WITHIN).await;
    }
    assert_eq!(redis.get::<_, Option<String>>(LEADER_KEY).await.unwrap(), None);
}

async fn leader(stack: &Stack) -> Option<String> {
    stack.redis().connect().await.get(LEADER_KEY).await.unwrap()
}

/// It can go on renewing its lead in Redis, and must not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_cut_off_from_the_database_leaves_the_lead() {
    let mut stack = Stack::with(Parts { workers: 0, redis: true, ..Parts::default() }).await;
    let direct = stack.postgres.url();
    let proxy = Proxy::before_postgres(&mut stack).await;
    stack.start_worker();
    eventually("the only worker leads", TAKEN_OVER_WITHIN, async || {
        if leader(&stack).await.is_some() { Ok(()) } else { Err("nobody leads") }
    })
    .await;
    let cut_off = leader(&stack).await;
    stack.set_environment("DATABASE_URL", &direct);
    stack.start_worker();
    proxy.set(Network::Cut);
    eventually("the other worker leads", TAKEN_OVER_WITHIN, async || {
        let found = leader(&stack).await;
        if found.is_some() && found != cut_off { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// Makes a gate unknown, and waits until somebody has loaded it again.
async fn expect_repair(stack: &Stack, sale: &Sale) {
    let capacity_key = format!("flashsale:{{{}}}:capacity", sale.flash_sale_id);
    stack.redis().connect().await.del::<_, ()>(capacity_key).await.unwrap();
    eventually("the gate is there again", TAKEN_OVER_WITHIN, async || {
        match tokens_in_redis(stack.redis(), sale).await? {
            10 => Ok(()),
            tokens => Err(format!("{tokens} tokens")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_of_a_crash_between_gate_and_queue_comes_back() {
    let _alone = alone().await;
    let stack = Stack::with(with_redis()).await;
    let sale = stack.sale(20).await;
    let users = stack.users(60).await;
    // The gate exists from the first purchase on.
    let history = Crowd::new(&stack, &sale, &users[..1]).rush().await;
    stack.wait_until_drained(SOLD_WITHIN).await;
    let key = format!("flashsale:{{{}}}:holders", sale.flash_sale_id);
    let mut redis = stack.redis().connect().await;
    for _ in 0..19 {
        let (user_id, order_id) = (Uuid::new_v4().to_string(), Uuid::now_v7().to_string());
        redis.hset::<_, _, _, ()>(&key, user_id, order_id).await.unwrap();
    }
    eventually("tokens without an order come back", REPAIRED_WITHIN, async || {
        match tokens_in_redis(stack.redis(), &sale).await? {
            19 => Ok(()),
            tokens => Err(format!("{tokens} tokens free, 19 units unsold")),
        }
    })
    .await;
    let said = stack.logs();
    let repairs: Vec<&str> = said.lines().filter(|line| line.contains("the gate was reconciled")).collect();
    assert!(repairs.iter().any(|line| line.contains("removed=") && !line.contains("removed=0")), "{said}");
    assert!(!repairs.iter().any(|line| line.ends_with("put=0 removed=0 capacity=None")), "{said}");
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_keys_that_are_garbage_are_repaired() {
    let _alone = alone().await;
    let stack = Stack::with(with_redis()).await;
    let sale = stack.sale(20).await;
    let users = stack.users(60).await;
    let history = Crowd::new(&stack, &sale, &users[..1]).rush().await;
    stack.wait_until_drained(SOLD_WITHIN).await;
    let mut redis = stack.redis().connect().await;
    let prefix = format!("flashsale:{{{}}}", sale.flash_sale_id);
    redis.del::<_, ()>(format!("{prefix}:holders")).await.unwrap();
    redis.set::<_, _, ()>(format!("{prefix}:holders"), "not a hash").await.unwrap();
    redis.set::<_, _, ()>(format!("{prefix}:capacity"), "not a number").await.unwrap();
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_starts_and_sells_while_redis_is_absent() {
    let _alone = alone().await;
    let nobody = format!("redis://127.0.0.1:{}/", crate::harness::stack::free_port());
    let environment = vec![("REDIS_URL".to_owned(), nobody)];
    let stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    let sale = stack.sale(100).await;
    let users = stack.users(500).await;
    let history = Crowd::new(&stack, &sale, &users).keep_trying_for(SOLD_WITHIN).rush().await;
    assert_eq!(history.count(Answer::is_unknown), 0, "{:#?}", history.summary());
    let more = Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await;
    let mut all = history;
    all.extend(more);
    // There is no gate to balance: what the database says is checked alone.
    stack.wait_until_drained(SOLD_WITHIN).await;
    let sold: i64 = stack
        .database()
        .await
        .query_one("select count(*) from flashsale.orders where status = 'success'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(sold, 100, "{:#?}", all.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_that_redis_does_not_know_is_asked_of_the_database() {
    let _alone = alone().await;
    let mut stack = Stack::with(with_redis()).await;
    let sale = stack.sale(1000).await;
    eventually("the API asks Redis", REPAIRED_WITHIN, async || match buy_one(&stack, &sale).await.as_str() {
        "redis" => Ok(()),
        other => Err(format!("the token is of: {other}")),
    })
    .await;
    // Workers reconcile a gate in Redis: without one it stays unknown.
    stack.workers[0].kill();
    stack.redis().flush_all().await;
    assert_eq!(buy_one(&stack, &sale).await, "none");
}

/// Buys as somebody new; answers which gate gave the token.
pub async fn buy_one(stack: &Stack, sale: &Sale) -> String {
    let user = stack.user().await;
    let purchase = stack.http().post("/orders").bearer(&user.token);
    purchase.json(&serde_json::json!({ "product_id": sale.product_id })).send().await.expect(200);
    let gate = "select reserved_token from flashsale.orders where user_id = $1";
    stack.database().await.query_one(gate, &[&user.id]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_redis_delays_and_loses_nothing() {
    let _alone = alone().await;
    let stack = Stack::with(with_redis()).await;
    let sale = stack.sale(3000).await;
    let users = stack.users(4000).await;
    let rush = Crowd::new(&stack, &sale, &users).over(50).keep_trying_for(SOLD_WITHIN).start();
    for share in [0.1, 0.6] {
        rush.wait_for_share(share).await;
        stack.redis().block_for(2).await;
    }
    let history = rush.finish().await;
    assert_eq!(history.count(Answer::is_unknown), 0, "{:#?}", history.summary());
    sell_everything_to(&stack, &sale, &users, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raised_quantity_of_a_sold_out_sale_sells_at_once_on_every_api() {
    let _alone = alone().await;
    for redis in [true, false] {
        let stack = Stack::with(Parts { redis, apis: 2, ..Parts::default() }).await;
        let sale = stack.sale(10).await;
        let users = stack.users(50).await;
        let mut history = Crowd::new(&stack, &sale, &users).rush().await;
        history.expect_definite_answers();
        stack.wait_until_drained(SOLD_WITHIN).await;
        let administrator = stack.administrator().await;
        let body = serde_json::json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 25 });
        stack.http().post("/sales/update").bearer(&administrator.token).json(&body).send().await.expect(200);
        let sale = Sale { quantity: 25, ..sale };
        for api in &stack.apis {
            let mut crowd = Crowd::new(&stack, &sale, &stack.users(1).await);
            crowd.addresses = vec![api.http.address];
            let raised_at = Instant::now();
            loop {
                let asked = crowd.clone().rush().await;
                let sold = asked.promised().len() == 1;
                history.extend(asked);
                if sold {
                    break;
                }
                assert!(raised_at.elapsed() < AT_ONCE, "{} still refuses: {:#?}", api.process.name, history.summary());
            }
        }
        history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, SOLD_WITHIN).await);
        let all = history;
        Books::new(&stack, &sale, &all).check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowd_is_turned_away_before_the_database() {
    let _alone = alone().await;
    for redis in [true, false] {
        let stack = Stack::with(Parts { redis, ..Parts::default() }).await;
        crowd_is_turned_away(&stack).await;
    }
}

pub async fn crowd_is_turned_away(stack: &Stack) {
    let sale = stack.sale(50).await;
    let users = stack.users(2000).await;
    eventually("the gate is there", REPAIRED_WITHIN, async || tokens_in_gates(stack, &sale).await).await;
    // While nothing is settled the sold-out latch stays open: it is the gate alone that refuses.
    let locker = stack.database().await;
    locker.batch_execute("begin; select from flashsale.flash_sales for update").await.unwrap();
    let history = Crowd::new(stack, &sale, &users).over(100).rush().await;
    locker.batch_execute("rollback").await.unwrap();
    assert_eq!(history.promised().len(), 50, "{:#?}", history.summary());
    let asked = purchases_the_database_was_asked(stack).await;
    assert_eq!(asked, 50, "of 2000 purchases for 50 units the database was asked {asked}");
    Books::new(stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowd_at_a_gate_that_has_just_become_full_is_held_back() {
    let stack = Stack::start().await;
    let sale = stack.sale(1).await;
    let users = stack.users(40).await;
    // While nothing is settled nobody knows whether the sale will be sold out.
    let locker = stack.database().await;
    locker.batch_execute("begin; select from flashsale.flash_sales for update").await.unwrap();
    let mut history = Crowd::new(&stack, &sale, &users[..1]).rush().await;
    assert_eq!(history.promised().len(), 1, "{:#?}", history.summary());
    let asked_at = Instant::now();
    let held = Crowd::new(&stack, &sale, &users[1..]).over(39).rush().await;
    assert!(asked_at.elapsed() > HELD_FOR, "turned away after {:?} already", asked_at.elapsed());
    assert_eq!(held.count(|answer| matches!(answer, Answer::Refused { status: 400, .. })), 39, "{:#?}", held.summary());
    locker.batch_execute("rollback").await.unwrap();
    history.extend(held);
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_shows_its_tokens_in_the_metrics() {
    let stack = Stack::start().await;
    let sale = stack.sale(30).await;
    let users = stack.users(10).await;
    Crowd::new(&stack, &sale, &users).rush().await;
    eventually("10 of 30 tokens are taken", REPAIRED_WITHIN, async || {
        match tokens_in_process(stack.http(), &sale).await? {
            20 => Ok(()),
            tokens => Err(format!("{tokens} tokens")),
        }
    })
    .await;
}

async fn sell_everything(stack: &Stack, sale: &Sale, history: History) {
    let buyers = stack.users(usize::try_from(2 * sale.quantity).unwrap()).await;
    sell_everything_to(stack, sale, &buyers, history).await;
}

async fn sell_everything_to(stack: &Stack, sale: &Sale, users: &[User], mut history: History) {
    history.extend(Crowd::new(stack, sale, users).until_sold(stack, sale, SOLD_WITHIN).await);
    Books::new(stack, sale, &history).check().await;
}
