//! Users by way of the API: signed up and signed in, a few at a time because each costs two password hashes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::target::Target;
use super::text;
use crate::client::{self, Exchanged};

const THREADS: usize = 4;
/// Tries of one request that is answered 429 or 503.
const TRIES_MAX: usize = 20;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// E-mails and tokens of `count` new users with this password.
pub fn sign_up(targets: &[Target], count: usize, password: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (next, started_at) = (AtomicUsize::new(0), Instant::now());
    let work = |thread: usize| -> anyhow::Result<Vec<(String, String)>> {
        let mut users = Vec::new();
        let mut told_at = Instant::now();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(users);
            }
            users.push(sign_up_one(&targets[number % targets.len()], password)?);
            if thread == 0 && told_at.elapsed() > PROGRESS_INTERVAL {
                told_at = Instant::now();
                let left = started_at.elapsed().as_secs_f64() / (number + 1) as f64 * (count - number) as f64;
                eprintln!("  {number} of {count} signed up, about {left:.0} s to go");
            }
        }
    };
    let work = &work;
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut users = Vec::with_capacity(count);
    for result in results {
        users.extend(result.map_err(|_| anyhow::anyhow!("a thread that signs up users panicked"))??);
    }
    Ok(users)
}

fn sign_up_one(target: &Target, password: &str) -> anyhow::Result<(String, String)> {
    let email = format!("stress-{}@bench.invalid", Uuid::new_v4().simple());
    let body = json!({ "email": email, "password": password }).to_string();
    ask(target, &client::post(&target.host, "/users", None, &body), 201)?;
    Ok((email.clone(), sign_in(target, &email, password)?))
}

/// The token of a user who exists.
pub fn sign_in(target: &Target, email: &str, password: &str) -> anyhow::Result<String> {
    let body = json!({ "email": email, "password": password }).to_string();
    let answer = ask(target, &client::post(&target.host, "/users/authenticate", None, &body), 200)?;
    text(&answer.json()?, "token")
}

/// Asks again after a moment while the server sheds load.
fn ask(target: &Target, request: &[u8], status: u16) -> anyhow::Result<Exchanged> {
    for _ in 0..TRIES_MAX {
        let answer = client::try_exchange(target.address, request)?;
        if !matches!(answer.status, 429 | 503) {
            anyhow::ensure!(answer.status == status, "signing up or in was answered {}", answer.text());
            return Ok(answer);
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    anyhow::bail!("signing up was answered 429 or 503 {TRIES_MAX} times: start the server with RATE_LIMITS=off")
}
