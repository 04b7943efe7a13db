//! What is bounded: requests in progress, passwords being hashed, and, when they are on, requests of one user and one
//! address. Who is turned away hears when to come back.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::document::Document;
use crate::harness::{Parts, Reply, Stack, eventually};

fn with(variables: &[(&str, &str)]) -> Parts {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Parts { environment, ..Parts::default() }
}

#[track_caller]
fn expect_retry_after(reply: &Reply) {
    let after = reply.header("retry-after").unwrap_or_else(|| panic!("{} without Retry-After", reply.status));
    assert!(after.parse::<u64>().is_ok_and(|seconds| (1..=3600).contains(&seconds)), "Retry-After: {after}");
    assert!(reply.value()["code"].is_string(), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_beyond_the_bound_are_shed() {
    let stack = Stack::with(with(&[("PASSWORD_HASHES_IN_FLIGHT_MAX", "1"), ("PASSWORD_HASHES_QUEUED_MAX", "2")])).await;
    let body = json!({ "email": "nobody@example.com", "password": "not the password" });
    let replies = join_all((0..40).map(|_| {
        let request = stack.http().post("/users/authenticate").json(&body);
        async move { request.send().await }
    }))
    .await;
    let shed: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(!shed.is_empty(), "40 sign-ins at once and none was shed");
    shed.iter().for_each(|reply| expect_retry_after(reply));
    assert!(replies.iter().any(|reply| reply.status == 401), "some are served");
    assert!(replies.iter().all(|reply| [401, 503].contains(&reply.status)));
    stack.http().post("/users/authenticate").json(&body).send().await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_bound_are_shed() {
    let stack = Stack::with(with(&[("REQUESTS_IN_FLIGHT_MAX", "4")])).await;
    let sale = stack.sale(20).await;
    let users = stack.users(20).await;
    let locker = stack.database().await;
    locker.batch_execute("begin; lock table flashsale.orders in share mode").await.unwrap();
    let body = json!({ "product_id": sale.product_id });
    let requests = users.iter().map(|user| stack.http().post("/orders").bearer(&user.token).json(&body));
    let replies = requests.map(|request| tokio::spawn(async move { request.send().await })).collect::<Vec<_>>();
    eventually("16 of 20 requests are shed", Duration::from_secs(2), async || {
        let answered = replies.iter().filter(|reply| reply.is_finished()).count();
        if answered == 16 { Ok(()) } else { Err(format!("{answered} answered")) }
    })
    .await;
    locker.batch_execute("rollback").await.unwrap();
    let replies: Vec<Reply> = join_all(replies).await.into_iter().map(Result::unwrap).collect();
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.status, 503, "{}", reply.text());
        expect_retry_after(reply);
    }
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 4);
    stack.wait_until_drained(Duration::from_secs(10)).await;
    let orders: i64 =
        stack.database().await.query_one("select count(*) from flashsale.orders", &[]).await.unwrap().get(0);
    assert_eq!(orders, 4, "who was shed has no order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_guessing_is_limited() {
    let stack = Stack::with(with(&[("RATE_LIMITS", "on")])).await;
    let account = json!({ "email": "victim@example.com", "password": "long enough a password" });
    stack.http().post("/users").json(&account).send().await.expect(201);
    let guess = json!({ "email": "victim@example.com", "password": "wrong" });
    let mut limited = None;
    for number in 0..200 {
        let reply = stack.http().post("/users/authenticate").json(&guess).send().await;
        if reply.status == 429 {
            limited = Some((number, reply));
            break;
        }
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    let (number, reply) = limited.expect("200 guesses at one account from one address are not limited");
    expect_retry_after(&reply);
    Document::of(stack.http()).await.expect_example_of("authenticate", &reply);
    assert!(number >= 3, "the limit leaves room for a typing error: {number}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_and_sign_ups_from_one_address_are_limited() {
    let stack = Stack::with(with(&[("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1")])).await;
    let document = Document::of(stack.http()).await;
    // Costs no hashing, so that the limit is what ends it.
    let body = json!({ "email": "no address", "password": "long enough a password" });
    let ask =
        async |path: &str, from: &str| stack.http().post(path).header("x-forwarded-for", from).json(&body).send().await;
    let mut taken = 0;
    let refused = loop {
        let reply = ask("/users/authenticate", "198.51.100.1").await;
        if reply.status == 429 {
            break reply;
        }
        reply.problem(400, "invalid_request");
        taken += 1;
        assert!(taken < 500, "500 sign-ins from one address are not limited");
    };
    assert!(taken >= 20, "many people may share an address: {taken}");
    expect_retry_after(&refused);
    document.expect_example_of("authenticate", &refused);
    assert!(refused.header("ratelimit").unwrap().starts_with("\"sign_ins\";r=0;t="), "{refused:?}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"sign_ins\";q=50;w=10"), "{refused:?}");
    refused.problem(429, "too_many_requests");
    ask("/users/authenticate", "203.0.113.7").await.problem(400, "invalid_request");
    let refused = eventually("signing up is counted with signing in", Duration::from_secs(5), async || {
        let reply = ask("/users", "198.51.100.1").await;
        if reply.status == 429 { Ok(reply) } else { Err(reply.status) }
    })
    .await;
    document.expect_example_of("create_user", &refused);
    eventually("who waits is served again", Duration::from_secs(5), async || {
        match ask("/users/authenticate", "198.51.100.1").await.status {
            400 => Ok(()),
            status => Err(status),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchases_of_one_user_are_limited() {
    let stack = Stack::with(with(&[("RATE_LIMITS", "on")])).await;
    let sale = stack.sale(5).await;
    let users = stack.users(2).await;
    let body = json!({ "product_id": sale.product_id });
    let document = Document::of(stack.http()).await;
    let mut limited = false;
    for _ in 0..500 {
        let reply = stack.http().post("/orders").bearer(&users[0].token).json(&body).send().await;
        if reply.status == 429 {
            expect_retry_after(&reply);
            document.expect_example_of("place_order", &reply);
            limited = true;
            break;
        }
        assert!([200, 400].contains(&reply.status), "{}", reply.text());
    }
    assert!(limited, "500 purchases of one user are not limited");
    let other = stack.http().post("/orders").bearer(&users[1].token).json(&body).send().await;
    assert_eq!(other.status, 200, "another user is not limited by it: {}", other.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_are_off_are_mentioned_at_the_start() {
    let stack = Stack::start().await;
    assert!(stack.apis[0].process.log_text().contains("RATE_LIMITS"), "{}", stack.apis[0].process.log_text());
}
