//! The continuous watch: books that were broken by hand balance again, which is said and counted; and what a worker serves.

use std::time::Duration;

use crate::harness::stack::free_port;
use crate::harness::{Http, Parts, Stack, eventually};

/// Usually five seconds. The watch takes a twentieth of the time at most: after a check that took long it waits longer.
const REPAIRED_WITHIN: Duration = Duration::from_secs(80);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_books_are_repaired_said_and_counted() {
    for redis in [false, true] {
        let metrics = format!("127.0.0.1:{}", free_port());
        let environment = vec![("METRICS_ADDR".to_owned(), metrics.clone())];
        let stack = Stack::with(Parts { environment, redis, ..Parts::default() }).await;
        let http = Http { address: metrics.parse().unwrap() };
        let sale = stack.sale(10).await;
        let user = stack.user().await;
        let body = serde_json::json!({ "product_id": sale.product_id });
        stack
            .http()
            .post("/orders")
            .header("prefer", "wait=5")
            .bearer(&user.token)
            .json(&body)
            .send()
            .await
            .expect(200);

        let database = stack.database().await;
        for breakage in
            ["update flashsale.flash_sales set sold = sold + 3", "update flashsale.sale_intakes set live = live + 2"]
        {
            database.batch_execute(breakage).await.unwrap();
            eventually("the books balance", REPAIRED_WITHIN, async || {
                let row = database.query_one("select balanced, sold from ops.sale_books", &[]).await.unwrap();
                let (balanced, sold): (bool, i32) = (row.get(0), row.get(1));
                if balanced && sold == 1 { Ok(()) } else { Err(format!("{breakage}: {sold} sold")) }
            })
            .await;
        }
        // As if an order had lost its message: no worker can settle it, and its user would wait for ever.
        let lost = "insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at)
            select gen_random_uuid(), s.product_id, gen_random_uuid(), s.flash_sale_id, now() from flashsale.flash_sales s;
            update flashsale.sale_intakes set live = live + 1";
        database.batch_execute(lost).await.unwrap();
        eventually("the order is settled", REPAIRED_WITHIN, async || {
            let sold: i64 = database
                .query_one("select count(*) from flashsale.orders where status = 'success'", &[])
                .await
                .unwrap()
                .get(0);
            if sold == 2 { Ok(()) } else { Err(sold) }
        })
        .await;

        let text = http.get("/metrics").send().await.expect(200).text();
        for counted in ["sold", "live", "message"] {
            let line = format!("flashsale_books_repairs_total{{repair=\"{counted}\"}} 1");
            assert!(text.contains(&line), "no {line} in {text}");
        }
        for gauge in ["queue_depth", "queue_oldest_age_seconds", "dead_letters", "books_unbalanced", "worker_leads"] {
            assert!(text.contains(&format!("\nflashsale_{gauge} ")), "no {gauge} in {text}");
        }
        assert_eq!(stack.workers[0].log_text().matches("the books did not balance").count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_says_whether_it_works() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let environment = vec![("METRICS_ADDR".to_owned(), metrics.clone())];
    let mut stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    let http = Http { address: metrics.parse().unwrap() };
    eventually("the worker serves", Duration::from_secs(10), async || match http.get("/readyz").try_send().await {
        Ok(reply) if reply.status == 200 => Ok(()),
        Ok(reply) => Err(reply.text()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    http.get("/healthz").send().await.expect(200);
    http.get("/orders").send().await.expect(404);
    for (address, answers) in [(metrics.clone(), true), (format!("127.0.0.1:{}", free_port()), false)] {
        stack.set_environment("BIND_ADDR", &address);
        let checked = stack.run(&["healthcheck"]);
        assert_eq!(checked.status.success(), answers, "{checked:?}");
    }
    stack.postgres.stop_immediately();
    eventually("the worker says that it cannot work", Duration::from_secs(10), async || {
        let reply = http.get("/readyz").send().await;
        if reply.status == 503 && reply.text().contains("database") { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    http.get("/healthz").send().await.expect(200);
}
