//! Messages no API sent: poison goes to purchases_dead and holds nobody up, duplicates decide nothing twice.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::history::Answer;
use crate::harness::stack::free_port;
use crate::harness::{Books, Crowd, Http, Parts, Sale, Stack, eventually};

const SETTLED_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_set_aside_and_its_batch_mates_are_settled() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(50).await;
    let users = stack.users(40).await;
    let database = stack.database().await;
    let unknown = json!({
        "order_id": Uuid::now_v7(), "user_id": users[0].id,
        "product_id": sale.product_id, "flash_sale_id": sale.flash_sale_id,
    });
    let poison = [
        json!({}),
        json!("x"),
        json!(null),
        json!([]),
        json!(42),
        json!({ "order_id": "not-a-uuid" }),
        json!({ "order_id": 7 }),
        json!({ "order_id": null, "flash_sale_id": "x" }),
        unknown,
    ];
    let mut history = Crowd::new(&stack, &sale, &users[..20]).rush().await;
    for message in &poison {
        send(&database, message).await;
    }
    history.extend(Crowd::new(&stack, &sale, &users[20..]).rush().await);
    assert_eq!(history.promised().len(), 40, "{:#?}", history.summary());

    stack.start_worker();
    stack.wait_until_drained(SETTLED_WITHIN).await;
    expect_all_sold(&database, 40).await;
    let dead = database
        .query("select message::text from pgmq.q_purchases_dead order by msg_id", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get::<_, String>(0))
        .collect::<Vec<_>>();
    assert_eq!(dead.len(), poison.len(), "every poison message, each once: {dead:#?}");
    for message in &poison {
        let found = dead.iter().any(|text| serde_json::from_str::<Value>(text).unwrap()["message"] == *message);
        assert!(found, "{message} is not among the dead letters {dead:#?}");
    }
    let shown: i64 = database.query_one("select count(*) from ops.dead_letters", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(shown).unwrap(), poison.len(), "ops.dead_letters shows them");
    let more = stack.users(30).await;
    Crowd::new(&stack, &sale, &more).rush().await;
    expect_all_sold(&database, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_of_a_message_decides_nothing_twice() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(30).await;
    let users = stack.users(20).await;
    let database = stack.database().await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    duplicate_queue(&database).await;
    let copies = database.query("select message::text from pgmq.q_purchases limit 20", &[]).await.unwrap();
    stack.start_worker();
    stack.start_worker();
    stack.wait_until_drained(SETTLED_WITHIN).await;
    expect_all_sold(&database, 20).await;

    // And once more after everything is settled.
    for row in copies {
        send(&database, &serde_json::from_str(row.get(0)).unwrap()).await;
    }
    stack.wait_until_drained(SETTLED_WITHIN).await;
    Books::new(&stack, &sale, &history).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_whose_settling_fails_does_not_hold_up_the_others() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let sale = stack.sale(50).await;
    let users = stack.users(30).await;
    let database = stack.database().await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    let victim = history.attempts[0].clone();
    let victim_id = victim.answer.order_id().unwrap();
    database
        .batch_execute(&format!(
            "create function public.choke() returns trigger language plpgsql as
                 $$ begin raise exception 'division by zero, says the test' using errcode = '22012'; end $$;
             create trigger choke before update on flashsale.orders for each row
                 when (new.order_id = '{victim_id}' and new.status = 'success') execute function public.choke();"
        ))
        .await
        .unwrap();
    stack.start_worker();
    expect_all_sold(&database, 29).await;
    eventually("the order that cannot be settled fails with a reason", SETTLED_WITHIN, async || {
        let row = database
            .query_one("select status, failure_reason from flashsale.orders where order_id = $1", &[&victim_id])
            .await
            .map_err(|error| error.to_string())?;
        match (row.get::<_, String>(0).as_str(), row.get::<_, Option<String>>(1)) {
            ("failed", Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let dead: i64 = database.query_one("select count(*) from pgmq.q_purchases_dead", &[]).await.unwrap().get(0);
    assert_eq!(dead, 1);
    let user = users.iter().find(|user| user.id == victim.user_id).unwrap();
    let path = format!("/orders?product_id={}", sale.product_id);
    let told = stack.http().get(&path).bearer(&user.token).send().await.expect(200).value();
    assert_eq!(told["message"], "Failed to purchase", "{told}");

    // Its unit is for sale again: 21 are left of 50.
    let more = stack.users(40).await;
    Crowd::new(&stack, &sale, &more).rush().await;
    expect_all_sold(&database, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_two_sales_are_settled_in_one_batch() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    let (first, second) = (stack.sale(10).await, stack.sale(20).await);
    let users = stack.users(30).await;
    let of_first = Crowd::new(&stack, &first, &users).rush().await;
    let of_second = Crowd::new(&stack, &second, &users).rush().await;
    stack.start_worker();
    stack.start_worker();
    Books::new(&stack, &first, &of_first).check().await;
    Books::new(&stack, &second, &of_second).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_beyond_the_stock_fail_with_a_reason_and_are_counted() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let environment = vec![("METRICS_ADDR".to_owned(), metrics.clone())];
    let mut stack = Stack::with(Parts { redis: true, workers: 0, environment, ..Parts::default() }).await;
    let sale = stack.sale(200).await;
    let users = stack.users(200).await;
    let history = Crowd::new(&stack, &sale, &users).over(50).rush().await;
    assert_eq!(history.count(|answer| matches!(answer, Answer::Ok { .. })), 200, "{:#?}", history.summary());
    let administrator = stack.administrator().await;
    let withdraw = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": 10 });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&withdraw).send().await.expect(200);
    stack.start_worker();
    let sale = Sale { quantity: 10, ..sale };
    Books { was_lowered: true, ..Books::new(&stack, &sale, &history) }.check().await;
    let text = Http { address: metrics.parse().unwrap() }.get("/metrics").send().await.expect(200).text();
    for line in [
        "orders_settled_total{outcome=\"success\"} 10",
        "orders_settled_total{outcome=\"failed\"} 190",
        "settle_orders_batch_size_sum 200",
    ] {
        assert!(text.contains(&format!("\nflashsale_{line}\n")), "no {line} in {text}");
    }
}

async fn send(database: &Client, message: &Value) {
    database.execute("select pgmq.send('purchases', $1)", &[message]).await.unwrap();
}

async fn duplicate_queue(database: &Client) {
    let copy = "select pgmq.send('purchases', message) from (select message from pgmq.q_purchases) m";
    database.execute(copy, &[]).await.unwrap();
}

async fn expect_all_sold(database: &Client, wanted: i64) {
    eventually(&format!("{wanted} orders succeed"), SETTLED_WITHIN, async || {
        let success = "select count(*) from flashsale.orders where status = 'success'";
        let sold: i64 = database.query_one(success, &[]).await.map_err(|error| error.to_string())?.get(0);
        if sold == wanted { Ok(()) } else { Err(format!("{sold} orders")) }
    })
    .await;
}
