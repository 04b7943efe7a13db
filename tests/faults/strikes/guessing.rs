//! People who guess passwords: many users from one address, one user from many addresses; and thousands of addresses that
//! are seen once. Meanwhile honest people sign in and buy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::http::Connection;
use crate::harness::{Http, Reply};
use crate::record::{Guess, Record, Recorder, now_us};
use crate::recovery::Probes;
use crate::world::World;

const RIGHT: &str = "the right password of somebody";
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const LASTS: Duration = Duration::from_millis(2500);
/// Connections of the one address: more than it may send at once to every API process, whose hashing is slow.
const AT_ONCE: usize = 160;
/// Who is held back tries again after this.
const PAUSE: Duration = Duration::from_millis(20);
const ADDRESSES: u8 = 40;
/// Addresses that are seen once.
const PASSERS_BY: u16 = 4000;
const MEMORY_KIB_MAX: i64 = 16 * 1024;
const HONEST_SIGN_IN_WITHIN: Duration = Duration::from_secs(10);

pub async fn guess(world: &mut World) {
    let email = format!("guessed-{}@example.com", Uuid::new_v4().simple());
    let made = credentials(&email, RIGHT);
    let reply = world.stack.http().post("/users").json(&made).send().await;
    assert!([201, 409].contains(&reply.status), "signing up answered {} {}", reply.status, reply.text());

    world.moment(0.02, 0.1).await;
    world.recorder.fault("one address guesses the passwords of many users");
    let (before, _) = guesses(world);
    attack(world, &email, |_| Ipv4Addr::new(127, 0, 0, 2), AT_ONCE, 0.2).await;
    let (answered, held_back) = guesses(world);
    world.recorder.figure("guesses_from_one_address_answered_max", answered - before);
    world.recorder.figure("guesses_from_one_address_held_back_max", held_back);
    world.recorder.strike(format!("many users from one address, {held_back} guesses held back"), held_back > 0);

    world.recorder.fault("many addresses guess the password of one user");
    let from = |number: usize| Ipv4Addr::new(127, 0, 1, number as u8 + 1);
    attack(world, &email, from, usize::from(ADDRESSES), 0.9).await;
    let tried = guesses(world).0 - answered;
    world.recorder.figure("guesses_from_many_addresses_answered_max", tried);
    world.recorder.strike(format!("one user from {ADDRESSES} addresses, {tried} guesses answered"), tried > 0);

    // What the hashes of the attack took is given back first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = memory_kib(world);
    pass_by(world, &email).await;
    let grown = (memory_kib(world) - before).max(0);
    world.recorder.figure("memory_growth_kib_max", grown);
    world.recorder.promise(format!("{PASSERS_BY} addresses cost {grown} KiB of memory"), grown < MEMORY_KIB_MAX);
    world.recorder.strike(format!("{PASSERS_BY} addresses pass by"), true);
}

/// Guessers who each send the next guess when the last was answered, while honest people sign in and buy.
async fn attack(world: &mut World, email: &str, from: impl Fn(usize) -> Ipv4Addr, guessers: usize, known_share: f64) {
    let addresses = world.addresses();
    let until = Instant::now() + LASTS;
    let guessing = (0..guessers).map(|number| {
        let at = number % addresses.len();
        let dice = rand::SeedableRng::seed_from_u64(world.dice.random());
        let guesser = Guesser {
            from: from(number),
            address: addresses[at],
            api: world.stack.apis[at].process.name.clone(),
            recorder: world.recorder.clone(),
            known_share,
            dice,
        };
        tokio::spawn(guesser.go(email.to_owned(), until))
    });
    let guessing: Vec<_> = guessing.collect();
    let honest = sign_in_honestly(world, email);
    let buyers = world.users(addresses.len()).await;
    let buying = Probes::new(world, buyers).confirm(Instant::now());
    let (signed_in, bought) = tokio::join!(honest, buying);
    world.recorder.promise("somebody with the right password signs in from another address", signed_in.is_some());
    world.recorder.figure("honest_sign_in_ms_max", signed_in.unwrap_or(HONEST_SIGN_IN_WITHIN).as_millis());
    world.recorder.promise("purchases are confirmed while passwords are guessed", bought.is_some());
    world.recorder.figure("honest_purchase_ms_max", bought.unwrap_or_default().as_millis());
    for guesser in guessing {
        guesser.await.expect("a guesser");
    }
}

struct Guesser {
    from: Ipv4Addr,
    address: SocketAddr,
    api: String,
    recorder: Recorder,
    /// How many of the guesses are about the user who exists.
    known_share: f64,
    dice: rand::rngs::SmallRng,
}

impl Guesser {
    async fn go(mut self, email: String, until: Instant) {
        let mut connection = None;
        while Instant::now() < until {
            let is_known_user = self.dice.random_bool(self.known_share);
            let is_right = is_known_user && self.dice.random_bool(0.1);
            let password = if is_right { RIGHT.to_owned() } else { format!("wrong-{}", self.dice.random::<u32>()) };
            let whom = if is_known_user { email.clone() } else { format!("nobody-{}@example.com", Uuid::new_v4()) };
            let sent_us = now_us();
            let reply = self.exchange(&mut connection, &credentials(&whom, &password)).await;
            let (status, code) = reply.map_or((0, String::new()), |reply| (reply.status, code_of(&reply)));
            let (from, api) = (self.from, self.api.clone());
            self.recorder.write(&Record::Guess(Guess { from, api, sent_us, is_known_user, is_right, status, code }));
            if status != 200 && status != 401 {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn exchange(&self, connection: &mut Option<Connection>, body: &Value) -> Option<Reply> {
        let request = Http { address: self.address }.post("/users/authenticate").json(body);
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open_from(self.from, self.address).await.ok()?,
        };
        let reply = tokio::time::timeout(ANSWER_WITHIN, open.exchange(&request.bytes())).await.ok()?.ok()?;
        if !reply.closes {
            *connection = Some(open);
        }
        Some(reply)
    }
}

/// From 127.0.0.1, as everybody who shops. How long it took.
async fn sign_in_honestly(world: &World, email: &str) -> Option<Duration> {
    let started = Instant::now();
    let right = credentials(email, RIGHT);
    while started.elapsed() < HONEST_SIGN_IN_WITHIN {
        for address in world.addresses().iter() {
            let reply = Http { address: *address }.post("/users/authenticate").json(&right).try_send().await;
            if reply.is_ok_and(|reply| reply.status == 200) {
                return Some(started.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

/// Each address asks once, with a body that is refused before anything is hashed.
async fn pass_by(world: &World, email: &str) {
    let addresses = world.addresses();
    let body = credentials(email, "");
    for number in 0..PASSERS_BY {
        let [high, low] = number.to_be_bytes();
        let address = addresses[usize::from(number) % addresses.len()];
        let request = Http { address }.post("/users/authenticate").json(&body);
        if let Ok(mut open) = Connection::open_from(Ipv4Addr::new(127, 1, high, low.max(1)), address).await {
            let _ = open.exchange(&request.bytes()).await;
        }
    }
}

fn credentials(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

fn code_of(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

/// How many guesses were answered and how many held back (429), by the history so far.
fn guesses(world: &World) -> (usize, usize) {
    let records = crate::record::read(&world.directory.join("history.jsonl"));
    let statuses = records.iter().filter_map(|record| match record {
        Record::Guess(guess) => Some(guess.status),
        _ => None,
    });
    let (held_back, answered): (Vec<u16>, Vec<u16>) = statuses.partition(|status| *status == 429);
    (answered.len(), held_back.len())
}

/// The memory of the API processes together.
fn memory_kib(world: &World) -> i64 {
    let of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::trim));
        line.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(0)
    };
    world.stack.apis.iter().map(|api| of(api.process.pid())).sum()
}
