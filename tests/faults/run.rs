//! One run from its seed: a world, a load, a fault, healing, draining, checking. It is a process of its own, so that a
//! run that hangs or breaks off takes everything it started with it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use crate::catalogue::Fault;
use crate::checker::{self, Verdict, at_every_moment};
use crate::feeder::Feeder;
use crate::gates;
use crate::harness::Monitor;
use crate::load::Load;
use crate::logs;
use crate::recovery::{drain, let_everybody_try_again, send_keys_again};
use crate::world::{World, change_quantity};

/// In the shortest of runs, on a busy machine.
const LOOKS_MIN: usize = 5;
const KEYS_SENT_AGAIN_MIN: usize = 5;

/// What a run leaves in `result.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub fault: String,
    pub seed: u64,
    pub seconds: f64,
    /// How often the monitor looked while the load ran.
    pub looks: usize,
    /// From the end of the fault until every API had confirmed a fresh purchase.
    pub recovery_ms: Option<u64>,
    /// Warnings and errors of the process that had most of them.
    pub log_lines_max: usize,
    /// Why there was no run, when something it needs is missing here.
    pub skipped: Option<String>,
    pub verdict: Verdict,
}

impl Outcome {
    pub fn has_failed(&self) -> bool {
        !self.verdict.violations.is_empty()
    }
}

/// Where a run leaves its history, its logs and its result.
pub fn directory(fault: &str, seed: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/faults/{fault}-{seed}"))
}

pub fn result_path(directory: &Path) -> PathBuf {
    directory.join("result.json")
}

/// Runs one fault with one seed and writes its result. Panics when the run itself breaks off.
pub async fn run(fault: &Fault, seed: u64, short: bool) {
    let began = Instant::now();
    let directory = directory(fault.name, seed);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("create the directory of the run");
    let shape = fault.setup.shape(short);
    let mut world = World::create(fault, seed, &shape, &directory).await;

    let invariants = at_every_moment(fault.setup.has_duplicates, fault.setup.is_lowered);
    let monitor = Monitor::of(&world.stack, invariants);
    let feeder = Feeder::start(&world, &shape).await;
    let load = Load::start(&mut world, &shape).await;
    let raising = if fault.setup.is_lowered { None } else { raise_quantity_meanwhile(&mut world).await };
    (fault.strike)(&mut world).await;
    let recovery = world.recovery().await;
    let stayed = load.finish().await;
    let looks = monitor.looks();
    feeder.stop().await;
    if let Some(raising) = raising {
        raising.await.expect("the administrator");
    }
    let_everybody_try_again(&world, &stayed).await;
    send_keys_again(&world, &stayed).await;
    let is_drained = drain(&world.stack).await;
    let seen = monitor.stop().await.into_iter().map(|line| format!("{line} (while the load ran)")).collect();

    let database = world.stack.database().await;
    let history = directory.join("history.jsonl");
    let mut verdict = checker::check(&history, &database, invariants, seen, fault.setup.is_graceful).await;
    if !is_drained {
        verdict.violations.push("3 the queue was not drained".to_owned());
    }
    verdict.violations.extend(gates::unbalanced(&world).await);
    verdict.violations.extend(ended_processes(&mut world));
    let complaints = logs::complaints(&world.stack);
    verdict.violations.extend(logs::too_many(&complaints, verdict.strikes - verdict.missed));
    verdict.violations.extend(blindness(fault, &verdict, looks));
    if recovery.is_none() {
        verdict.violations.push("3 no fresh purchase was confirmed after the end of the fault".to_owned());
    }
    let outcome = Outcome {
        fault: fault.name.to_owned(),
        seed,
        seconds: began.elapsed().as_secs_f64(),
        looks,
        recovery_ms: recovery.map(|time| u64::try_from(time.as_millis()).expect("a time")),
        log_lines_max: logs::lines_max(&complaints),
        skipped: None,
        verdict,
    };
    let json = serde_json::to_vec_pretty(&outcome).expect("the result as JSON");
    std::fs::write(result_path(&directory), json).expect("write the result");
}

/// A run in which nobody looked or nothing was hit proves nothing.
fn blindness(fault: &Fault, verdict: &Verdict, looks: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    if looks < LOOKS_MIN {
        wrong.push(format!("0 the monitor looked {looks} times while the load ran"));
    }
    let (strikes, missed) = (verdict.strikes, verdict.missed);
    if !fault.setup.is_in_the_load && (strikes == 0 || missed * 2 > strikes) {
        wrong.push(format!("0 the fault hardly struck: {strikes} strikes, {missed} of them missed"));
    }
    if verdict.keys_sent_again < KEYS_SENT_AGAIN_MIN {
        wrong.push(format!("0 only {} keys were sent again after their order", verdict.keys_sent_again));
    }
    wrong
}

/// In half of the runs an administrator puts more units on sale while people buy.
async fn raise_quantity_meanwhile(world: &mut World) -> Option<tokio::task::JoinHandle<()>> {
    if !world.dice.random_bool(0.5) {
        return None;
    }
    let share = world.dice.random_range(0.3..0.8);
    let to = world.sales.main.quantity + world.dice.random_range(10..60);
    let administrator = world.stack.administrator().await;
    let (addresses, sale) = (world.addresses(), world.sales.main);
    let (progress, recorder) = (std::sync::Arc::clone(&world.progress), world.recorder.clone());
    Some(tokio::spawn(async move {
        progress.wait_for_share(share).await;
        change_quantity(&addresses, &administrator, &sale, to, &recorder).await;
    }))
}

/// Whatever happened, every process is running at the end, and none has panicked or told a secret.
fn ended_processes(world: &mut World) -> Vec<String> {
    let apis = world.stack.apis.iter_mut().map(|api| &mut api.process);
    let processes = apis.chain(&mut world.stack.workers);
    let mut wrong: Vec<String> = processes
        .filter_map(|process| {
            let status = process.exited()?;
            Some(format!("3 {} has ended by itself: {status}", process.name))
        })
        .collect();
    wrong.extend(world.stack.wrong_in_logs());
    wrong
}
