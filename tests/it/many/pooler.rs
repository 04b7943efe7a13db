//! PgBouncer in between: by sessions everything works; by transactions the start says that it cannot.

use std::time::Duration;

use super::agreement::by_all;
use super::pgbouncer::PgBouncer;
use crate::harness::{Books, Crowd, Parts, Stack, alone};

const SOLD_WITHIN: Duration = Duration::from_secs(30);
const REFUSED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooled_by_sessions_a_sale_sells_out() {
    let _alone = alone().await;
    let mut stack = Stack::with(no_processes()).await;
    let _pooler = PgBouncer::before_postgres(&mut stack, "session").await;
    for _ in 0..2 {
        stack.start_api();
        stack.start_worker();
    }
    for api in &mut stack.apis {
        api.wait_until_ready().await;
    }
    let sale = stack.sale(2_000).await;
    let users = stack.users(4_000).await;
    let history = Crowd::new(&stack, &sale, &users).twice_in_parallel().rush().await;
    history.expect_definite_answers();
    stack.wait_until_drained(SOLD_WITHIN).await;
    Books::new(&stack, &sale, &history).check().await;
    // LISTEN is heard through it, too.
    let user = stack.user().await;
    stack.http().delete("/users/session").bearer(&user.token).send().await.expect(204);
    by_all(&stack, "the end of the session", async |http| {
        match http.get("/orders").bearer(&user.token).send().await.status {
            401 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooled_by_transactions_nothing_starts_and_all_say_why() {
    let mut stack = Stack::with(no_processes()).await;
    let _pooler = PgBouncer::before_postgres(&mut stack, "transaction").await;
    stack.start_api();
    stack.start_worker();
    let reason = "hands sessions on after each transaction";
    let processes = [&mut stack.apis[0].process, &mut stack.workers[0]];
    for process in processes {
        assert!(!process.wait_for_exit(REFUSED_WITHIN).await.success(), "{} started", process.name);
        assert!(process.log_text().contains(reason), "{}", process.log_text());
    }
    let migrated = stack.run(&["migrate"]);
    assert!(String::from_utf8_lossy(&migrated.stderr).contains(reason), "{migrated:?}");
}

fn no_processes() -> Parts {
    Parts { redis: true, apis: 0, workers: 0, ..Parts::default() }
}
