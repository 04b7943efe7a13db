//! An administrator who takes units off the shelf while they are being bought, and puts some back.

use std::sync::Arc;

use nix::sys::signal::Signal;
use rand::RngExt as _;
use tokio_postgres::Client;

use crate::world::{World, change_quantity};

/// Workers stand still for a moment, so that orders are in progress when their units are taken away.
pub async fn lower_and_raise(world: &mut World) {
    let database = world.stack.database().await;
    let administrator = world.stack.administrator().await;
    let (addresses, recorder) = (world.addresses(), world.recorder.clone());
    let sale = world.sales.main;
    for (from, to) in [(0.08, 0.15), (0.25, 0.35), (0.5, 0.7)] {
        world.moment(from, to).await;
        for worker in &world.stack.workers {
            worker.signal(Signal::SIGSTOP);
        }
        world.last(100, 400).await;
        let before = failed(&database, world).await;
        let lowered = sold(&database, world).await + world.dice.random_range(0..12);
        change_quantity(&addresses, &administrator, &sale, lowered, &recorder).await;
        for worker in &world.stack.workers {
            worker.signal(Signal::SIGCONT);
        }
        let progress = Arc::clone(&world.progress);
        world.last(100, 700).await;
        let failed = failed(&database, world).await - before;
        // Late in the run there may be no order left that is in progress.
        recorder.strike(format!("the quantity is lowered to {lowered}: {failed} orders have failed"), failed > 0);
        let raised = sale.quantity + world.dice.random_range(-20..60);
        change_quantity(&addresses, &administrator, &sale, raised.max(lowered), &recorder).await;
        world.healed();
        if progress.is_over() {
            break;
        }
    }
}

async fn sold(database: &Client, world: &World) -> i64 {
    let sold = "select sold::bigint from flashsale.flash_sales where flash_sale_id = $1";
    database.query_one(sold, &[&world.sales.main.flash_sale_id]).await.expect("read what is sold").get(0)
}

async fn failed(database: &Client, world: &World) -> i64 {
    let failed = "select count(*) from flashsale.orders where flash_sale_id = $1 and status = 'failed'";
    database.query_one(failed, &[&world.sales.main.flash_sale_id]).await.expect("count the failed orders").get(0)
}
