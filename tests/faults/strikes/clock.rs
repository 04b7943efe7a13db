//! Clocks that are set while people buy: the database's, or those of API and worker processes.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use serde_json::json;

use super::LOOK_EVERY;
use crate::harness::postgres::try_connect;
use crate::harness::users::{claims, sign};
use crate::harness::{Http, JWT_SECRET, User};
use crate::record::{Record, now_us};
use crate::world::World;

const OFFSETS_S: [i64; 4] = [120, -120, 3600, -3600];
/// What a clock that was set may differ by from what it was set to.
const NEAR_S: i64 = 3;
/// A token that is good for so long before and after a moment tells whether it is that moment.
const BRIEF_S: i64 = 30;
const SHOWN_WITHIN: Duration = Duration::from_secs(4);

/// Each offset once, in an order the dice decides, and back.
pub async fn set_database_clock(world: &mut World) {
    let url = world.stack.postgres.url();
    let mut offsets = OFFSETS_S;
    offsets.shuffle(&mut world.dice);
    for (number, offset_s) in offsets.into_iter().chain([0]).enumerate() {
        let share = 0.1 + 0.2 * number as f64;
        world.moment((share - 0.05).min(0.9), share.min(0.95)).await;
        let from_us = now_us();
        world.clock("postgres").set(offset_s);
        let hit = is_soon(|| database_shows(&url, offset_s)).await;
        world.recorder.write(&Record::Clock { from_us, until_us: now_us(), offset_s });
        world.recorder.strike(format!("the database's clock is {offset_s} s ahead"), hit);
        world.healed();
    }
}

/// Each offset once, for some of the processes, and back.
pub async fn set_process_clocks(world: &mut World) {
    let mut offsets = OFFSETS_S;
    offsets.shuffle(&mut world.dice);
    for (number, offset_s) in offsets.into_iter().enumerate() {
        let share = 0.1 + 0.2 * number as f64;
        world.moment(share - 0.05, share).await;
        let api = world.one_of_two();
        let mut names = vec![format!("api-{api}")];
        for other in [format!("api-{}", 1 - api), "worker-0".to_owned(), "worker-1".to_owned()] {
            if world.dice.random_bool(0.4) {
                names.push(other);
            }
        }
        set_all(world, &names, offset_s).await;
        world.last(1000, 2500).await;
        set_all(world, &names, 0).await;
        world.healed();
    }
}

async fn set_all(world: &World, names: &[String], offset_s: i64) {
    for name in names {
        world.clock(name).set(offset_s);
    }
    let mut hit = true;
    let user = world.stack.user().await;
    for api in world.stack.apis.iter().filter(|api| names.contains(&api.process.name)) {
        hit &= is_soon(|| api_shows(api.http, &user, offset_s)).await;
    }
    world.recorder.strike(format!("the clocks of {names:?} are {offset_s} s ahead"), hit);
}

/// On a session of its own: once in some hundred runs the server restarts its sessions under libfaketime, which we suspect
/// in a signal handler.
async fn database_shows(url: &str, offset_s: i64) -> bool {
    let Ok(database) = try_connect(url).await else { return false };
    let told = database.query_one("select clock_timestamp()", &[]).await;
    told.is_ok_and(|row| is_near(row.get(0), offset_s))
}

/// An API tells its clock by the tokens it takes. (The Date of its answers stands still while its clock is behind what
/// it was.)
async fn api_shows(http: Http, user: &User, offset_s: i64) -> bool {
    let mut brief = claims(user.id);
    let then = Utc::now().timestamp() + offset_s;
    for (name, from_then_s) in [("iat", -BRIEF_S), ("nbf", -BRIEF_S), ("exp", BRIEF_S)] {
        brief[name] = json!(then + from_then_s);
    }
    let request = http.get("/users/session").bearer(&sign(&brief, JWT_SECRET));
    request.try_send().await.is_ok_and(|reply| reply.status == 200 && reply.value()["user"].is_object())
}

fn is_near(clock: DateTime<Utc>, offset_s: i64) -> bool {
    ((clock - Utc::now()).num_seconds() - offset_s).abs() <= NEAR_S
}

async fn is_soon<F: Future<Output = bool>>(is_so: impl Fn() -> F) -> bool {
    let started = Instant::now();
    while started.elapsed() < SHOWN_WITHIN {
        if is_so().await {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}
