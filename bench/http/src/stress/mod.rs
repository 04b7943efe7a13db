//! `http`: loads servers that speak the engine's API with a scenario, shows how it goes, and audits the books.
//!
//! `settings` fills in the arguments, `scenario` makes a plan of them (data: who asks for what, when, how fast), `stage`
//! renders it into flows for the one engine in `client`, `listener` hears every answer, `verdict` and `outcome` say what
//! it came to.

mod arguments;
mod clock;
mod ledger;
mod listener;
mod outcome;
mod people;
mod prepare;
mod progress;
mod sales;
mod scenario;
mod settings;
mod show;
mod signup;
mod stage;
mod summary;
mod target;
mod verdict;
mod view;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

pub use arguments::Arguments;
use ledger::Ledger;
use listener::{Listener, Scene};
use outcome::{Generator, Outcome};
use prepare::Prepared;
use progress::Stop;
use scenario::{Asks, Plan};
use settings::Settings;
use stage::Stage;
use verdict::Verdict;
use watch::Watch;

use crate::client::{Engine, Go, Tally};

/// Fails when the books do not balance or the run broke off.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::of(&arguments)?;
    let plan = Plan::of(&settings);
    ensure_descriptors(&plan)?;
    let prepared = prepare::prepare(&arguments, &settings, &plan).await?;
    let stop = Arc::new(Stop::default());
    let (told_to, snapshots) = mpsc::channel();
    let shown = tokio::task::spawn_blocking({
        let (stop, title, plain) = (Arc::clone(&stop), title(&arguments, &settings), arguments.plain);
        move || show::show(&snapshots, &stop, &title, plain)
    });
    press_on_interrupt(Arc::clone(&stop));
    let load = Load { settings, plan, prepared, stop };
    let (load, ended) = tokio::task::spawn_blocking(move || {
        let ended = load.run(told_to);
        (load, ended)
    })
    .await?;
    // The view gives the terminal back before anything else is printed.
    shown.await?.context("the view broke")?;
    let outcome = load.outcome(ended?, &arguments.base_urls).await?;
    print!("{outcome}");
    if let Some(file) = &arguments.output {
        let json = serde_json::to_vec_pretty(&outcome.to_json())?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
        println!("written        {}", file.display());
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A load with all that it needs.
struct Load {
    settings: Settings,
    plan: Plan,
    prepared: Prepared,
    stop: Arc<Stop>,
}

/// What is left when the last answer has come.
struct Ended {
    parts: Vec<(&'static str, Tally)>,
    ledger: Ledger,
    watch: Watch,
    busy: f64,
    ended_early: bool,
    broken_off: Option<String>,
}

impl Load {
    /// Drives the engine on this thread.
    fn run(&self, told_to: mpsc::Sender<progress::Snapshot>) -> anyhow::Result<Ended> {
        let Prepared { targets, people, sales, origin, .. } = &self.prepared;
        let stage = Stage::render(&self.settings, &self.plan, targets, people, sales);
        let (flows, routes) = stage.flows(&self.plan, self.settings.timeout);
        let scene = Scene {
            plan: &self.plan,
            routes: &routes,
            targets: targets.len(),
            origin: *origin,
            patience: self.settings.timeout,
            stop: Arc::clone(&self.stop),
            told_to,
        };
        let ledger = Ledger::new(people.tokens.len(), sales.len())?;
        let listener = Listener::new(scene, ledger, Watch::new(sales, self.settings.streams)?)?;
        let engine = Engine::new(&flows, *origin, listener)?;
        let busy_before = progress::busy_time()?;
        let (tallies, listener) = engine.run()?;
        let busy =
            (progress::busy_time()? - busy_before).as_secs_f64() / origin.elapsed().as_secs_f64().max(f64::EPSILON);
        let mut parts = Vec::with_capacity(self.plan.parts.len());
        for (number, part) in self.plan.parts.iter().enumerate() {
            let of_this_part = routes.iter().zip(&tallies).filter(|(route, _)| route.part == number);
            parts.push((part.name, Tally::sum(of_this_part.map(|(_, tally)| tally))?));
        }
        let ended_early = listener.finished_at.is_some();
        let Listener { ledger, watch, broken_off, .. } = listener;
        Ok(Ended { parts, ledger, watch, busy, ended_early, broken_off })
    }

    /// Reads the books, puts everything together.
    async fn outcome(self, ended: Ended, base_urls: &[String]) -> anyhow::Result<Outcome> {
        let Prepared { targets, sales, origin, database_url, .. } = &self.prepared;
        let verdict = match targets.first().filter(|_| !sales.is_empty()) {
            None => None,
            Some(target) => {
                let verdict = Verdict::reach(&ended.ledger, sales, target, database_url.as_deref()).await;
                Some(verdict.map_err(|error| format!("{error:#}")))
            }
        };
        let opened_at = *origin + self.plan.opens_after;
        let after = |moment: Option<Instant>| {
            let moment = moment.filter(|_| self.plan.has_crowd)?;
            Some(moment.saturating_duration_since(opened_at).as_secs_f64() * 1000.0)
        };
        let by_database = verdict.as_ref().and_then(|verdict| verdict.as_ref().ok()).and_then(last_sold_ms);
        let by_looking = after(ended.watch.sold_out_at());
        let has_streams = self.plan.parts.iter().any(|part| part.asks == Asks::Stream);
        Ok(Outcome {
            generator: Generator::of(&ended.parts, ended.busy)?,
            base_urls: base_urls.to_vec(),
            parts: ended.parts,
            known_us: ended.ledger.known_us.clone(),
            told: ended.ledger.told_all(),
            last_unit_ms: by_looking.map(|by_looking| by_database.unwrap_or(by_looking)),
            everybody_knew_ms: after(ended.ledger.last_known_at),
            streams_showed_ms: after(ended.watch.streams.last_sold_out_at),
            streams: has_streams.then_some(ended.watch.streams),
            ended_early: ended.ended_early,
            broken_off: ended.broken_off,
            settings: self.settings,
            verdict,
        })
    }
}

/// When the last unit of the last sale was sold, if the database has said so of each.
fn last_sold_ms(verdict: &Verdict) -> Option<f64> {
    let moments: Option<Vec<f64>> = verdict.sales.iter().map(|sale| sale.last_sold_ms).collect();
    moments?.into_iter().reduce(f64::max)
}

fn title(arguments: &Arguments, settings: &Settings) -> String {
    format!("{} · {}", settings.scenario, arguments.base_urls.join(" "))
}

/// ctrl-c ends the load early; a second one leaves it; a third one leaves the reading of the books too.
fn press_on_interrupt(stop: Arc<Stop>) {
    const INTERRUPTED: i32 = 130;
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if stop.go() == Go::Away {
                std::process::exit(INTERRUPTED);
            }
            stop.press();
        }
    });
}

/// Every connection is a file descriptor: too few of them is to be known before the clock starts.
fn ensure_descriptors(plan: &Plan) -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit};
    const OTHERS: u64 = 64;
    let connections: usize = plan.parts.iter().map(|part| part.connections).sum();
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    anyhow::ensure!(
        connections as u64 + OTHERS <= limit,
        "{connections} connections are needed and this process may open {limit} files: lower --connections or --streams, \
         or raise the limit (ulimit -n)"
    );
    Ok(())
}

/// A member of a JSON answer that must be text.
fn text(answer: &Value, member: &str) -> anyhow::Result<String> {
    answer[member].as_str().map(str::to_owned).with_context(|| format!("the answer has no {member}: {answer}"))
}
