//! kill -9 at named points before COMMIT. There is no code for it in the product: each point is a trigger in the run's own
//! database that takes an advisory lock for a moment. Who strikes holds the lock, waits until somebody stands in it,
//! and kills the process that this session belongs to.

use std::time::Instant;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use tokio_postgres::Client;

use super::{LOOK_EVERY, SOON};
use crate::feeder::Feeder;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::world::World;

const LOCK_CLASS: i32 = 7355;

struct Point {
    name: &'static str,
    key: i32,
    /// When its trigger fires.
    event: &'static str,
    /// A deferred trigger fires within COMMIT.
    is_deferred: bool,
}

const fn point(key: i32, name: &'static str, event: &'static str) -> Point {
    Point { name, key, event, is_deferred: false }
}

const IN_SETTLING: &[Point] = &[
    point(1, "taken", "delete on pgmq.q_purchases"),
    point(2, "decided", "update on flashsale.orders"),
    point(3, "counted", "update on flashsale.flash_sales"),
    point(4, "recorded", "insert on flashsale.settled_batches"),
    Point { is_deferred: true, ..point(5, "at-commit", "insert on flashsale.settled_batches") },
];

const IN_PLACING: &[Point] = &[
    point(11, "inserted", "insert on flashsale.orders"),
    point(12, "queued", "insert on pgmq.q_purchases"),
    point(13, "admitted", "update on flashsale.sale_intakes"),
    Point { is_deferred: true, ..point(14, "at-commit", "insert on flashsale.orders") },
];

/// A statement that changes nothing, such as a look at an empty queue, passes.
const PASS: &str = "create schema failpoints;
    create function failpoints.pass() returns trigger language plpgsql as $$
    begin
        if tg_level = 'STATEMENT' then
            if not exists (select from changed) then
                return null;
            end if;
        end if;
        perform pg_catalog.pg_advisory_xact_lock_shared(tg_argv[0]::integer, tg_argv[1]::integer);
        return null;
    end $$;";

impl Point {
    fn trigger(&self) -> String {
        let Self { key, event, .. } = self;
        let call = format!("execute function failpoints.pass({LOCK_CLASS}, {key})");
        if self.is_deferred {
            return format!(
                "create constraint trigger failpoint_{key} after {event} deferrable initially deferred
                 for each row {call};"
            );
        }
        let table = if event.starts_with("delete") { "old" } else { "new" };
        format!(
            "create trigger failpoint_{key} after {event} referencing {table} table as changed
             for each statement {call};"
        )
    }
}

/// Which processes are killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victims {
    Workers,
    Apis,
}

pub async fn kill_workers(world: &mut World) {
    visit_all(world, IN_SETTLING, Victims::Workers).await;
}

pub async fn kill_apis(world: &mut World) {
    visit_all(world, IN_PLACING, Victims::Apis).await;
}

/// Every point once, in an order the dice decides.
async fn visit_all(world: &mut World, points: &[Point], victims: Victims) {
    let database = world.stack.database().await;
    database.batch_execute(PASS).await.expect("make what the points call");
    for point in points {
        // Each in its own transaction: people are buying, and two tables locked by one could be a deadlock.
        database.batch_execute(&point.trigger()).await.expect("make a point");
    }
    let feeder = Feeder::start(world).await;
    let mut order: Vec<&Point> = points.iter().collect();
    order.shuffle(&mut world.dice);
    for (number, point) in order.into_iter().enumerate() {
        let share = 0.05 + 0.85 * number as f64 / points.len() as f64;
        world.moment(share, share + 0.1).await;
        strike_at(world, &database, point, victims).await;
    }
    feeder.stop().await;
}

async fn strike_at(world: &mut World, database: &Client, point: &Point, victims: Victims) {
    let lock = [&LOCK_CLASS as &(dyn tokio_postgres::types::ToSql + Sync), &point.key];
    database.execute("select pg_advisory_lock($1, $2)", &lock).await.expect("close the point");
    let found = wait_for_victim(world, database, point, victims).await;
    // Half of them go on to their COMMIT although nobody is there to hear of it; the others go back.
    let goes_on = world.dice.random_bool(0.5);
    match found {
        None => world.recorder.strike(format!("kill -9 at {}: nobody came", point.name), false),
        Some((index, session)) => {
            let name = victim(world, victims, index).name.clone();
            let end = if goes_on { "its session goes on" } else { "its session ends" };
            world.recorder.strike(format!("kill -9 {name} at {}, session {session}: {end}", point.name), true);
            victim(world, victims, index).kill();
            if !goes_on {
                database.execute("select pg_terminate_backend($1)", &[&session]).await.expect("end the session");
            }
        }
    }
    database.execute("select pg_advisory_unlock($1, $2)", &lock).await.expect("open the point");
    if let Some((index, session)) = found {
        wait_for_end(database, session).await;
        victim(world, victims, index).start_again();
    }
}

/// Or the session of the dead process would go on into the next point and keep everybody else out.
async fn wait_for_end(database: &Client, session: i32) {
    eventually("the session of a killed process ends", SOON, async || {
        let row = database.query_one("select exists (select from pg_stat_activity where pid = $1)", &[&session]).await;
        match row.map(|row| row.get::<_, bool>(0)) {
            Ok(false) => Ok(()),
            Ok(true) => Err("still there".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}

fn victim(world: &mut World, victims: Victims, index: usize) -> &mut Process {
    match victims {
        Victims::Workers => &mut world.stack.workers[index],
        Victims::Apis => &mut world.stack.apis[index].process,
    }
}

/// Waits until a session of such a process stands in the point: the number of the process, and the session.
async fn wait_for_victim(
    world: &mut World,
    database: &Client,
    point: &Point,
    victims: Victims,
) -> Option<(usize, i32)> {
    let waiting = "select a.pid, a.client_port from pg_locks l join pg_stat_activity a on a.pid = l.pid
                   where l.locktype = 'advisory' and not l.granted
                       and l.classid = $1::integer::oid and l.objid = $2::integer::oid";
    let started = Instant::now();
    while started.elapsed() < SOON {
        let rows = database.query(waiting, &[&LOCK_CLASS, &point.key]).await.expect("look for who waits");
        for row in rows {
            let (session, port): (i32, i32) = (row.get(0), row.get(1));
            let owns = |process: &Process| owns_connection(process.pid(), port);
            let found = match victims {
                Victims::Workers => world.stack.workers.iter().position(owns),
                Victims::Apis => world.stack.apis.iter().position(|api| owns(&api.process)),
            };
            if let Some(index) = found {
                return Some((index, session));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}

/// Whether a process holds the TCP connection with this port on its side.
fn owns_connection(pid: u32, port: i32) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    let sockets: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(1) == Some(&local.as_str()))
        .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}
