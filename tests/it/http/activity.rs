//! GET /sales/{id}/activity: every attempt is counted once, whichever process answered it and whatever happened meanwhile.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::books::purchases_the_database_was_asked;
use crate::harness::{Crowd, Parts, Sale, Stack, User, eventually};

const COUNTED_WITHIN: Duration = Duration::from_secs(10);

async fn activity(stack: &Stack, administrator: &User, sale: &Sale) -> Value {
    let path = format!("/sales/{}/activity", sale.flash_sale_id);
    stack.http().get(&path).bearer(&administrator.token).send().await.expect(200).value()
}

/// Waits until so many attempts are counted.
async fn counted(stack: &Stack, administrator: &User, sale: &Sale, attempts: i64) -> Value {
    eventually(&format!("{attempts} attempts are counted"), COUNTED_WITHIN, async || {
        let activity = activity(stack, administrator, sale).await;
        if activity["attempts"] == attempts { Ok(activity) } else { Err(activity["refusals"].to_string()) }
    })
    .await
}

fn refused(activity: &Value, reason: &str) -> i64 {
    let refusals = activity["refusals"].as_array().expect("refusals");
    refusals.iter().filter(|refusal| refusal["reason"] == reason).map(|refusal| number(&refusal["attempts"])).sum()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("a whole number, not {value}"))
}

fn sum(seconds: &[Value], member: &str) -> i64 {
    seconds.iter().map(|second| number(&second[member])).sum()
}

async fn buy(stack: &Stack, user: &User, product_id: Uuid) -> crate::harness::Reply {
    stack.http().post("/orders").bearer(&user.token).json(&json!({ "product_id": product_id })).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_of_two_apis_add_up_second_by_second() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(10).await;
    let other = stack.sale(10).await;
    let users = stack.users(60).await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    let orders = i64::try_from(history.promised().len()).unwrap();
    stack.wait_until_drained(COUNTED_WITHIN).await;

    let shown = counted(&stack, &administrator, &sale, 60).await;
    assert_eq!(shown["accepted"], orders);
    assert_eq!(number(&shown["accepted"]) + refused(&shown, "sold_out"), 60, "{shown}");
    assert_eq!(shown["in_progress"], 0);
    assert_eq!(shown["sale"]["flash_sale_id"], sale.flash_sale_id.to_string());
    assert_eq!(shown["sale"]["remaining_stock"], 0);
    assert_eq!((&shown["queue"]["depth"], &shown["queue"]["dead_letters"]), (&json!(0), &json!(0)));
    for member in ["oldest_age_s", "drain_rate_per_s"] {
        assert!(shown["queue"][member].as_f64().is_some_and(|value| value >= 0.0), "{member} of {}", shown["queue"]);
    }
    let server_time: DateTime<Utc> = shown["server_time"].as_str().unwrap().parse().unwrap();
    assert!((server_time - Utc::now()).abs() < TimeDelta::seconds(5), "{server_time}");

    let shown = eventually("the seconds hold them all", COUNTED_WITHIN, async || {
        let shown = activity(&stack, &administrator, &sale).await;
        let seconds = shown["seconds"].as_array().unwrap();
        if sum(seconds, "attempts") == 60 && sum(seconds, "succeeded") == 10 { Ok(shown) } else { Err(shown) }
    })
    .await;
    let seconds = shown["seconds"].as_array().unwrap();
    assert_eq!(seconds.len(), 180);
    let times: Vec<DateTime<Utc>> =
        seconds.iter().map(|second| second["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::seconds(1)), "one entry a second: {times:?}");
    assert_eq!(sum(seconds, "accepted") + sum(seconds, "refused"), 60);
    assert_eq!(sum(seconds, "failed"), 0);
    assert_eq!((&seconds[0]["remaining_stock"], &seconds[179]["remaining_stock"]), (&json!(10), &json!(0)));
    assert!(seconds.iter().any(|second| second["queue_depth"].is_i64()), "the queue was looked at while a sale ran");
    assert!(seconds[0]["queue_depth"].is_null(), "and not before: {}", seconds[0]);
    assert_eq!(activity(&stack, &administrator, &other).await["attempts"], 0, "another sale has its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_is_counted_with_the_sale_it_is_about() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let now = Utc::now();
    let hours = TimeDelta::hours;
    let open = stack.sale(5).await;
    let upcoming = stack.sale_between(1, now + hours(1), now + hours(2)).await;
    let ended = stack.sale_between(1, now - hours(2), now - hours(1)).await;
    let user = stack.user().await;
    buy(&stack, &user, open.product_id).await.expect(200);
    stack.wait_until_drained(COUNTED_WITHIN).await;
    buy(&stack, &user, open.product_id).await.problem(400, "already_purchased");
    buy(&stack, &user, upcoming.product_id).await.problem(400, "sale_not_started");
    buy(&stack, &user, ended.product_id).await.problem(400, "sale_ended");
    buy(&stack, &user, Uuid::new_v4()).await.problem(404, "product_not_found");
    assert_eq!(purchases_the_database_was_asked(&stack).await, 2, "the rest is known from the times of the sales");
    let of_open = counted(&stack, &administrator, &open, 2).await;
    assert_eq!((&of_open["accepted"], refused(&of_open, "already_purchased")), (&json!(1), 1), "{of_open}");
    let of_upcoming = counted(&stack, &administrator, &upcoming, 1).await;
    assert_eq!(refused(&of_upcoming, "sale_not_started"), 1, "{of_upcoming}");
    assert_eq!(refused(&counted(&stack, &administrator, &ended, 1).await, "sale_ended"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_counted_too() {
    let environment = vec![("RATE_LIMITS".to_owned(), "on".to_owned())];
    let stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let mut too_many = 0;
    for _ in 0..60 {
        too_many += i64::from(buy(&stack, &user, sale.product_id).await.status == 429);
    }
    assert!(too_many > 0, "60 requests at once are too many");
    let shown = counted(&stack, &administrator, &sale, 60).await;
    assert_eq!(refused(&shown, "too_many_requests"), too_many, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_during_an_outage_are_counted_after_it() {
    let mut stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let users = stack.users(3).await;
    stack.postgres.stop_immediately();
    for user in &users {
        buy(&stack, user, sale.product_id).await.problem(503, "unavailable");
    }
    // Longer than a second: what could not be said once is kept for later.
    let http = stack.http();
    eventually("the API has noticed", COUNTED_WITHIN, async || match http.get("/readyz").send().await.status {
        503 => Ok(()),
        status => Err(status),
    })
    .await;
    stack.postgres.start_again();
    eventually("ready again", Duration::from_secs(15), async || match http.get("/readyz").send().await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    let shown = counted(&stack, &administrator, &sale, 3).await;
    assert_eq!(refused(&shown, "unavailable"), 3, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_that_stops_says_what_it_has_counted() {
    let mut stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let users = stack.users(20).await;
    Crowd::new(&stack, &sale, &users).rush().await;
    stack.apis[0].process.signal(Signal::SIGTERM);
    let status = stack.apis[0].process.wait_for_exit(COUNTED_WITHIN).await;
    assert!(status.success(), "{status}");
    let total = "select sum(attempts)::bigint from flashsale.sale_attempt_totals where flash_sale_id = $1";
    let total: i64 = stack.database().await.query_one(total, &[&sale.flash_sale_id]).await.unwrap().get(0);
    assert_eq!(total, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_count_at_once_do_not_stand_in_each_others_way() {
    let stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
    let sales: Vec<Uuid> = (0..40).map(|_| Uuid::new_v4()).collect();
    let note = async |sales: Vec<Uuid>| {
        let database = stack.database().await;
        let answers: Vec<&str> = sales.iter().map(|_| "sold_out").collect();
        let ones: Vec<i64> = sales.iter().map(|_| 1).collect();
        for _ in 0..150 {
            let note = "select flashsale.note_activity($1, $2, $3)";
            database.execute(note, &[&sales, &answers, &ones]).await.expect("no deadlock");
        }
    };
    let backwards: Vec<Uuid> = sales.iter().rev().copied().collect();
    tokio::join!(note(sales.clone()), note(backwards), note(sales.clone()));
    let sum = "select sum(attempts)::bigint, (select sum(attempts)::bigint from flashsale.sale_attempt_totals)
               from flashsale.sale_attempts";
    let row = stack.database().await.query_one(sum, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3 * 150 * 40, 3 * 150 * 40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activity_and_report_are_for_administrators() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    for what in ["activity", "report", "report.csv"] {
        let path = format!("/sales/{}/{what}", sale.flash_sale_id);
        stack.http().get(&path).send().await.problem(401, "unauthorized");
        stack.http().get(&path).bearer(&user.token).send().await.problem(403, "forbidden");
        stack.http().get(&path).bearer(&administrator.token).send().await.expect(200);
        for id in [Uuid::new_v4().to_string(), "x".to_owned(), "%00".to_owned()] {
            let path = format!("/sales/{id}/{what}");
            stack.http().get(&path).bearer(&administrator.token).send().await.problem(404, "sale_not_found");
            stack.http().get(&path).send().await.problem(401, "unauthorized");
        }
    }
}
