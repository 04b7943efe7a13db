//! Many runs: each is a process of its own with a time limit, a line when it is over, and the command that repeats it when
//! it found something.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Selection;
use crate::catalogue::{self, FAULTS, Fault};
use crate::checker::Verdict;
use crate::harness::process::die_with_parent;
use crate::needs::Provisions;
use crate::report;
use crate::run::{Outcome, directory, result_path};
use crate::strikes::failpoints::points_of;

/// A run that takes longer hangs.
const RUN_MAX: Duration = Duration::from_secs(240);
const POLL_EVERY: Duration = Duration::from_millis(20);
const ROWS_SHOWN: usize = 8;
const LOG_LINES_SHOWN: usize = 12;

pub fn run(selection: &Selection) -> ExitCode {
    let plan = match plan(selection) {
        Ok(plan) => plan,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let mut outcomes = Vec::new();
    for (number, (fault, seed)) in plan.iter().enumerate() {
        let outcome = run_one(fault, *seed, selection.short, &[]);
        print_line(number + 1, plan.len(), &outcome);
        if outcome.has_failed() {
            print_violations(&outcome, selection.short);
        }
        outcomes.push(outcome);
    }
    report::print_table(&outcomes);
    // The short selection is a test; the figures that are published come from whole runs.
    if !selection.short {
        report::write_results(&outcomes, selection.fault.is_none());
    }
    let unvisited = unvisited_points(&outcomes);
    for point in &unvisited {
        println!("VIOLATED {point}: in no run");
    }
    let failed = outcomes.iter().filter(|outcome| outcome.has_failed()).count() + unvisited.len();
    let skipped = outcomes.iter().filter(|outcome| outcome.skipped.is_some()).count();
    let note = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    let passed = outcomes.iter().filter(|outcome| !outcome.has_failed()).count() - skipped;
    println!("{passed} passed, {failed} failed{note}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Named points at which no run has killed anybody.
fn unvisited_points(outcomes: &[Outcome]) -> Vec<String> {
    let mut unvisited = Vec::new();
    for fault in FAULTS {
        let runs: Vec<&Outcome> =
            outcomes.iter().filter(|run| run.fault == fault.name && run.skipped.is_none()).collect();
        let was_hit = |point: &String| runs.iter().any(|run| run.verdict.figures.get(point) == Some(&1));
        if !runs.is_empty() {
            let missing = points_of(fault.name).into_iter().filter(|point| !was_hit(point));
            unvisited.extend(missing.map(|point| format!("{} {point}", fault.name)));
        }
    }
    unvisited
}

fn plan(selection: &Selection) -> Result<Vec<(&'static Fault, u64)>, String> {
    let chosen: Vec<&Fault> = match &selection.fault {
        Some(name) => {
            let known = || FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ");
            vec![catalogue::find(name).ok_or_else(|| format!("no fault is called {name}; there are: {}", known()))?]
        }
        None => FAULTS.iter().filter(|fault| !selection.short || fault.short.is_some()).collect(),
    };
    // Round by round, so that a campaign that is interrupted has seen every fault.
    let rounds = 0..selection.runs;
    let seed_of = |fault: &Fault, round: u64| {
        let fixed = if selection.short { fault.short } else { None };
        selection.seed.or(fixed).unwrap_or(1) + round
    };
    Ok(rounds.flat_map(|round| chosen.iter().map(move |fault| (*fault, seed_of(fault, round)))).collect())
}

/// Starts a process for one run and waits for its end. A run that breaks off or hangs is a violation too; one that lacks
/// what it needs is skipped.
pub fn run_one(fault: &Fault, seed: u64, short: bool, environment: &[(&str, &str)]) -> Outcome {
    if let Some(reason) = fault.setup.need.missing() {
        return Outcome { fault: fault.name.to_owned(), seed, skipped: Some(reason), ..Outcome::default() };
    }
    let directory = directory(fault.name, seed);
    let _ = std::fs::remove_file(result_path(&directory));
    let parent = directory.parent().expect("target/faults");
    std::fs::create_dir_all(parent).expect("create target/faults");
    // Beside the directory, which the run makes anew.
    let log_path = directory.with_extension("log");
    let log = File::create(&log_path).expect("create the log of a run");
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(["one", fault.name, &seed.to_string()]).args(short.then_some("--short"));
    command.env("RUST_BACKTRACE", "0").envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("share the log")).stderr(log);
    let _provisions = Provisions::give(fault.setup.need, &mut command);
    die_with_parent(&mut command);
    let began = Instant::now();
    let status = wait_for_end(&mut command);
    let written = std::fs::read(result_path(&directory)).ok();
    let outcome = written.and_then(|json| serde_json::from_slice::<Outcome>(&json).ok());
    match (outcome, status) {
        (Some(outcome), Some(status)) if status.success() => outcome,
        (_, status) => broken_off(fault, seed, status, began.elapsed(), &log_path),
    }
}

fn wait_for_end(command: &mut Command) -> Option<ExitStatus> {
    let mut child = command.spawn().expect("start a run");
    let began = Instant::now();
    while began.elapsed() < RUN_MAX + catalogue::forgotten_for() {
        if let Some(status) = child.try_wait().expect("ask for the state of a run") {
            return Some(status);
        }
        #[allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]
        std::thread::sleep(POLL_EVERY);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn broken_off(fault: &Fault, seed: u64, status: Option<ExitStatus>, took: Duration, log: &Path) -> Outcome {
    let how =
        status.map_or_else(|| format!("hung for {RUN_MAX:?} and was killed"), |status| format!("broke off ({status})"));
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().position(|line| line.contains("panicked at"));
    let from = from.unwrap_or_else(|| lines.len().saturating_sub(LOG_LINES_SHOWN));
    let shown: Vec<&str> = lines[from..].iter().take(LOG_LINES_SHOWN).copied().collect();
    let violation = format!("0 the run {how}:\n    {}", shown.join("\n    "));
    Outcome {
        fault: fault.name.to_owned(),
        seed,
        seconds: took.as_secs_f64(),
        verdict: Verdict { violations: vec![violation], ..Verdict::default() },
        ..Outcome::default()
    }
}

fn print_line(number: usize, of: usize, outcome: &Outcome) {
    let Outcome { fault, seed, seconds, verdict, .. } = outcome;
    if let Some(reason) = &outcome.skipped {
        println!("[{number}/{of}] {fault:<22} seed {seed:<4} SKIPPED: {reason}");
        return;
    }
    let word = if outcome.has_failed() { "VIOLATED" } else { "ok" };
    let missed = if verdict.missed > 0 { format!(" ({} missed)", verdict.missed) } else { String::new() };
    println!(
        "[{number}/{of}] {fault:<22} seed {seed:<4} {word:<8} {seconds:>5.1} s  {:>5} operations, {} unknown, \
         {} strikes{missed}, recovered in {}",
        verdict.operations,
        verdict.unknown,
        verdict.strikes,
        outcome.recovery_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
    );
}

pub fn print_violations(outcome: &Outcome, short: bool) {
    let directory = directory(&outcome.fault, outcome.seed);
    let (fault, seed, violations) = (&outcome.fault, outcome.seed, &outcome.verdict.violations);
    println!("  fault {fault}, seed {seed}: {} violations", violations.len());
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for line in violations {
        let count = shown.entry(line.split(' ').next().unwrap_or_default()).or_default();
        *count += 1;
        if *count <= ROWS_SHOWN {
            println!("  {line}");
        }
    }
    println!("  history and logs: {}, output: {}", directory.display(), directory.with_extension("log").display());
    let short = if short { " --short" } else { "" };
    println!("  again: cargo test --locked --test faults -- run --fault {fault} --seed {seed}{short}");
}
