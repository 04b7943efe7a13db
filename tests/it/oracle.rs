//! The SQL against an oracle: random programs run on the real functions and on a small state machine in Rust
//! (`oracle/model.rs`, the specification), and everything that can be seen must be the same. PROPTEST_CASES sets how
//! many; a failure prints the smallest program that still fails, the difference, and the seed that repeats it.

mod database;
mod model;
mod program;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner, contextualize_config};

use self::database::{Database, settled};
use self::model::{Settled, World};
use self::program::{Op, Step, full_queues, openings, programs, sessions, workers};
use crate::harness::books::{AT_EVERY_MOMENT, WHEN_DRAINED, violations_of};
use crate::harness::{Parts, Stack};

const SESSIONS: usize = 4;
const SHRINK_FOR_MS: u32 = 60_000;

/// Every answer and, after every step, every table.
#[test]
fn one_session_does_what_the_oracle_does() {
    for_all(programs(), 120, async |databases, program| follow(&databases[0], program).await.map(drop));
}

/// One worker or four, batches of any size, rolled back or not: as many orders of each sale succeed, and as many messages
/// are duplicates or set aside, as when the queue is settled in one go. With one worker it is the same orders.
#[test]
fn however_the_queue_is_cut_it_ends_the_same() {
    for_all((full_queues(), workers(1..=SESSIONS)), 60, async |databases, (queue, workers)| {
        let mut world = follow(&databases[0], queue).await?;
        let expected = world.settle(usize::MAX, false).expect("nothing is broken in a full queue");
        let mut total = Settled::default();
        for (step, answer) in at_once(databases, workers).await {
            let settled = settled(&answer.concat()).ok_or_else(|| format!("{step:?} was answered {answer:?}"))?;
            total.add(if step.rolled_back { Settled::default() } else { settled });
        }
        total.add(databases[0].drain().await?);
        same("became of the messages", &[expected.to_string()], &[total.to_string()])?;
        let state = databases[0].state().await;
        match workers.len() {
            1 => same("is in the tables", &sorted(world.state()), &sorted(state))?,
            _ => same("is in the tables", &without_orders(world.state()), &without_orders(state))?,
        }
        keeps_the_books(&databases[0], &["nothing was set aside"]).await
    });
}

/// Customers, workers and an administrator at once: nobody is refused but by a constraint, every order that was promised
/// exists, none fails unless somebody has changed the quantity, and the books balance.
#[test]
fn sessions_at_once_keep_the_books() {
    for_all((openings(), sessions(2..=SESSIONS)), 60, async |databases, (openings, sessions)| {
        follow(&databases[0], openings).await?;
        let answers = at_once(databases, sessions).await;
        databases[0].drain().await?;
        let state: BTreeSet<String> = databases[0].state().await.into_iter().collect();
        for (step, answer) in answers {
            for line in answer {
                if line.starts_with("refused: ") && line != "refused: no_oversell" {
                    return Err(format!("{step:?} was {line}"));
                }
                let order = line.strip_prefix("in_progress ").filter(|_| !step.rolled_back);
                let exists = |order: &str| state.iter().any(|line| line.starts_with(&format!("order {order}: ")));
                if order.is_some_and(|order| !exists(order)) {
                    return Err(format!("{step:?} was answered {line}, and there is no such order"));
                }
            }
        }
        if let Some(line) =
            state.iter().find(|line| tells_of_failed_orders(line) && !is_of_a_changed_sale(line, sessions))
        {
            return Err(format!("more orders were accepted than there are units: {line}"));
        }
        keeps_the_books(&databases[0], &[]).await
    });
}

/// Runs a program on both sides; the world after it.
async fn follow(database: &Database, program: &[Step]) -> Result<World, String> {
    let mut world = World::default();
    database.start_anew().await;
    for (number, step) in program.iter().enumerate() {
        let mut after = world.clone();
        let expected = after.apply(&step.op);
        let answered = database.step(step, &world).await;
        if !step.rolled_back {
            world = after;
        }
        same("was answered", &expected, &answered)
            .map_err(|difference| format!("step {}, {step:?}: {difference}", number + 1))?;
        same("is in the tables", &sorted(world.state()), &sorted(database.state().await))
            .map_err(|difference| format!("after step {}, {step:?}: {difference}", number + 1))?;
    }
    Ok(world)
}

/// Runs a program a session, all at the same time; every step with its answer.
async fn at_once<'a>(databases: &[Database], programs: &'a [Vec<Step>]) -> Vec<(&'a Step, Vec<String>)> {
    let nothing = World::default();
    let sessions = databases.iter().zip(programs).map(async |(database, program)| {
        let mut answers = Vec::new();
        for step in program {
            answers.push((step, database.in_transaction(step, &nothing).await));
        }
        answers
    });
    join_all(sessions).await.concat()
}

async fn keeps_the_books(database: &Database, but: &[&str]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for invariant in AT_EVERY_MOMENT.iter().chain(WHEN_DRAINED) {
        if !but.contains(&invariant.name) {
            wrong.extend(violations_of(database.client(), invariant).await.expect(invariant.name));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn tells_of_failed_orders(line: &str) -> bool {
    line.starts_with("settlements of sale ") && !line.ends_with(" 0 failed")
}

fn is_of_a_changed_sale(line: &str, sessions: &[Vec<Step>]) -> bool {
    sessions.iter().flatten().any(|step| match step.op {
        Op::SetQuantity { sale, .. } => line.starts_with(&format!("settlements of sale {sale}: ")),
        _ => false,
    })
}

fn same(what: &str, expected: &[String], real: &[String]) -> Result<(), String> {
    if expected == real {
        return Ok(());
    }
    let only = |lines: &[String], others: &[String]| -> String {
        let only: Vec<_> = lines.iter().filter(|line| !others.contains(line)).map(String::as_str).collect();
        only.join("\n  ")
    };
    let (oracle, database) = (only(expected, real), only(real, expected));
    Err(format!("what {what} differs\n only the oracle says:\n  {oracle}\n only the database says:\n  {database}"))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn without_orders(mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| !line.starts_with("order "));
    sorted(lines)
}

/// Checks a property on `cases` random values, all on one server.
fn for_all<S: Strategy>(values: S, cases: u32, property: impl AsyncFn(&[Database], &S::Value) -> Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (databases, _stack) = runtime.block_on(async {
        let stack = Stack::with(Parts { apis: 0, workers: 0, ..Parts::default() }).await;
        let mut databases = vec![Database::prepare(&stack).await];
        for _ in 1..SESSIONS {
            databases.push(Database::connect(&stack).await);
        }
        (databases, stack)
    });
    let config = config(cases);
    let seed = config.rng_seed;
    let result = TestRunner::new(config)
        .run(&values, |value| runtime.block_on(property(&databases, &value)).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, program)) => {
            panic!("the smallest program found that fails (PROPTEST_RNG_SEED={seed}):\n{program:#?}\n{why}")
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// What the environment says (PROPTEST_CASES, PROPTEST_RNG_SEED) goes first.
fn config(cases: u32) -> Config {
    let defaults = Config { cases, failure_persistence: None, max_shrink_time: SHRINK_FOR_MS, ..Config::default() };
    let mut config = contextualize_config(defaults);
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(rand::random());
    }
    config
}
