//! API and worker processes that are killed, stopped, frozen and started again.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio_postgres::Client;

use super::victims::{Found, Victims};
use crate::world::World;

const STOPPED_WITHIN: Duration = Duration::from_secs(25);

pub async fn kill_workers(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("kill -9 worker-{index}"), true);
        world.stack.workers[index].kill_and_start_again();
        world.healed();
    }
}

/// The named point before COMMIT: a session of ours holds the rows of the sales, so that a batch is taken and not settled.
pub async fn kill_workers_before_commit(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.4, 0.7)] {
        world.moment(from, to).await;
        let (locker, found) = lock_sales(world).await;
        world.recorder.strike("kill -9 both workers, one in a batch", found.is_some());
        for worker in &mut world.stack.workers {
            worker.kill();
        }
        locker.batch_execute("rollback").await.expect("let the sales go");
        for worker in &mut world.stack.workers {
            worker.start_again();
        }
        world.healed();
    }
}

/// A session that holds the rows of the sales, and the worker whose batch waits for them.
async fn lock_sales(world: &World) -> (Client, Option<Found>) {
    let locker = world.stack.database().await;
    locker
        .batch_execute("begin; select from flashsale.flash_sales order by flash_sale_id for update")
        .await
        .expect("lock the sales");
    let watcher = world.stack.database().await;
    let found = Victims::Workers.wait_for_blocked(world, &watcher, "settle_orders").await;
    (locker, found)
}

/// A session that holds the table of orders, and the API whose batch of purchases waits for it.
async fn lock_orders(world: &World) -> (Client, Option<Found>) {
    let locker = world.stack.database().await;
    locker.batch_execute("begin; lock table flashsale.orders in share mode").await.expect("lock the orders");
    let watcher = world.stack.database().await;
    let found = Victims::Apis.wait_for_blocked(world, &watcher, "place_orders").await;
    (locker, found)
}

/// One worker in the middle of a batch, for longer than a token without an order is kept (`TOKEN_GRACE`, 7 s) and than any
/// statement of an API waits, though not for the 30 s of its own; then the other one too.
pub async fn freeze_workers(world: &mut World) {
    world.moment(0.1, 0.4).await;
    let (locker, found) = lock_sales(world).await;
    let first = found.map_or(0, |found| found.index);
    world.recorder.strike(format!("SIGSTOP worker-{first} in a batch"), found.is_some());
    world.stack.workers[first].signal(Signal::SIGSTOP);
    locker.batch_execute("rollback").await.expect("let the sales go");
    world.last(6_500, 8_500).await;
    world.recorder.strike("SIGSTOP the other worker", true);
    world.stack.workers[1 - first].signal(Signal::SIGSTOP);
    world.last(1_500, 2_500).await;
    world.recorder.fault("SIGCONT both workers");
    for worker in &world.stack.workers {
        worker.signal(Signal::SIGCONT);
    }
    world.healed();
}

pub async fn kill_apis(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.35, 0.6), (0.65, 0.9)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("kill -9 api-{index}"), true);
        world.stack.apis[index].process.kill();
        world.last(1, 400).await;
        world.stack.apis[index].process.start_again();
        world.healed();
    }
}

/// The named point before COMMIT: a session of ours holds the table of orders, so that a batch of purchases waits.
pub async fn kill_api_before_commit(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.4, 0.7)] {
        world.moment(from, to).await;
        let (locker, found) = lock_orders(world).await;
        let index = found.map_or(0, |found| found.index);
        world.recorder.strike(format!("kill -9 api-{index}, a batch under way"), found.is_some());
        world.stack.apis[index].process.kill();
        locker.batch_execute("rollback").await.expect("let the orders go");
        world.stack.apis[index].process.start_again();
        world.healed();
    }
}

pub async fn stop_api_gracefully(world: &mut World) {
    for (from, to) in [(0.1, 0.4), (0.5, 0.8)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("SIGTERM api-{index}"), true);
        stop_and_start_api(world, index).await;
    }
}

/// In the middle of a batch, for longer than `TOKEN_GRACE` (7 s) and every statement's time-out: its tokens and claims of
/// keys are given up meanwhile, and what it had begun to repair is old when it goes on.
pub async fn freeze_api(world: &mut World) {
    world.moment(0.1, 0.4).await;
    let (locker, found) = lock_orders(world).await;
    let index = found.map_or(0, |found| found.index);
    world.recorder.strike(format!("SIGSTOP api-{index} in a batch"), found.is_some());
    world.stack.apis[index].process.signal(Signal::SIGSTOP);
    locker.batch_execute("rollback").await.expect("let the orders go");
    world.last(8_000, 11_000).await;
    world.recorder.fault(format!("SIGCONT api-{index}"));
    world.stack.apis[index].process.signal(Signal::SIGCONT);
    world.healed();
}

pub async fn restart_all(world: &mut World) {
    world.moment(0.05, 0.3).await;
    for index in 0..world.stack.apis.len() {
        world.recorder.strike(format!("restart api-{index}"), true);
        stop_and_start_api(world, index).await;
        world.stack.apis[index].wait_until_ready().await;
        world.recorder.strike(format!("restart worker-{index}"), true);
        let worker = &mut world.stack.workers[index];
        worker.signal(Signal::SIGTERM);
        let status = worker.wait_for_exit(STOPPED_WITHIN).await;
        assert!(status.success(), "a graceful stop of a worker ends with {status}");
        worker.start_again();
        world.healed();
    }
}

async fn stop_and_start_api(world: &mut World, index: usize) {
    let process = &mut world.stack.apis[index].process;
    process.signal(Signal::SIGTERM);
    let status = process.wait_for_exit(STOPPED_WITHIN).await;
    assert!(status.success(), "a graceful stop of an API ends with {status}");
    process.start_again();
    world.healed();
}
