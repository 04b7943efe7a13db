//! Buyers by way of the API: signed up and signed in, a few at a time because each costs two password hashes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::text;
use crate::client::{self, Exchanged};

const THREADS: usize = 4;
/// Tries of one request that is answered 429 or 503.
const TRIES_MAX: usize = 20;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Tokens of `count` new users.
pub fn sign_up(address: SocketAddr, host: &str, count: usize) -> anyhow::Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Vec<String>> {
        let mut tokens = Vec::new();
        let mut told_at = Instant::now();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(tokens);
            }
            tokens.push(sign_up_one(address, host)?);
            if told_at.elapsed() > PROGRESS_INTERVAL {
                told_at = Instant::now();
                eprintln!("  {number} of {count} signed up");
            }
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut tokens = Vec::new();
    for result in results {
        tokens.extend(result.map_err(|_| anyhow::anyhow!("a thread that signs up buyers panicked"))??);
    }
    Ok(tokens)
}

fn sign_up_one(address: SocketAddr, host: &str) -> anyhow::Result<String> {
    let email = format!("stress-{}@bench.invalid", Uuid::new_v4().simple());
    let body = json!({ "email": email, "password": format!("pw-{}", Uuid::new_v4()) }).to_string();
    ask(address, &client::post(host, "/users", None, &body), 201)?;
    let answer = ask(address, &client::post(host, "/users/authenticate", None, &body), 200)?;
    text(&answer.json()?, "token")
}

/// Asks again after a moment while the server sheds load.
fn ask(address: SocketAddr, request: &[u8], status: u16) -> anyhow::Result<Exchanged> {
    for _ in 0..TRIES_MAX {
        let answer = client::try_exchange(address, request)?;
        if !matches!(answer.status, 429 | 503) {
            anyhow::ensure!(answer.status == status, "signing up was answered {}", answer.text());
            return Ok(answer);
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    anyhow::bail!("signing up was answered 429 or 503 {TRIES_MAX} times: start the server with RATE_LIMITS=off")
}
