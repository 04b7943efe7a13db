//! People who sign out and whose token goes on being used: no API process may take it any more, also one that heard
//! nothing of it, and one that has just started.

use std::time::{Duration, Instant};

use crate::client::{Client, Purchase};
use crate::harness::history::Answer;
use crate::harness::{Http, User};
use crate::record::{Record, now_us};
use crate::world::World;

const PEOPLE: usize = 12;
/// Everybody hears of it by a notification.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// Who has lost the connection on which it hears asks when it has a new one.
const LISTENS_AGAIN_WITHIN: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_millis(5);

pub async fn sign_out(world: &mut World) {
    for (from, to) in [(0.05, 0.15), (0.3, 0.4)] {
        world.moment(from, to).await;
        sign_all_out(world, HEARD_WITHIN).await;
    }
    world.moment(0.5, 0.6).await;
    let database = world.stack.database().await;
    let deafen = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flashsale listener'";
    let ended = database.query(deafen, &[]).await.expect("end the listeners").len();
    world.recorder.strike(format!("{ended} listeners are cut off"), ended > 0);
    sign_all_out(world, LISTENS_AGAIN_WITHIN).await;
    world.moment(0.7, 0.8).await;
    start_after_sign_out(world).await;
}

async fn sign_all_out(world: &mut World, within: Duration) {
    let users = world.users(PEOPLE).await;
    let first = world.one_of_two();
    let each = users.into_iter().enumerate().map(|(number, user)| sign_out_one(world, user, first + number, within));
    let signed_out = futures_util::future::join_all(each).await.into_iter().filter(|is_out| *is_out).count();
    world.recorder.strike(format!("{signed_out} people have signed out"), signed_out > 0);
    world.healed();
}

/// Signs out at one API process, then buys with the same token there at once, and at the other until it refuses.
async fn sign_out_one(world: &World, user: User, at: usize, within: Duration) -> bool {
    let addresses = world.addresses();
    let (here, there) = (addresses[at % addresses.len()], addresses[(at + 1) % addresses.len()]);
    let product_id = world.sales.probe.product_id;
    world.recorder.write(&Record::GaveUp { user_id: user.id, product_id });
    let reply = Http { address: here }.delete("/users/session").bearer(&user.token).try_send().await;
    if !reply.is_ok_and(|reply| reply.status == 204) {
        return false;
    }
    let answered = Instant::now();
    let within_us = i64::try_from(within.as_micros()).expect("a time");
    world.recorder.write(&Record::LoggedOut { user_id: user.id, answered_us: now_us(), within_us });
    let purchase = Purchase::plain(user, product_id);
    let mut other = Client::new([there].into(), 0, world.recorder.clone());
    let mut same = Client::new([here].into(), 0, world.recorder.clone());
    let status = status_of(&same.buy(&purchase).await);
    world.recorder.write(&Record::Stranger { what: "token: signed out here".to_owned(), status });
    while answered.elapsed() < within * 2 {
        if status_of(&other.buy(&purchase).await) == 401 {
            break;
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    world.recorder.figure("signed_out_everywhere_ms_max", answered.elapsed().as_millis());
    true
}

/// A process that starts has to know who signed out before it was there.
async fn start_after_sign_out(world: &mut World) {
    let users = world.users(PEOPLE).await;
    let index = world.one_of_two();
    let other = Http { address: world.addresses()[1 - index] };
    world.stack.apis[index].process.kill();
    let mut signed_out = 0;
    for user in &users {
        let product_id = world.sales.probe.product_id;
        world.recorder.write(&Record::GaveUp { user_id: user.id, product_id });
        let reply = other.delete("/users/session").bearer(&user.token).try_send().await;
        if reply.is_ok_and(|reply| reply.status == 204) {
            let (user_id, answered_us) = (user.id, now_us());
            world.recorder.write(&Record::LoggedOut { user_id, answered_us, within_us: 0 });
            signed_out += 1;
        }
    }
    world.recorder.strike(format!("kill -9 api-{index}, {signed_out} people sign out, start"), signed_out > 0);
    world.stack.apis[index].process.start_again();
    world.healed();
    let address = world.stack.apis[index].http.address;
    let product_id = world.sales.probe.product_id;
    for user in users {
        // From its first answer on; before that nobody is there.
        let mut client = Client::new([address].into(), 0, world.recorder.clone());
        let purchase = Purchase::plain(user, product_id);
        let started = Instant::now();
        while status_of(&client.buy(&purchase).await) != 401 && started.elapsed() < LISTENS_AGAIN_WITHIN {
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
}

fn status_of(answer: &Answer) -> u16 {
    match answer {
        Answer::Ok { .. } => 200,
        Answer::Refused { status, .. } => *status,
        Answer::Unknown(_) => 0,
    }
}
