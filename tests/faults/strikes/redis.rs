//! What happens to a Redis server, which decides nothing and may therefore lose everything.

use crate::world::World;

pub async fn kill_and_start_empty(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.5, 0.8)] {
        world.moment(from, to).await;
        world.recorder.strike("kill -9 redis-server", true);
        world.stack.redis_mut().kill();
        world.last(10, 1500).await;
        world.recorder.fault("redis-server starts empty");
        world.healed();
        world.stack.redis_mut().start_again().await;
    }
}

pub async fn flush(world: &mut World) {
    for (from, to) in [(0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.9)] {
        world.moment(from, to).await;
        world.recorder.strike("FLUSHALL", true);
        world.stack.redis().flush_all().await;
        world.healed();
    }
}

pub async fn restore_old_dump(world: &mut World) {
    world.moment(0.05, 0.3).await;
    let dump = world.stack.redis().dump().await;
    world.moment(0.5, 0.9).await;
    world.recorder.strike("redis-server starts with an old dump", true);
    world.stack.redis_mut().restore(&dump).await;
    world.healed();
}

pub async fn be_slow(world: &mut World) {
    for (from, to) in [(0.1, 0.3), (0.5, 0.8)] {
        world.moment(from, to).await;
        world.recorder.strike("DEBUG SLEEP 2", true);
        world.stack.redis().block_for(2).await;
        // It answers again when the sleep is over.
        let _ = world.stack.redis().connect().await;
        world.healed();
    }
}

pub async fn come_late(world: &mut World) {
    world.recorder.strike("redis-server is not there", true);
    world.moment(0.3, 0.8).await;
    world.recorder.fault("redis-server starts");
    world.healed();
    world.stack.redis_mut().start_again().await;
}
