//! API and worker processes that are killed, stopped, frozen and started again.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::is_blocked_in;
use crate::feeder::Feeder;
use crate::world::World;

const STOPPED_WITHIN: Duration = Duration::from_secs(25);

pub async fn kill_workers(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("kill -9 worker-{index}"), true);
        world.stack.workers[index].kill_and_start_again();
    }
}

/// The named point before COMMIT: a session of ours holds the rows of the sales, so that a batch is taken and not settled.
pub async fn kill_workers_before_commit(world: &mut World) {
    let feeder = Feeder::start(world).await;
    for (from, to) in [(0.1, 0.3), (0.4, 0.7)] {
        world.moment(from, to).await;
        let locker = world.stack.database().await;
        locker
            .batch_execute("begin; select from flashsale.flash_sales order by flash_sale_id for update")
            .await
            .expect("lock the sales");
        let watcher = world.stack.database().await;
        let is_blocked = is_blocked_in(&watcher, "settle_orders").await;
        world.recorder.strike("kill -9 both workers, one in a batch", is_blocked);
        for worker in &mut world.stack.workers {
            worker.kill();
        }
        locker.batch_execute("rollback").await.expect("let the sales go");
        for worker in &mut world.stack.workers {
            worker.start_again();
        }
    }
    feeder.stop().await;
}

pub async fn freeze_workers(world: &mut World) {
    world.moment(0.1, 0.4).await;
    let first = world.one_of_two();
    world.recorder.strike(format!("SIGSTOP worker-{first}"), true);
    world.stack.workers[first].signal(Signal::SIGSTOP);
    world.last(1000, 3000).await;
    world.recorder.fault("SIGSTOP the other worker");
    world.stack.workers[1 - first].signal(Signal::SIGSTOP);
    world.last(500, 2500).await;
    world.recorder.fault("SIGCONT both workers");
    for worker in &world.stack.workers {
        worker.signal(Signal::SIGCONT);
    }
}

pub async fn kill_apis(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.35, 0.6), (0.65, 0.9)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("kill -9 api-{index}"), true);
        world.stack.apis[index].process.kill();
        world.last(1, 400).await;
        world.stack.apis[index].process.start_again();
    }
}

/// The named point before COMMIT: a session of ours holds the table of orders, so that a batch of purchases waits.
pub async fn kill_api_before_commit(world: &mut World) {
    let feeder = Feeder::start(world).await;
    for (from, to) in [(0.1, 0.3), (0.4, 0.7)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        let locker = world.stack.database().await;
        locker.batch_execute("begin; lock table flashsale.orders in share mode").await.expect("lock the orders");
        let watcher = world.stack.database().await;
        let is_blocked = is_blocked_in(&watcher, "place_orders").await;
        world.recorder.strike(format!("kill -9 api-{index}, a batch under way"), is_blocked);
        world.stack.apis[index].process.kill();
        locker.batch_execute("rollback").await.expect("let the orders go");
        world.stack.apis[index].process.start_again();
    }
    feeder.stop().await;
}

pub async fn stop_api_gracefully(world: &mut World) {
    for (from, to) in [(0.1, 0.4), (0.5, 0.8)] {
        world.moment(from, to).await;
        let index = world.one_of_two();
        world.recorder.strike(format!("SIGTERM api-{index}"), true);
        stop_and_start_api(world, index).await;
    }
}

pub async fn freeze_api(world: &mut World) {
    world.moment(0.1, 0.5).await;
    let index = world.one_of_two();
    world.recorder.strike(format!("SIGSTOP api-{index}"), true);
    world.stack.apis[index].process.signal(Signal::SIGSTOP);
    world.last(1000, 5000).await;
    world.recorder.fault(format!("SIGCONT api-{index}"));
    world.stack.apis[index].process.signal(Signal::SIGCONT);
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
    }
}

async fn stop_and_start_api(world: &mut World, index: usize) {
    let process = &mut world.stack.apis[index].process;
    process.signal(Signal::SIGTERM);
    let status = process.wait_for_exit(STOPPED_WITHIN).await;
    assert!(status.success(), "a graceful stop of an API ends with {status}");
    process.start_again();
}
