//! What every integration test stands on: a private stack, a client, a crowd with a recorded history, and a checker of
//! the books that knows the contract and the database but none of the code it judges.

pub mod books;
mod container;
pub mod crowd;
#[allow(dead_code, reason = "only the fault harness asks whether it can be had")]
pub mod disk;
pub mod history;
pub mod http;
pub mod monitor;
pub mod postgres;
pub mod process;
#[allow(dead_code, reason = "only the fault harness plays all its tricks")]
pub mod proxy;
pub mod redis;
pub mod redis_sets;
pub mod stack;
pub mod users;
pub mod wait;

pub use books::Books;
pub use crowd::Crowd;
pub use history::History;
pub use http::{Connection, Http, Reply, Request};
pub use monitor::Monitor;
pub use stack::{FLASHSALE, Parts, Sale, Stack};
pub use users::{JWT_SECRET, User};
pub use wait::eventually;

/// Held by the tests that load both cores, so that `cargo test` runs them one after the other as nextest does.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ALONE.lock().await
}
