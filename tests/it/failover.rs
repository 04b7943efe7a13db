//! The gate on Redis servers that take over from each other: it works there as on one, and when the master of a sale dies in
//! the middle of it, everything is sold, nothing twice, shoppers are answered meanwhile, and the gate is used again afterwards.

use std::time::{Duration, Instant};

use crate::gate::{buy_one, crowd_is_turned_away, unknown_users_keep_no_token};
use crate::harness::books::{capacity_key, tokens_in_gates};
use crate::harness::history::Answer;
use crate::harness::redis_sets::SetKind;
use crate::harness::{Books, Crowd, History, Monitor, Parts, Sale, Stack, User, alone, eventually};

const SOLD_WITHIN: Duration = Duration::from_secs(40);
const READY_WITHIN: Duration = Duration::from_secs(10);
/// The servers need 1.5 s to hold the master for dead, and some more to agree on another. Then a process asks five times a
/// second, and a worker fills the gate.
const USED_AGAIN_WITHIN: Duration = Duration::from_secs(30);
/// Somebody buys so often meanwhile: fewer than there are units.
const BUY_EVERY: Duration = Duration::from_millis(50);
/// A purchase waits for a silent master once, and for the database.
const ANSWERED_WITHIN: Duration = Duration::from_secs(6);
const QUANTITY: usize = 2500;
/// Who buys before and while the master dies; fewer than there are units.
const FIRST_CROWD: usize = 800;

fn on(kind: SetKind) -> Parts {
    Parts { redis_set: Some(kind), ..Parts::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_works_behind_sentinels() {
    gate_works(SetKind::Sentinel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_works_in_a_cluster() {
    gate_works(SetKind::Cluster).await;
}

async fn gate_works(kind: SetKind) {
    let _alone = alone().await;
    let environment = vec![("RATE_LIMITS".to_owned(), "on".to_owned())];
    let stack = Stack::with(Parts { environment, ..on(kind) }).await;
    crowd_is_turned_away(&stack).await;
    // In a cluster these are on other servers than the first, one or another.
    for _ in 0..3 {
        let sale = stack.sale(3).await;
        eventually("the gate is there", READY_WITHIN, async || tokens_in_gates(&stack, &sale).await).await;
        assert_eq!(buy_one(&stack, &sale).await, "redis");
    }
    unknown_users_keep_no_token(&stack).await;
    for key in ["flashsale:leader", "flashsale:sales"] {
        let mut master = stack.redis_set().connect_to_master_of(key).await.unwrap();
        let is_there: bool = redis::cmd("EXISTS").arg(key).query_async(&mut master).await.unwrap();
        assert!(is_there, "{key}: the worker leads, and keeps the sales there");
    }
    let said = stack.logs();
    assert!(!said.contains("redis does not answer"), "no command crosses slots: {said}");
    expect_doctor_to_name_the_master(&stack, kind).await;
}

async fn expect_doctor_to_name_the_master(stack: &Stack, kind: SetKind) {
    let master = stack.redis_set().master_of("flashsale:leader").await.unwrap();
    let wanted = format!("127.0.0.1:{}", stack.redis_set().port(master));
    let output = stack.run(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find(|line| line.contains("redis: ")).unwrap_or_default();
    let name = if kind == SetKind::Sentinel { "sentinel sale, " } else { "cluster, masters " };
    assert!(line.starts_with("ok") && line.contains(name) && line.contains(&wanted), "{wanted}: {said}");
}

#[derive(Clone, Copy)]
enum Death {
    /// kill −9: connections to it break.
    Killed,
    /// Its machine is gone: connections to it stay, nobody answers.
    Frozen,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_master_of_sentinels_is_replaced_in_the_middle_of_a_sale() {
    master_dies_in_the_middle_of_a_sale(SetKind::Sentinel, Death::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_master_of_a_cluster_is_replaced_in_the_middle_of_a_sale() {
    master_dies_in_the_middle_of_a_sale(SetKind::Cluster, Death::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_master_of_sentinels_is_replaced_in_the_middle_of_a_sale() {
    master_dies_in_the_middle_of_a_sale(SetKind::Sentinel, Death::Frozen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_master_of_a_cluster_is_replaced_in_the_middle_of_a_sale() {
    master_dies_in_the_middle_of_a_sale(SetKind::Cluster, Death::Frozen).await;
}

async fn master_dies_in_the_middle_of_a_sale(kind: SetKind, death: Death) {
    let _alone = alone().await;
    let mut stack = Stack::with(Parts { apis: 2, workers: 2, ..on(kind) }).await;
    let sale = stack.sale(i64::try_from(QUANTITY).unwrap()).await;
    let users = stack.users(2 * QUANTITY).await;
    let key = capacity_key(&sale);
    eventually("the gate is there", READY_WITHIN, async || tokens_in_gates(&stack, &sale).await).await;
    let monitor = Monitor::start(&stack);
    let old = stack.redis_set().master_of(&key).await.unwrap();
    let rush = Crowd::new(&stack, &sale, &users[..FIRST_CROWD]).over(60).keep_trying_for(SOLD_WITHIN).start();
    rush.wait_for_share(0.3).await;
    let died_at = Instant::now();
    match death {
        Death::Killed => stack.redis_set_mut().kill(old),
        Death::Frozen => stack.redis_set().freeze(old),
    }
    let mut history = rush.finish().await;
    assert_eq!(history.promised().len(), FIRST_CROWD, "there are units for all: {:#?}", history.summary());
    let of_database = tokens_of(&stack, &["none", "process"]).await;
    assert!(of_database > 0, "some bought without Redis");

    let mut buyers = users[FIRST_CROWD..].iter();
    let mut pace = tokio::time::interval(BUY_EVERY);
    while gate_of_next(&stack, &sale, buyers.next(), &mut history).await != "redis" {
        assert!(died_at.elapsed() < USED_AGAIN_WITHIN, "the gate is not used again: {}", stack.logs());
        pace.tick().await;
    }
    let again_after = died_at.elapsed();
    let new = stack.redis_set().master_of(&key).await.unwrap();
    assert_ne!(new, old, "another server is the master");
    eprintln!("{kind:?}: the gate is used again {again_after:.1?} after its master died; {of_database} bought without");

    // The old one comes back with what it had, and must not be believed.
    match death {
        Death::Killed => stack.redis_set_mut().start_again(old),
        Death::Frozen => stack.redis_set().thaw(old),
    }
    if kind == SetKind::Cluster {
        // Sentinels take some ten seconds for that, in which nobody asks it any more.
        stack.redis_set().wait_for_replica(old).await;
    }
    history.extend(Crowd::new(&stack, &sale, &users).over(60).until_sold(&stack, &sale, SOLD_WITHIN).await);
    assert_eq!(history.count(Answer::is_unknown), 0, "{:#?}", history.summary());
    assert_eq!(stack.redis_set().master_of(&key).await.unwrap(), new);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
    if matches!(death, Death::Killed) {
        expect_one_outage(&stack);
    }
}

/// How many orders have their token from one of these.
async fn tokens_of(stack: &Stack, gates: &[&str]) -> i64 {
    let counted = "select count(*) from flashsale.orders where reserved_token = any($1)";
    stack.database().await.query_one(counted, &[&gates]).await.unwrap().get(0)
}

/// One more buys and is answered in time; which gate gave the token.
async fn gate_of_next(stack: &Stack, sale: &Sale, user: Option<&User>, history: &mut History) -> String {
    let user = user.expect("a buyer who has not bought").clone();
    let mut crowd = Crowd::new(stack, sale, std::slice::from_ref(&user));
    // A crowd of one begins with the first.
    crowd.addresses.rotate_left(history.attempts.len() % stack.apis.len());
    let bought = crowd.rush().await;
    assert_eq!(bought.promised().len(), 1, "shoppers are served meanwhile: {:#?}", bought.summary());
    assert!(bought.took() < ANSWERED_WITHIN, "{:?}", bought.took());
    history.extend(bought);
    let gate = "select reserved_token from flashsale.orders where user_id = $1";
    stack.database().await.query_one(gate, &[&user.id]).await.unwrap().get(0)
}

/// A process that misses Redis says so once, and once that it is back. (On a busy machine any server can be late.)
fn expect_one_outage(stack: &Stack) {
    let apis = stack.apis.iter().map(|api| &api.process);
    let mut outages = 0;
    for process in apis.chain(&stack.workers) {
        let log = process.log_text();
        let is_late = |line: &&str| line.contains("timed out") || line.contains("did not answer within");
        let away = log.lines().filter(|line| line.contains("redis does not answer") && !is_late(line)).count();
        assert!(away <= 1, "{}: away {away} times:\n{log}", process.name);
        assert!(away == 0 || log.contains("redis answers again"), "{}: away for ever:\n{log}", process.name);
        outages += away;
    }
    assert!(outages > 0, "nobody noticed");
}
