//! A disk that is full: PostgreSQL has its data on a small file system of its own, and something else takes what is left
//! of it. Without room for the log of transactions the server ends itself, and cannot start before there is some.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{LOOK_EVERY, SOON, wait_for_database};
use crate::harness::postgres::try_connect;
use crate::world::World;

const CHUNK_BYTES: usize = 1 << 20;
/// How long a server that has room again may take to come back by itself.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Twice: first tables cannot grow; then the log of transactions cannot either.
pub async fn fill(world: &mut World) {
    let url = world.stack.postgres.url();
    for (from, to, needs_log) in [(0.1, 0.2, false), (0.4, 0.6, true)] {
        world.moment(from, to).await;
        let filler = fill_up(&world.stack.postgres.data);
        let hit = if needs_log { cannot_log(&url).await } else { cannot_grow(&url).await };
        let what = if needs_log { "the log of transactions" } else { "a table" };
        world.recorder.strike(format!("the disk is full, {what} cannot grow"), hit);
        world.last(300, 1500).await;
        std::fs::remove_file(filler).expect("make room");
        world.recorder.fault("there is room again");
        world.healed();
        bring_back(world).await;
    }
}

fn fill_up(directory: &Path) -> PathBuf {
    let path = directory.join("filler");
    let mut file = File::create(&path).expect("make the filler");
    let mut size = CHUNK_BYTES;
    while size > 0 {
        match file.write(&vec![b'x'; size]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => size /= 4,
            Err(error) => panic!("fill the disk: {error}"),
        }
    }
    path
}

/// Whether a new table is refused because the disk is full, or the server is gone already.
async fn cannot_grow(url: &str) -> bool {
    let grow = "create table public.filler as select repeat('x', 4000) as x from generate_series(1, 2000)";
    match try_connect(url).await {
        Err(_) => true,
        Ok(session) => session.batch_execute(grow).await.is_err_and(|error| match error.code() {
            Some(code) => *code == tokio_postgres::error::SqlState::DISK_FULL,
            None => error.is_closed(),
        }),
    }
}

/// Uses up what is left of the log, until the server ends itself.
async fn cannot_log(url: &str) -> bool {
    let started = Instant::now();
    while started.elapsed() < SOON {
        let Ok(session) = try_connect(url).await else { return true };
        let use_up = "select pg_logical_emit_message(false, 'filler', repeat('x', 100000)), pg_switch_wal()";
        if session.batch_execute(use_up).await.is_err() {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

/// A server that has ended itself and could not start is started by whoever made room.
async fn bring_back(world: &mut World) {
    let url = world.stack.postgres.url();
    let started = Instant::now();
    while started.elapsed() < COMES_BACK_WITHIN {
        if let Ok(session) = try_connect(&url).await
            && session.batch_execute("select").await.is_ok()
        {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    world.recorder.fault("PostgreSQL is started again");
    world.stack.postgres.start_again();
    wait_for_database(&world.stack).await;
}
