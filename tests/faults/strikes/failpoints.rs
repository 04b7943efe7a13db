//! kill -9 at named points before COMMIT. There is no code for it in the product: each point is a trigger in the run's own
//! database that takes an advisory lock for a moment. Who strikes holds the lock, waits until somebody stands in it,
//! and kills the process that this session belongs to.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use tokio_postgres::Client;

use super::SOON;
use super::victims::{Found, Victims};
use crate::harness::eventually;
use crate::world::World;

const LOCK_CLASS: i32 = 7355;
/// Sessions that stand in a point.
const WAITING: &str = "select a.pid, a.client_port from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and not l.granted
        and l.classid = $1::integer::oid and l.objid = $2::integer::oid";

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
    let mut order: Vec<&Point> = points.iter().collect();
    order.shuffle(&mut world.dice);
    for (number, point) in order.into_iter().enumerate() {
        let share = 0.05 + 0.85 * number as f64 / points.len() as f64;
        world.moment(share, share + 0.1).await;
        strike_at(world, &database, point, victims).await;
    }
}

async fn strike_at(world: &mut World, database: &Client, point: &Point, victims: Victims) {
    let lock = [&LOCK_CLASS as &(dyn tokio_postgres::types::ToSql + Sync), &point.key];
    database.execute("select pg_advisory_lock($1, $2)", &lock).await.expect("close the point");
    let found = victims.wait_for(world, database, WAITING, &lock).await;
    world.recorder.figure(&hit_at(point), i64::from(found.is_some()));
    // Half of them go on to their COMMIT although nobody is there to hear of it; the others go back.
    let goes_on = world.dice.random_bool(0.5);
    match found {
        None => world.recorder.strike(format!("kill -9 at {}: nobody came", point.name), false),
        Some(Found { index, session }) => {
            let name = victims.process(world, index).name.clone();
            let end = if goes_on { "its session goes on" } else { "its session ends" };
            world.recorder.strike(format!("kill -9 {name} at {}, session {session}: {end}", point.name), true);
            victims.process(world, index).kill();
            if !goes_on {
                database.execute("select pg_terminate_backend($1)", &[&session]).await.expect("end the session");
            }
        }
    }
    database.execute("select pg_advisory_unlock($1, $2)", &lock).await.expect("open the point");
    if let Some(Found { index, session }) = found {
        victims.process(world, index).start_again();
        world.healed();
        wait_for_end(database, session).await;
    }
}

fn hit_at(point: &Point) -> String {
    format!("hit at {} ({})", point.name, point.event)
}

/// The figures of the points of a fault: each must have been 1 once.
pub fn points_of(fault: &str) -> Vec<String> {
    let points = match fault {
        "worker-failpoints" => IN_SETTLING,
        "api-failpoints" => IN_PLACING,
        _ => &[],
    };
    points.iter().map(hit_at).collect()
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
