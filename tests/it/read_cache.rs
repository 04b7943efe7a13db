//! The sales that a worker keeps in Redis for all APIs.

use std::time::Duration;

use chrono::Utc;
use nix::sys::signal::Signal;
use redis::AsyncCommands as _;
use serde_json::{Value, json};

use crate::harness::{Parts, Stack, eventually};

const KEY: &str = "flashsale:sales";
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
const STOPS_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_are_read_from_the_cache_and_from_the_database_without_it() {
    let mut stack = Stack::with(Parts { redis: true, ..Parts::default() }).await;
    stack.sale(3).await;
    let mut redis = stack.redis().connect().await;
    let mut cached: Value = eventually("a worker keeps the sale in Redis", SHOWN_WITHIN, async || {
        let bytes: Option<Vec<u8>> = redis.clone().get(KEY).await.unwrap();
        let cached: Value = serde_json::from_slice(&bytes.ok_or("nothing")?).map_err(|_| "no JSON")?;
        cached["sales"].as_array().is_some_and(|sales| sales.len() == 1).then_some(cached).ok_or("no sale")
    })
    .await;
    let name = cached["sales"][0]["name"].as_str().unwrap().to_owned();
    // Nobody else writes there now.
    stack.workers[0].signal(Signal::SIGTERM);
    stack.workers[0].wait_for_exit(STOPS_WITHIN).await;

    cached["sales"][0]["name"] = json!("Of the cache");
    cached["database_time"] = json!(Utc::now());
    redis.set::<_, _, ()>(KEY, cached.to_string()).await.unwrap();
    expect_name(&stack, "Of the cache").await;
    redis.set::<_, _, ()>(KEY, "written by another version").await.unwrap();
    expect_name(&stack, &name).await;
}

async fn expect_name(stack: &Stack, name: &str) {
    eventually("the sale is shown", SHOWN_WITHIN, async || {
        let list = stack.http().get("/sales").send().await.expect(200).value();
        let shown = list["sales"][0]["name"].clone();
        if shown == name { Ok(()) } else { Err(format!("{shown} instead of {name}")) }
    })
    .await;
}
