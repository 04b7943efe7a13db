//! Many processes on one database: four APIs behind HAProxy and four workers, which come and go while people buy, and
//! which know what one of them learns.

mod agreement;
mod haproxy;
mod pgbouncer;
mod pooler;
mod tools;

use std::time::Duration;

use nix::sys::signal::Signal;

use self::haproxy::HaProxy;
use crate::harness::history::Answer;
use crate::harness::process::Process;
use crate::harness::{Books, Crowd, Monitor, Parts, Stack, alone};

const KEEP_TRYING: Duration = Duration::from_secs(40);
const SOLD_WITHIN: Duration = Duration::from_secs(40);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_stopped_killed_and_replaced_under_load_lose_nothing() {
    let _alone = alone().await;
    let mut stack = Stack::with(four_and_four()).await;
    let proxy = HaProxy::before(&stack).await;
    let sale = stack.sale(9_000).await;
    let users = stack.users(12_000).await;
    let monitor = Monitor::start(&stack);
    let mut crowd = Crowd::new(&stack, &sale, &users).with_keys().over(60).keep_trying_for(KEEP_TRYING);
    crowd.addresses = vec![proxy.http.address];
    let rush = crowd.clone().start();

    // Each of the eight is struck once: one pair after the other, by turns killed and told to stop.
    for pair in 0..4 {
        rush.wait_for_share(0.1 + 0.2 * pair as f64).await;
        let politely = pair % 2 == 1;
        replace(&mut stack.workers[pair], politely).await;
        replace(&mut stack.apis[pair].process, politely).await;
    }
    let mut history = rush.finish().await;
    let unknown = history.count(Answer::is_unknown);
    assert!(unknown > 0, "no request was in flight when an API died: {:#?}", history.summary());
    for api in &mut stack.apis {
        api.wait_until_ready().await;
    }
    history.extend(crowd.until_sold(&stack, &sale, SOLD_WITHIN).await);
    monitor.finish().await;
    Books::new(&stack, &sale, &history).check().await;
}

fn four_and_four() -> Parts {
    Parts { redis: true, apis: 4, workers: 4, ..Parts::default() }
}

/// Ends a process, by SIGTERM or by kill −9, and starts another in its place.
async fn replace(process: &mut Process, politely: bool) {
    if politely {
        process.signal(Signal::SIGTERM);
        assert!(process.wait_for_exit(STOPPED_WITHIN).await.success(), "{} stopped badly", process.name);
        process.start_again();
    } else {
        process.kill_and_start_again();
    }
}
