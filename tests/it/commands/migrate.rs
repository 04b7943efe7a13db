//! `flashsale migrate`: again, by several at once, and not on a database that is newer than the binary.

use std::process::Output;

use crate::harness::postgres::connect;
use crate::harness::{FLASHSALE, Parts, Stack};

async fn bare() -> Stack {
    Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await
}

fn migrate(url: &str) -> impl Future<Output = Output> + use<> {
    let mut command = tokio::process::Command::new(FLASHSALE);
    command.arg("migrate").env_clear().env("DATABASE_URL", url).kill_on_drop(true);
    async move { command.output().await.expect("run migrate") }
}

#[track_caller]
fn expect_success(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "migrate ended with {}: {text}", output.status);
}

/// Everything that defines the database, to be compared.
async fn definition(url: &str) -> Vec<String> {
    let query = "
        select 'column ' || table_schema || '.' || table_name || '.' || column_name || ' ' || data_type
        from information_schema.columns where table_schema in ('flashsale', 'ops', 'pgmq')
        union all
        select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'flashsale'::regnamespace
        union all
        select 'function ' || p.oid::regprocedure || ' ' || md5(prosrc)
        from pg_proc p where pronamespace in ('flashsale'::regnamespace, 'pgmq'::regnamespace)
        union all
        select 'index ' || indexdef from pg_indexes where schemaname in ('flashsale', 'pgmq')
        union all
        select 'view ' || schemaname || '.' || viewname || ' ' || md5(definition) from pg_views where schemaname = 'ops'
        order by 1";
    let rows = connect(url).await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_run_changes_nothing() {
    let stack = bare().await;
    let url = stack.postgres.create_database("twice").await;
    expect_success(&migrate(&url).await);
    let first = definition(&url).await;
    assert!(first.len() > 50, "{first:?}");
    expect_success(&migrate(&url).await);
    assert_eq!(definition(&url).await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_take_turns() {
    let stack = bare().await;
    let url = stack.postgres.create_database("together").await;
    let outputs = futures_util::future::join_all((0..4).map(|_| migrate(&url))).await;
    outputs.iter().for_each(expect_success);
    assert_eq!(definition(&url).await, definition(&stack.postgres.url()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_databases_of_one_server_at_once() {
    let stack = bare().await;
    let mut urls = Vec::new();
    for name in ["one", "two", "three"] {
        urls.push(stack.postgres.create_database(name).await);
    }
    let outputs = futures_util::future::join_all(urls.iter().map(|url| migrate(url))).await;
    outputs.iter().for_each(expect_success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_database_is_refused_and_left_alone() {
    let stack = bare().await;
    let url = stack.postgres.create_database("newer").await;
    expect_success(&migrate(&url).await);
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (99999999, 'from the future', true, '\\x00', 0);
                 drop view ops.recent_outcomes";
    connect(&url).await.batch_execute(newer).await.unwrap();
    let before = definition(&url).await;
    let output = migrate(&url).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("newer"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(definition(&url).await, before, "nothing was put back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_survives_and_a_sale_goes_on() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let users = stack.users(3).await;
    let history = crate::harness::Crowd::new(&stack, &sale, &users).rush().await;
    expect_success(&migrate(&stack.postgres.url()).await);
    let mut all = history;
    let more = stack.users(10).await;
    all.extend(crate::harness::Crowd::new(&stack, &sale, &more).rush().await);
    all.expect_definite_answers();
    crate::harness::Books::new(&stack, &sale, &all).check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_of_the_dba_reads_the_views_and_nothing_else() {
    let stack = bare().await;
    let database = stack.database().await;
    let views = ["sale_books", "queue_health", "dead_letters", "recent_outcomes"];
    database.batch_execute("set role flashsale_dba").await.unwrap();
    for view in views {
        database.query(&format!("select * from ops.{view}"), &[]).await.unwrap_or_else(|e| panic!("ops.{view}: {e}"));
    }
    let forbidden = [
        "select * from flashsale.orders",
        "select password from flashsale.users",
        "select * from pgmq.q_purchases",
        "delete from flashsale.orders",
        "insert into flashsale.idempotency_keys (caller, key, fingerprint) values ('x', 'x', '')",
        "update ops.sale_books set quantity = 1",
        "select * from flashsale.settle_orders(1)",
        "select pgmq.send('purchases', '{}')",
        "create table flashsale.x (y int)",
        "create table ops.x (y int)",
    ];
    for statement in forbidden {
        let error = database.batch_execute(statement).await.expect_err(statement);
        let code = error.code().map(|code| code.code().to_owned());
        assert!(matches!(code.as_deref(), Some("42501" | "55000")), "{statement}: {error} {code:?}");
    }
}
