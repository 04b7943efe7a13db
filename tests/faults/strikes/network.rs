//! What happens between the product and PostgreSQL, by the proxy.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use crate::harness::eventually;
use crate::harness::proxy::{Network, Trick, Victim};
use crate::world::World;

const MET_WITHIN: Duration = Duration::from_secs(20);

pub async fn lose_replies(world: &mut World) {
    play(world, 12, |_| Trick::LoseReply).await;
}

pub async fn reset_connections(world: &mut World) {
    play(world, 16, |dice| match dice.random_range(0..4) {
        0 => Trick::LoseRequest,
        // Some time within the statement.
        1 => Trick::ResetAfter(Duration::from_millis(dice.random_range(1..20))),
        2 => Trick::BreakReply,
        _ => Trick::LoseReply,
    })
    .await;
}

/// Later than STATEMENT_CLIENT (3 s), when the product has given up.
pub async fn hold_replies(world: &mut World) {
    play(world, 3, |_| Trick::HoldReply(Duration::from_millis(3500))).await;
}

/// Arms tricks one after the other and waits until each has been met by a statement. Most are for those who place orders:
/// a worker that looks at an empty queue has nothing to lose.
async fn play(world: &mut World, tricks: usize, choose: fn(&mut SmallRng) -> Trick) {
    for number in 0..tricks {
        let share = 0.05 + 0.85 * number as f64 / tricks as f64;
        world.moment(share, share + 0.02).await;
        let trick = choose(&mut world.dice);
        let victim = if world.dice.random_bool(0.7) { Victim::Placing } else { Victim::Settling };
        let before = world.proxy().played();
        world.proxy().arm(victim, trick);
        eventually("a statement meets a trick of the proxy", MET_WITHIN, async || {
            if world.proxy().played() > before { Ok(()) } else { Err("not met") }
        })
        .await;
        world.recorder.strike(format!("{victim:?}: {trick:?}"), true);
        if let Trick::HoldReply(time) = trick {
            tokio::time::sleep(time).await;
        }
        world.healed();
    }
}

pub async fn cut(world: &mut World) {
    break_network(world, Network::Cut).await;
}

pub async fn stall(world: &mut World) {
    break_network(world, Network::Stalled).await;
}

async fn break_network(world: &mut World, how: Network) {
    for (from, to) in [(0.1, 0.3), (0.5, 0.8)] {
        world.moment(from, to).await;
        world.recorder.strike(format!("the network to PostgreSQL: {how:?}"), true);
        world.proxy().set(how);
        world.last(200, 4000).await;
        world.proxy().set(Network::Open);
        world.healed();
    }
}
