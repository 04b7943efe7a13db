//! A wrong or missing setting stops the start with one sentence that names the variable and tells no secret.

use std::process::Output;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::postgres::connect;
use crate::harness::process::die_with_parent;
use crate::harness::stack::free_port;
use crate::harness::{FLASHSALE, JWT_SECRET, Parts, Stack};

const ENDS_WITHIN: Duration = Duration::from_secs(30);
const SECRET_WORD: &str = "hunter2hunter2";

/// Runs a command that is expected to end by itself with these variables and no others.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(FLASHSALE);
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.stdin(std::process::Stdio::null());
    die_with_parent(&mut command);
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let started = Instant::now();
    let output = tokio::time::timeout(ENDS_WITHIN, command.output()).await;
    output
        .unwrap_or_else(|_| panic!("{arguments:?} with {variables:?} still runs after {:?}", started.elapsed()))
        .expect("run the binary")
}

/// What a refused start says: one sentence with the variable's name, and an exit status that is not zero.
#[track_caller]
fn expect_refusal(output: &Output, what: &str, variable: &str) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{what}: ended with success and said {text}");
    assert!(output.status.code().is_some(), "{what}: was killed: {:?}", output.status);
    assert!(!text.contains("panicked"), "{what}: panicked: {text}");
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    assert!(last.contains(variable), "{what}: the last line does not name {variable}: {text}");
    for secret in [SECRET_WORD, JWT_SECRET] {
        assert!(!text.contains(secret), "{what}: tells a secret: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_value_names_its_variable() {
    let stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
    let url = stack.postgres.url();
    let bind = format!("127.0.0.1:{}", free_port());
    let good = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", JWT_SECRET),
        ("RATE_LIMITS", "off"),
        ("BIND_ADDR", bind.as_str()),
    ];
    let wrong = [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "hunter2hunter2"),
        ("DATABASE_URL", "mysql://u:hunter2hunter2@127.0.0.1/x"),
        ("DATABASE_URL", "postgres://u:hunter2hunter2@127.0.0.1:1/x"),
        ("DATABASE_URL", "postgres://u:hunter2hunter2@no-such-host.invalid/x"),
        ("DATABASE_URL", "postgres://u:hunter2hunter2@127.0.0.1:99999/x"),
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "hunter2hunter2"),
        ("JWT_SECRET_FILE", "/nonexistent/key"),
        ("REDIS_URL", "hunter2hunter2"),
        ("REDIS_URL", "http://u:hunter2hunter2@127.0.0.1/"),
        ("BIND_ADDR", "nowhere"),
        ("BIND_ADDR", "127.0.0.1"),
        ("BIND_ADDR", "127.0.0.1:99999"),
        ("RATE_LIMITS", "maybe"),
        ("SETTLE_BATCH_MAX", "0"),
        ("PURCHASE_BATCH_MAX", "many"),
    ];
    join_all(wrong.map(async |(variable, value)| {
        let mut variables: Vec<(&str, &str)> = good.into_iter().filter(|(name, _)| *name != variable).collect();
        if variable == "JWT_SECRET_FILE" {
            variables.retain(|(name, _)| *name != "JWT_SECRET");
        }
        variables.push((variable, value));
        let output = run(&["api"], &variables).await;
        expect_refusal(&output, &format!("api with {variable}={value}"), variable);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_needs_its_database() {
    let commands = [&["api"][..], &["worker"], &["migrate"], &["reconcile"], &["sale", "list"]];
    join_all(commands.map(async |arguments| {
        // `reconcile` has something to do only where there is a Redis.
        let mut variables = vec![("JWT_SECRET", JWT_SECRET), ("REDIS_URL", "redis://127.0.0.1:1/")];
        expect_refusal(&run(arguments, &variables).await, &format!("{arguments:?} without a database"), "DATABASE_URL");
        variables.push(("DATABASE_URL", "postgres://u:hunter2hunter2@127.0.0.1:1/x"));
        let output = run(arguments, &variables).await;
        expect_refusal(&output, &format!("{arguments:?} with a database that is not there"), "DATABASE_URL");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_that_is_taken_is_named() {
    let stack = Stack::start().await;
    let (url, taken) = (stack.postgres.url(), stack.http().address.to_string());
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", JWT_SECRET), ("BIND_ADDR", taken.as_str())];
    expect_refusal(&run(&["api"], &variables).await, "api on a port that is taken", "BIND_ADDR");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_without_rights_is_named() {
    let stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
    let database = stack.database().await;
    database.batch_execute("create role nobody login password 'hunter2hunter2'").await.unwrap();
    let fresh = stack.postgres.create_database("fresh").await;
    connect(&fresh).await.batch_execute("revoke create on schema public from public").await.unwrap();
    let as_nobody = |url: &str| {
        let (_, place) = url.split_once('@').unwrap();
        format!("postgres://nobody:hunter2hunter2@{place}")
    };
    let output = run(&["migrate"], &[("DATABASE_URL", &as_nobody(&fresh))]).await;
    expect_refusal(&output, "migrate without rights", "DATABASE_URL");
    for arguments in [&["api"][..], &["worker"]] {
        let variables = [("DATABASE_URL", &*as_nobody(&stack.postgres.url())), ("JWT_SECRET", JWT_SECRET)];
        let output = run(arguments, &variables).await;
        expect_refusal(&output, &format!("{arguments:?} without rights"), "DATABASE_URL");
    }
    let wrong_password = stack.postgres.url().replacen("://flashsale:", "://flashsale:x", 1);
    let output = run(&["api"], &[("DATABASE_URL", &wrong_password), ("JWT_SECRET", JWT_SECRET)]).await;
    expect_refusal(&output, "api with a wrong password", "DATABASE_URL");
    let missing = stack.postgres.url_of("no_such_database");
    let output = run(&["api"], &[("DATABASE_URL", &missing), ("JWT_SECRET", JWT_SECRET)]).await;
    expect_refusal(&output, "api with a database that does not exist", "DATABASE_URL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_that_is_not_migrated_is_said_so() {
    let stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
    let empty = stack.postgres.create_database("empty").await;
    for arguments in [&["api"][..], &["worker"]] {
        let output = run(arguments, &[("DATABASE_URL", &empty), ("JWT_SECRET", JWT_SECRET)]).await;
        expect_refusal(&output, &format!("{arguments:?} on an empty database"), "flashsale migrate");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openapi_needs_nothing() {
    let output = run(&["openapi"], &[]).await;
    assert!(output.status.success(), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert!(document["paths"]["/sales"]["get"].is_object());
    let status = &document["components"]["schemas"]["SaleStatus"]["enum"];
    assert_eq!(*status, serde_json::json!(["upcoming", "active", "ended"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_do_not_exist_are_refused() {
    for arguments in [&["fly"][..], &["api", "--fast"], &["sale"], &["admin"]] {
        let output = run(arguments, &[]).await;
        assert!(!output.status.success(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).to_lowercase().contains("usage"), "{arguments:?}: {output:?}");
    }
    let help = run(&["help"], &[]).await;
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in ["dev", "api", "worker", "migrate", "reconcile", "admin", "sale", "openapi", "doctor"] {
        assert!(text.contains(command), "help names {command}: {text}");
    }
}
