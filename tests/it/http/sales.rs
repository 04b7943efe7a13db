//! GET /sales, GET /sales/{id}, POST /sales, POST /sales/update.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Books, Crowd, Parts, Sale, Stack, User, eventually};

const SHOWN_WITHIN: Duration = Duration::from_secs(5);

fn new_sale(start: TimeDelta, end: TimeDelta) -> Value {
    let now = Utc::now();
    json!({
        "name": "Lamp", "description": "bright", "price_in_cents": 4200, "quantity": 7,
        "start_date": now + start, "end_date": now + end,
    })
}

fn open_sale() -> Value {
    new_sale(TimeDelta::minutes(-1), TimeDelta::hours(1))
}

async fn shown(stack: &Stack, id: &Value) -> Value {
    stack.http().get(&format!("/sales/{}", id.as_str().unwrap())).send().await.expect(200).value()
}

async fn update(stack: &Stack, administrator: &User, body: Value) -> crate::harness::Reply {
    stack.http().post("/sales/update").bearer(&administrator.token).json(&body).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn created_sale_is_answered_listed_and_shown() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let asked = open_sale();
    let sale = stack.http().post("/sales").bearer(&administrator.token).json(&asked).send().await.expect(201).value();
    for field in ["name", "description", "price_in_cents", "quantity"] {
        assert_eq!(sale[field], asked[field], "{field} of {sale}");
    }
    assert_eq!(sale["remaining_stock"], 7);
    assert_eq!(sale["status"], "active");
    for field in ["start_date", "end_date"] {
        let time = sale[field].as_str().unwrap();
        assert!(time.ends_with('Z') || time.ends_with("+00:00"), "{field} is UTC: {time}");
        let apart =
            time.parse::<DateTime<Utc>>().unwrap() - asked[field].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert!(apart.abs() < TimeDelta::milliseconds(1), "{field}: {apart}");
    }
    let listed = eventually("the new sale is listed", SHOWN_WITHIN, async || {
        let list = stack.http().get("/sales").send().await.expect(200).value();
        list["sales"].as_array().unwrap().first().map(|_| list.clone()).ok_or("an empty list")
    })
    .await;
    assert_eq!(listed["sales"], json!([sale]), "the list holds the same sale");
    let server_time: DateTime<Utc> = listed["server_time"].as_str().unwrap().parse().unwrap();
    assert!((server_time - Utc::now()).abs() < TimeDelta::seconds(5), "{server_time}");
    assert_eq!(shown(&stack, &sale["flash_sale_id"]).await, sale);

    let narrowed = |product: &str| stack.http().get(&format!("/sales?product_id={product}"));
    let found = narrowed(sale["product_id"].as_str().unwrap()).send().await.expect(200).value();
    assert_eq!(found["sales"], json!([sale]));
    let none = narrowed(&Uuid::new_v4().to_string()).send().await.expect(200).value();
    assert_eq!(none["sales"], json!([]));
    stack.http().get(&format!("/sales/{}", Uuid::new_v4())).send().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_is_created_by_administrators_only() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    stack.http().post("/sales").json(&open_sale()).send().await.expect(401);
    stack.http().post("/sales").bearer(&user.token).json(&open_sale()).send().await.expect(403);
    let change = json!({ "flash_sale_id": Uuid::new_v4(), "quantity": 1 });
    stack.http().post("/sales/update").json(&change).send().await.expect(401);
    stack.http().post("/sales/update").bearer(&user.token).json(&change).send().await.expect(403);
    // Who you are is checked before what you sent.
    stack.http().post("/sales").body("application/json", "{").send().await.expect(401);
    stack.http().post("/sales").bearer(&user.token).body("application/json", "{").send().await.expect(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_with_a_wrong_field_is_refused_and_the_field_named() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let cases: Vec<(&str, Value)> = vec![
        ("quantity", json!(-1)),
        ("quantity", json!(1.5)),
        ("quantity", json!("7")),
        ("quantity", json!(9_999_999_999_i64)),
        ("quantity", Value::Null),
        ("price_in_cents", json!(-1)),
        ("price_in_cents", json!(3_000_000_000_u32)),
        ("name", json!("")),
        ("name", json!("x".repeat(300))),
        ("name", json!("a\u{0}b")),
        ("description", json!("x".repeat(5000))),
        ("start_date", json!("yesterday")),
        ("start_date", json!("2026-02-30T00:00:00Z")),
        ("start_date", json!("+275760-09-13T00:00:00Z")),
        ("end_date", json!("2001-01-01T00:00:00Z")),
        ("end_date", json!(17)),
        ("sold", json!(0)),
    ];
    for (field, value) in cases {
        let mut body = open_sale();
        body[field] = value;
        let reply = stack.http().post("/sales").bearer(&administrator.token).json(&body).send().await;
        let problem = reply.problem(400, "invalid_request");
        assert!(problem["error"].as_str().unwrap().contains(field), "{field} is named: {problem}");
    }
    for field in ["quantity", "start_date", "end_date", "name", "price_in_cents"] {
        let mut body = open_sale();
        body.as_object_mut().unwrap().remove(field);
        let reply = stack.http().post("/sales").bearer(&administrator.token).json(&body).send().await;
        let problem = reply.problem(400, "invalid_request");
        assert!(problem["error"].as_str().unwrap().contains(field), "a missing {field} is named: {problem}");
    }
    let sales: i64 =
        stack.database().await.query_one("select count(*) from flashsale.flash_sales", &[]).await.unwrap().get(0);
    assert_eq!(sales, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_sale_of_a_product_may_follow_but_not_overlap() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let first = stack.sale(3).await;
    let of_same = |start: TimeDelta, end: TimeDelta| {
        let now = Utc::now();
        json!({
            "product_id": first.product_id, "quantity": 4, "start_date": now + start, "end_date": now + end,
        })
    };
    let post = async |body: Value| stack.http().post("/sales").bearer(&administrator.token).json(&body).send().await;
    post(of_same(TimeDelta::minutes(30), TimeDelta::hours(2))).await.problem(409, "sale_overlaps");
    let second = post(of_same(TimeDelta::hours(2), TimeDelta::hours(3))).await.expect(201).value();
    assert_eq!(second["product_id"], first.product_id.to_string());
    assert_eq!(second["status"], "upcoming");
    let earlier =
        json!({ "flash_sale_id": second["flash_sale_id"], "start_date": Utc::now() + TimeDelta::minutes(10) });
    update(&stack, &administrator, earlier).await.problem(409, "sale_overlaps");

    let mut of_nothing = of_same(TimeDelta::hours(5), TimeDelta::hours(6));
    of_nothing["product_id"] = json!(Uuid::new_v4());
    let reply = post(of_nothing).await;
    assert!([400, 404].contains(&reply.status), "a sale of an unknown product: {} {}", reply.status, reply.text());
    let mut both = open_sale();
    both["product_id"] = json!(first.product_id);
    post(both).await.problem(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn update_changes_what_it_names_and_nothing_else() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(10).await;
    let before = shown(&stack, &json!(sale.flash_sale_id)).await;
    let change = json!({ "flash_sale_id": sale.flash_sale_id, "price_in_cents": 1, "name": "Chair" });
    let after = update(&stack, &administrator, change).await.expect(200).value();
    assert_eq!((&after["price_in_cents"], &after["name"]), (&json!(1), &json!("Chair")));
    for field in ["flash_sale_id", "product_id", "description", "quantity", "start_date", "end_date", "status"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    eventually("the change is shown", SHOWN_WITHIN, async || {
        let now = shown(&stack, &json!(sale.flash_sale_id)).await;
        if now == after { Ok(()) } else { Err(now) }
    })
    .await;

    update(&stack, &administrator, json!({ "flash_sale_id": Uuid::new_v4(), "quantity": 5 })).await.expect(404);
    update(&stack, &administrator, json!({ "quantity": 5 })).await.problem(400, "invalid_request");
    let refused = [
        json!({ "quantity": -1 }),
        json!({ "price_in_cents": -1 }),
        json!({ "end_date": "2001-01-01T00:00:00Z" }),
        json!({ "start_date": Utc::now() + TimeDelta::days(3) }),
        json!({ "product_id": Uuid::new_v4() }),
        json!({ "sold": 3 }),
        json!({ "name": "" }),
    ];
    for mut body in refused {
        body["flash_sale_id"] = json!(sale.flash_sale_id);
        update(&stack, &administrator, body).await.problem(400, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quantity_cannot_fall_below_what_is_sold() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(10).await;
    let users = stack.users(20).await;
    let mut history = Crowd::new(&stack, &sale, &users[..6]).rush().await;
    stack.wait_until_drained(SHOWN_WITHIN).await;
    let to = |quantity: i64| json!({ "flash_sale_id": sale.flash_sale_id, "quantity": quantity });
    update(&stack, &administrator, to(5)).await.problem(409, "quantity_below_sold");
    let lowered = update(&stack, &administrator, to(8)).await.expect(200).value();
    assert_eq!((&lowered["quantity"], &lowered["remaining_stock"]), (&json!(8), &json!(2)));
    let sale = Sale { quantity: 8, ..sale };
    history.extend(Crowd::new(&stack, &sale, &users).rush().await);
    history.extend(Crowd::new(&stack, &sale, &users).until_sold(&stack, &sale, Duration::from_secs(20)).await);
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_follows_the_window() {
    let stack = Stack::start().await;
    let now = Utc::now();
    let sale = stack.sale_between(5, now + TimeDelta::seconds(3), now + TimeDelta::seconds(6)).await;
    let user = stack.user().await;
    let id = json!(sale.flash_sale_id);
    let body = json!({ "product_id": sale.product_id });
    let buy = async || stack.http().post("/orders").bearer(&user.token).json(&body).send().await;
    assert_eq!(shown(&stack, &id).await["status"], "upcoming");
    buy().await.problem(400, "sale_not_started");
    let until = async |status: &str| {
        eventually(&format!("the sale is {status}"), Duration::from_secs(10), async || {
            let now = shown(&stack, &id).await;
            if now["status"] == status { Ok(()) } else { Err(now) }
        })
        .await;
    };
    until("active").await;
    buy().await.expect(200);
    until("ended").await;
    let latecomer = stack.user().await;
    let late = stack.http().post("/orders").bearer(&latecomer.token).json(&body).send().await;
    late.problem(400, "sale_ended");
    stack.wait_until_drained(SHOWN_WITHIN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_moved_while_selling_is_obeyed_by_every_api() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let sale = stack.sale(10).await;
    let change = json!({ "flash_sale_id": sale.flash_sale_id, "end_date": Utc::now() });
    update(&stack, &administrator, change).await.expect(200);
    let body = json!({ "product_id": sale.product_id });
    for api in &stack.apis {
        let user = stack.user().await;
        eventually("a sale that was ended is ended", SHOWN_WITHIN, async || {
            let reply = api.http.post("/orders").bearer(&user.token).json(&body).send().await;
            if reply.text().contains("sale_ended") { Ok(()) } else { Err(reply.text()) }
        })
        .await;
    }
    let change = json!({ "flash_sale_id": sale.flash_sale_id, "end_date": Utc::now() + TimeDelta::hours(1) });
    update(&stack, &administrator, change).await.expect(200);
    for api in &stack.apis {
        let user = stack.user().await;
        eventually("a sale that was opened again sells", SHOWN_WITHIN, async || {
            let reply = api.http.post("/orders").bearer(&user.token).json(&body).send().await;
            if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_is_answered_with_304_until_it_changes() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let list = eventually("the list holds the sale", SHOWN_WITHIN, async || {
        let list = stack.http().get("/sales").send().await.expect(200);
        if list.text().contains(&sale.flash_sale_id.to_string()) { Ok(list) } else { Err(list.text()) }
    })
    .await;
    let etag = list.header("etag").expect("an ETag").to_owned();
    let conditional = async |tag: &str| stack.http().get("/sales").header("if-none-match", tag).send().await;
    for tag in [etag.as_str(), &format!("\"other\", {etag}"), "*"] {
        let reply = conditional(tag).await.expect(304);
        assert!(reply.body.is_empty(), "a 304 has no body");
    }
    conditional("\"other\"").await.expect(200);

    let user = stack.user().await;
    let body = json!({ "product_id": sale.product_id });
    stack.http().post("/orders").bearer(&user.token).json(&body).send().await.expect(200);
    eventually("the stock changes the ETag", SHOWN_WITHIN, async || match conditional(&etag).await {
        reply if reply.status == 200 && reply.value()["sales"][0]["remaining_stock"] == 4 => Ok(()),
        reply => Err(format!("{} {}", reply.status, reply.text())),
    })
    .await;
}
