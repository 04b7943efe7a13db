//! Several servers, of which one takes writes: the processes find it, leave one that no longer does, and take no COMMIT for
//! durable that its standby has not got. (What happens when a primary dies, freezes or is cut off: deploy/ha/failover.py.)

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_postgres::Client;

use crate::harness::history::Answer;
use crate::harness::postgres::{Postgres, connect};
use crate::harness::{Crowd, History, Parts, Sale, Stack, User, eventually};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_find_the_server_that_takes_writes_and_leave_one_that_no_longer_does() {
    let mut stack = Stack::with(Parts { own_files: true, ..Parts::default() }).await;
    let sale = stack.sale(100).await;
    let users = stack.users(60).await;
    let (first, second) = users.split_at(30);
    let directory = stack.postgres.data.parent().expect("a folder around it").to_owned();
    let standby = stack.postgres.start_standby(&directory);
    know_both(&mut stack, &standby).await;

    // The standby is named first and answers; a stale answer would be "not found" here, a write there an error.
    let history = buy(&stack, &sale, first).await;
    assert_eq!(history.promised().len(), first.len(), "{:#?}", history.summary());
    let (primary, standby) = (connect(&stack.postgres.url()).await, connect(&standby.url()).await);
    assert_eq!((orders(&primary).await, orders(&standby).await), (first.len(), 0));

    // Its sessions live on and may no longer write, as behind an address that has moved to a standby.
    let demote = "alter system set default_transaction_read_only = on";
    primary.batch_execute(demote).await.expect("take no more writes");
    primary.execute("select pg_reload_conf()", &[]).await.expect("reload");
    standby.execute("select pg_promote()", &[]).await.expect("promote the standby");
    let history = buy(&stack, &sale, second).await;
    assert_eq!(history.promised().len(), second.len(), "{:#?}", history.summary());
    let strange = |answer: &Answer| match answer {
        Answer::Ok { .. } => false,
        Answer::Refused { status, .. } => *status != 503,
        Answer::Unknown(what) => !what.starts_with("504"),
    };
    assert_eq!(history.count(strange), 0, "an outage is 503 or 504: {:#?}", history.summary());
    assert_eq!((orders(&primary).await, orders(&standby).await), (first.len(), second.len()));
    eventually("the worker settles on the new primary", SOON, async || {
        let settled = "select count(*) from flashsale.orders where status = 'success'";
        let found: i64 = standby.query_one(settled, &[]).await.map_err(|error| error.to_string())?.get(0);
        if found == 30 { Ok(()) } else { Err(format!("{found} of 30")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_that_its_standby_has_not_got_is_not_acknowledged() {
    let mut stack = Stack::with(Parts { workers: 0, ..Parts::default() }).await;
    // The last unit: the repetition finds none free, and has nothing to write.
    let sale = stack.sale(1).await;
    let users = stack.users(1).await;
    let administrator = connect(&stack.postgres.url()).await;
    administrator.batch_execute("set synchronous_commit = local").await.expect("wait for nobody here");
    wait_for_standby(&administrator, "nobody").await;
    let crowd = Crowd::new(&stack, &sale, &users).start();
    // The statement's own time, two seconds, does not cut the wait of its COMMIT short.
    eventually("a COMMIT waits for longer than a statement may", SOON, async || {
        let waiting = "select count(*) from pg_stat_activity
             where wait_event = 'SyncRep' and clock_timestamp() - query_start > interval '2.5 s'";
        let found: i64 = administrator.query_one(waiting, &[]).await.map_err(|error| error.to_string())?.get(0);
        if found > 0 { Ok(()) } else { Err("none yet".to_owned()) }
    })
    .await;
    // Somebody impatient cancels what hangs, again and again: each COMMIT is then on this machine only, and can be seen.
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
    let cancelled = AtomicI64::new(0);
    eventually("the buyer is answered", SOON, async || {
        let more: i64 = administrator.query_one(cancel, &[]).await.expect("cancel").get(0);
        cancelled.fetch_add(more, Ordering::Relaxed);
        if crowd.is_over() { Ok(()) } else { Err("waiting") }
    })
    .await;
    let history = crowd.finish().await;
    assert!(cancelled.into_inner() > 1, "the purchase and its repetition waited for a standby");
    assert_eq!(orders(&administrator).await, 1, "the order can be seen");
    assert_eq!(history.count(Answer::is_unknown), 1, "{:#?}", history.summary());

    wait_for_standby(&administrator, "").await;
    let history = buy(&stack, &sale, &users).await;
    assert_eq!(history.promised().len(), 1, "{:#?}", history.summary());
    stack.start_worker();
    stack.wait_until_drained(SOON).await;
    assert_eq!(orders(&administrator).await, 1);
}

/// An API and a worker that know both servers, in place of those that knew one.
async fn know_both(stack: &mut Stack, standby: &Postgres) {
    let (primary, standby) = (stack.postgres.url(), standby.url());
    let host = |url: &str| {
        let (_, address) = url.rsplit_once('@').expect("a login in the URL");
        address.split('/').next().expect("a host").to_owned()
    };
    let both = format!("{},{}", host(&standby), host(&primary));
    stack.set_environment("DATABASE_URL", &primary.replace(&host(&primary), &both));
    stack.apis.clear();
    stack.workers.clear();
    stack.start_api();
    stack.start_worker();
    for api in &mut stack.apis {
        api.wait_until_ready().await;
    }
    let migrated = stack.run(&["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

async fn buy(stack: &Stack, sale: &Sale, users: &[User]) -> History {
    Crowd::new(stack, sale, users).keep_trying_for(SOON).rush().await
}

async fn orders(server: &Client) -> usize {
    let row = server.query_one("select count(*) from flashsale.orders", &[]).await.expect("count the orders");
    usize::try_from(row.get::<_, i64>(0)).expect("a number of orders")
}

/// COMMITs wait for a standby of this name, which there is not; for none, when it has no name.
async fn wait_for_standby(server: &Client, name: &str) {
    let set = format!("alter system set synchronous_standby_names = '{name}'");
    server.batch_execute(&set).await.expect("name the standby");
    server.execute("select pg_reload_conf()", &[]).await.expect("reload");
    eventually("COMMITs wait for whom they should", SOON, async || {
        let row = server.query_one("show synchronous_standby_names", &[]).await.map_err(|error| error.to_string())?;
        if row.get::<_, &str>(0) == name { Ok(()) } else { Err("not reloaded".to_owned()) }
    })
    .await;
}
