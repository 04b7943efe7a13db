//! A rolling upgrade, and the way back: the binary of the version before and this one share a database while people buy.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::history::Answer;
use crate::harness::postgres::connect;
use crate::harness::{Books, Crowd, FLASHSALE, History, Parts, Sale, Stack, User};

const BUYERS: usize = 12_000;
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// What follows happens while each of these buys, one after the other.
const STEPS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the binary of the version before this one: scripts/test-upgrade.sh"]
async fn old_and_new_share_a_database_while_people_buy() {
    let older = PathBuf::from(std::env::var_os("OLDER_FLASHSALE").expect("OLDER_FLASHSALE names the older binary"));
    let newer = PathBuf::from(FLASHSALE);
    let mut stack = Stack::with(Parts { redis: true, apis: 0, workers: 0, ..Parts::default() }).await;
    install_anew(&mut stack, &older).await;
    for _ in 0..2 {
        stack.start_api();
        stack.start_worker();
    }
    for api in &mut stack.apis {
        api.wait_until_ready().await;
    }
    let sale = stack.sale(i64::try_from(BUYERS).expect("a quantity") * 3 / 4).await;
    let users = stack.users(BUYERS).await;
    let mut groups = users.chunks(BUYERS / STEPS);
    let mut history = History::default();
    let mut meanwhile = |stack: &Stack| start(stack, &sale, groups.next().expect("a group a step"));

    let rush = meanwhile(&stack);
    stack.binary.clone_from(&newer);
    let migrated = stack.run(&["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    history.extend(rush.finish().await);
    // One of each, back again (a version that was a mistake), then all.
    for (number, binary) in [(0, &newer), (0, &older), (0, &newer), (1, &newer)] {
        let rush = meanwhile(&stack);
        replace(&mut stack, number, binary).await;
        history.extend(rush.finish().await);
    }
    history.extend(meanwhile(&stack).finish().await);

    // No answer but that of a process that is not there, and that was tried again.
    let others =
        |answer: &Answer| answer.asks_for_another_try() && !format!("{answer:?}").contains("ConnectionRefused");
    assert_eq!(history.count(others), 0, "{:#?}", history.summary());
    assert_eq!(history.users_with(|answer| !answer.asks_for_another_try()).len(), BUYERS, "everybody was answered");
    stack.wait_until_drained(SETTLED_WITHIN).await;
    Books::new(&stack, &sale, &history).check().await;
    let logs = stack.logs();
    for wrong in ["a batch cannot be placed", "could not be settled", "were set aside"] {
        assert!(!logs.contains(wrong), "{wrong}: {logs}");
    }
}

fn start(stack: &Stack, sale: &Sale, users: &[User]) -> crate::harness::crowd::Rush {
    // Few connections: they buy for as long as a step takes, which is what matters here.
    Crowd::new(stack, sale, users).with_keys().over(4).keep_trying_for(Duration::from_secs(30)).start()
}

/// The database as a binary installs it, in place of the one that the stack came with.
async fn install_anew(stack: &mut Stack, binary: &std::path::Path) {
    let url = stack.postgres.url();
    let server = connect(&stack.postgres.url_of("postgres")).await;
    let (_, name) = url.split('?').next().and_then(|url| url.rsplit_once('/')).expect("a database in the URL");
    server.batch_execute(&format!("drop database {name} with (force)")).await.expect("drop the database");
    server.batch_execute(&format!("create database {name}")).await.expect("create the database");
    stack.binary = binary.to_owned();
    let migrated = stack.run(&["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

/// Stops an API and a worker as a supervisor does and starts another binary in their place.
async fn replace(stack: &mut Stack, number: usize, binary: &std::path::Path) {
    for process in [&mut stack.workers[number], &mut stack.apis[number].process] {
        process.signal(Signal::SIGTERM);
        assert!(process.wait_for_exit(STOPPED_WITHIN).await.success(), "{} stopped badly", process.name);
        process.set_program(binary);
        process.start_again();
    }
    stack.apis[number].wait_until_ready().await;
}
