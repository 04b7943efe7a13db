//! What happens to a PostgreSQL server: power cuts, crashed backends, no connection left, a DBA's forgotten transaction.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::Client;

use super::wait_for_database;
use crate::harness::postgres::try_connect;
use crate::world::World;

/// More than any `max_connections` we start PostgreSQL with.
const CONNECTIONS_MAX: usize = 300;
/// How often the product is put out before we believe that it is out.
const EVICTIONS_MAX: usize = 30;
const LAG_OVER: Duration = Duration::from_secs(4);
const LAG_SLACK_MS: i64 = 500;
const OF_THE_PRODUCT: &str = "application_name like 'flashsale %'";

pub async fn stop_immediately(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.5, 0.8)] {
        world.moment(from, to).await;
        world.recorder.strike("pg_ctl stop -m immediate", true);
        world.stack.postgres.stop_immediately();
        world.last(10, 1500).await;
        world.recorder.fault("pg_ctl start");
        world.healed();
        world.stack.postgres.start_again();
    }
}

pub async fn kill_backends(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.5, 0.8)] {
        world.moment(from, to).await;
        let database = world.stack.database().await;
        // Those at work first, or the one that dies is idle.
        let victim = format!(
            "select pid, application_name from pg_stat_activity where {OF_THE_PRODUCT}
             order by (state = 'active') desc, state_change desc limit 1"
        );
        let row = database.query_one(&victim, &[]).await.expect("a session of the product");
        let (pid, name): (i32, String) = (row.get(0), row.get(1));
        world.recorder.strike(format!("kill -9 of the backend {pid} of {name}"), true);
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill a backend");
        world.healed();
        wait_until_closed(&database).await;
        wait_for_database(&world.stack).await;
    }
}

/// The postmaster ends every session when one backend has crashed, ours too.
async fn wait_until_closed(session: &Client) {
    crate::harness::eventually("the crash of a backend ends every session", super::SOON, async || {
        if session.batch_execute("select").await.is_err() { Ok(()) } else { Err("still open") }
    })
    .await;
}

pub async fn terminate_backends(world: &mut World) {
    let database = world.stack.database().await;
    for (from, to) in [(0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)] {
        world.moment(from, to).await;
        let ended = put_out(&database).await;
        world.recorder.strike(format!("pg_terminate_backend of {ended} sessions"), ended > 0);
        world.healed();
    }
}

async fn put_out(database: &Client) -> usize {
    let terminate = format!("select pg_terminate_backend(pid) from pg_stat_activity where {OF_THE_PRODUCT}");
    database.query(&terminate, &[]).await.expect("pg_terminate_backend").len()
}

/// The product's sessions are ended so that it has to come back in, and there is no room.
pub async fn exhaust_connections(world: &mut World) {
    world.moment(0.1, 0.4).await;
    let database = world.stack.database().await;
    let url = world.stack.postgres.url();
    let mut taken = Vec::new();
    let mut is_out = false;
    for _ in 0..EVICTIONS_MAX {
        // A session that was put out leaves its place some time later.
        let was_out = put_out(&database).await == 0;
        let had = taken.len();
        while taken.len() < CONNECTIONS_MAX {
            match try_connect(&url).await {
                Ok(session) => taken.push(session),
                Err(_) => break,
            }
        }
        is_out = was_out && taken.len() == had;
        if is_out {
            break;
        }
    }
    world.recorder.strike(format!("every connection is taken, {} of them by us", taken.len()), is_out);
    world.last(800, 2500).await;
    drop(taken);
    world.healed();
    wait_for_database(&world.stack).await;
}

/// What is deleted meanwhile cannot be pruned. Settling is as quick at the end as it was at the beginning.
pub async fn leave_transaction_open(world: &mut World) {
    let forgotten = world.stack.database().await;
    forgotten
        .batch_execute("begin isolation level repeatable read; select count(*) from flashsale.users")
        .await
        .expect("a transaction left open");
    world.recorder.fault("a DBA's transaction is left open");
    let hasty = world.stack.database().await;
    world.moment(0.02, 0.03).await;
    let first = settle_lag_ms(&hasty).await;
    world.moment(0.3, 0.6).await;
    hasty.batch_execute("begin; lock table flashsale.orders in access exclusive mode").await.expect("lock the orders");
    world.recorder.strike("a DBA has locked the orders", true);
    world.last(500, 3500).await;
    hasty.batch_execute("rollback").await.expect("unlock the orders");
    world.healed();
    world.moment(0.85, 0.86).await;
    let last = settle_lag_ms(&hasty).await;
    world.recorder.figure("settle_lag_first_ms", first);
    world.recorder.figure("settle_lag_last_ms", last);
    let what = format!("messages waited {first} ms at first and {last} ms at last");
    world.recorder.promise(what, last < first * 3 + LAG_SLACK_MS);
    world.progress.wait_for_share(1.0).await;
    forgotten.batch_execute("rollback").await.expect("end the forgotten transaction");
}

/// How long the oldest message has waited: of many looks within some seconds the worst but one in twenty.
async fn settle_lag_ms(database: &Client) -> i64 {
    let oldest = "select coalesce(extract(epoch from clock_timestamp() - min(enqueued_at)) * 1000, 0)::bigint
                  from pgmq.q_purchases";
    let started = Instant::now();
    let mut waited: Vec<i64> = Vec::new();
    while started.elapsed() < LAG_OVER {
        waited.push(database.query_one(oldest, &[]).await.expect("look at the queue").get(0));
        tokio::time::sleep(super::LOOK_EVERY).await;
    }
    waited.sort_unstable();
    waited[waited.len() * 19 / 20]
}
