//! GET /sales/{id}/report and report.csv: the numbers of a sale agree with what its crowd was told.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::history::Answer;
use crate::harness::{Crowd, Parts, Reply, Sale, Stack, User, eventually};

const COUNTED_WITHIN: Duration = Duration::from_secs(10);

async fn get(stack: &Stack, administrator: &User, sale: &Sale, what: &str) -> Reply {
    let path = format!("/sales/{}/{what}", sale.flash_sale_id);
    stack.http().get(&path).bearer(&administrator.token).send().await.expect(200)
}

async fn report_of(stack: &Stack, administrator: &User, sale: &Sale, attempts: usize) -> Value {
    eventually("every attempt is in the report", COUNTED_WITHIN, async || {
        let report = get(stack, administrator, sale, "report").await.value();
        if report["attempts"] == attempts { Ok(report) } else { Err(report) }
    })
    .await
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("a whole number, not {value}"))
}

fn sum(minutes: &Value, member: &str) -> i64 {
    minutes.as_array().expect("minutes").iter().map(|minute| number(&minute[member])).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_agrees_with_what_the_crowd_was_told() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(15).await;
    let users = stack.users(40).await;
    let history = Crowd::new(&stack, &sale, &users).twice_in_parallel().rush().await;
    stack.wait_until_drained(COUNTED_WITHIN).await;
    let accepted = history.count(|answer| matches!(answer, Answer::Ok { .. }));
    let sold_out = history.count(|answer| matches!(answer, Answer::Refused { code, .. } if code == "sold_out"));

    let report = report_of(&stack, &administrator, &sale, 80).await;
    assert_eq!((&report["accepted"], &report["sold"]), (&json!(accepted), &json!(15)), "{report}");
    assert_eq!((&report["in_progress"], &report["failed"]), (&json!(0), &json!(0)), "{report}");
    assert_eq!(report["balanced"], true, "{report}");
    assert_eq!(report["sale"]["remaining_stock"], 0, "{report}");
    let refusals = report["refusals"].as_array().unwrap();
    let refused: i64 = refusals.iter().map(|refusal| number(&refusal["attempts"])).sum();
    assert_eq!(number(&report["accepted"]) + refused, 80, "{report}");
    let of_sold_out = refusals.iter().find(|refusal| refusal["reason"] == "sold_out").expect("sold_out");
    assert_eq!(of_sold_out["attempts"], sold_out, "{report}");

    let minutes = &report["minutes"];
    assert_eq!((sum(minutes, "attempts"), sum(minutes, "refused")), (80, refused), "{minutes}");
    assert_eq!((sum(minutes, "succeeded"), sum(minutes, "failed")), (15, 0), "{minutes}");
    // The sale has been open for a minute, and was sold out within seconds.
    assert!((60_000..120_000).contains(&number(&report["sold_out_after_ms"])), "{}", report["sold_out_after_ms"]);

    let fairness = &report["fairness"];
    assert_eq!((&fairness["orders"], &fairness["failed_before_later_success"]), (&json!(15), &json!(0)), "{fairness}");
    let waited = ["waited_p50_ms", "waited_p99_ms", "waited_max_ms"].map(|name| fairness[name].as_f64().unwrap());
    assert!(0.0 < waited[0] && waited[0] <= waited[1] && waited[1] <= waited[2], "{fairness}");
    assert!(waited[2] < 10_000.0, "{fairness}");
    assert!((0..15).contains(&number(&fairness["overtaken"])), "{fairness}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_of_a_sale_that_nobody_tried_says_so() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let now = Utc::now();
    let sale = stack.sale_between(5, now + TimeDelta::hours(1), now + TimeDelta::hours(2)).await;
    let report = get(&stack, &administrator, &sale, "report").await.value();
    assert_eq!((&report["attempts"], &report["sold"], &report["minutes"]), (&json!(0), &json!(0), &json!([])));
    assert_eq!(report["balanced"], true);
    for member in ["waited_p50_ms", "waited_p99_ms", "waited_max_ms"] {
        assert!(report["fairness"][member].is_null(), "{report}");
    }
    assert!(report["sold_out_after_ms"].is_null(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_says_who_lost_a_unit_that_was_withdrawn_and_when_the_books_do_not_balance() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    for user in stack.users(5).await {
        let body = json!({ "product_id": sale.product_id });
        stack.http().post("/orders").bearer(&user.token).json(&body).send().await.expect(200);
    }
    assert_eq!(get(&stack, &administrator, &sale, "report").await.value()["in_progress"], 5);
    let withdraw = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 3 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&withdraw).send().await.expect(200);
    stack.start_worker();
    stack.wait_until_drained(COUNTED_WITHIN).await;
    let report = report_of(&stack, &administrator, &sale, 5).await;
    let told = ["sold", "failed", "in_progress"].map(|member| number(&report[member]));
    assert_eq!(told, [3, 2, 0], "{report}");
    assert_eq!((&report["fairness"]["failed_before_later_success"], &report["balanced"]), (&json!(0), &json!(true)));
    assert_eq!((sum(&report["minutes"], "succeeded"), sum(&report["minutes"], "failed")), (3, 2));

    stack.database().await.execute("update flashsale.sale_intakes set live = live + 1", &[]).await.unwrap();
    assert_eq!(get(&stack, &administrator, &sale, "report").await.value()["balanced"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_holds_the_same_numbers() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(5).await;
    let rename = json!({ "flash_sale_id": sale.flash_sale_id, "name": "=1+1, \"lamp\"\nof glass" });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&rename).send().await.expect(200);
    let users = stack.users(20).await;
    Crowd::new(&stack, &sale, &users).rush().await;
    stack.wait_until_drained(COUNTED_WITHIN).await;
    let report = report_of(&stack, &administrator, &sale, 20).await;

    let reply = get(&stack, &administrator, &sale, "report.csv").await;
    assert!(reply.header("content-type").unwrap_or_default().starts_with("text/csv"), "{reply:?}");
    let disposition = reply.header("content-disposition").unwrap_or_default();
    assert!(disposition.starts_with("attachment; filename=\"") && disposition.ends_with(".csv\""), "{disposition}");
    let mut reader = csv::Reader::from_reader(reply.body.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["measure", "minute", "value"]);
    let mut whole = HashMap::new();
    let mut by_minute: HashMap<String, i64> = HashMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        if record[1].is_empty() {
            let twice = whole.insert(record[0].to_owned(), record[2].to_owned());
            assert!(twice.is_none(), "{} stands there twice", &record[0]);
        } else {
            assert!(record[1].parse::<chrono::DateTime<Utc>>().is_ok(), "{record:?}");
            *by_minute.entry(record[0].to_owned()).or_default() += record[2].parse::<i64>().unwrap();
        }
    }
    for member in ["attempts", "accepted", "sold", "in_progress", "failed", "balanced", "sold_out_after_ms"] {
        assert_eq!(whole[member], report[member].to_string(), "{member}");
    }
    for member in ["overtaken", "failed_before_later_success", "waited_p50_ms"] {
        assert_eq!(whole[member].parse::<f64>().unwrap(), report["fairness"][member].as_f64().unwrap(), "{member}");
    }
    assert_eq!(whole["name"], "'=1+1, \"lamp\"\nof glass", "no formula for a spreadsheet");
    assert_eq!(whole["refused_sold_out"], "15");
    assert_eq!((by_minute["attempts"], by_minute["succeeded"]), (20, 5));
}
