//! `admin create`, `sale create`, `sale list`, `reconcile`, `doctor`: what a person runs by hand.

use serde_json::json;

use crate::harness::{Parts, Stack};

fn text_of(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrator_made_by_migrate_creates_a_sale() {
    let environment = vec![
        ("ADMIN_EMAIL".to_owned(), "boss@example.com".to_owned()),
        ("ADMIN_PASSWORD".to_owned(), "a password for the boss".to_owned()),
    ];
    let stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    for _ in 0..2 {
        let output = stack.run(&["migrate"]);
        assert!(output.status.success(), "{}", text_of(&output));
        assert!(!text_of(&output).contains("a password for the boss"));
    }
    let account = json!({ "email": "boss@example.com", "password": "a password for the boss" });
    let session = stack.http().post("/users/authenticate").json(&account).send().await.expect(200).value();
    let now = chrono::Utc::now();
    let sale = json!({
        "name": "Lamp", "price_in_cents": 1, "quantity": 1,
        "start_date": now, "end_date": now + chrono::TimeDelta::hours(1),
    });
    let token = session["token"].as_str().unwrap();
    stack.http().post("/sales").bearer(token).json(&sale).send().await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_by_hand_work_on_a_running_system() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let listed = stack.run(&["sale", "list"]);
    assert!(listed.status.success(), "{}", text_of(&listed));
    assert!(text_of(&listed).contains(&sale.flash_sale_id.to_string()), "{}", text_of(&listed));
    for arguments in [&["reconcile"][..], &["doctor"]] {
        let output = stack.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text_of(&output));
    }
}
