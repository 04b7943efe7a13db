//! Hears every answer of a load: keeps the users' side of the books, asks after orders, watches the stock, tells how it
//! is going once a second, and notices when nobody answers any more.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::ledger::{Ledger, Next};
use super::progress::{Meter, Snapshot, Stop};
use super::scenario::{Asks, Pace, Plan, WATCH_RATE};
use super::stage::Route;
use super::watch::Watch;
use crate::client::{Asked, Audience, Calls, Go, Lane};

const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);
/// How soon a page opens a stream again that has ended.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// What a listener is told about the load.
pub struct Scene<'a> {
    pub plan: &'a Plan,
    pub routes: &'a [Route],
    pub targets: usize,
    /// When the load starts.
    pub origin: Instant,
    /// How long after the end outcomes are asked for, and how long nobody may answer before the run is broken off.
    pub patience: Duration,
    pub stop: Arc<Stop>,
    pub told_to: Sender<Snapshot>,
}

pub struct Listener<'a> {
    scene: Scene<'a>,
    pub ledger: Ledger,
    pub watch: Watch,
    meter: Meter,
    units: u64,
    heard_at: Instant,
    /// Requests that failed since an answer was heard.
    failed_since: u64,
    /// When the load was told to stop early.
    pub finished_at: Option<Instant>,
    snapshot_due: Instant,
    /// Why the run was broken off.
    pub broken_off: Option<String>,
}

impl<'a> Listener<'a> {
    pub fn new(scene: Scene<'a>, ledger: Ledger, watch: Watch) -> anyhow::Result<Self> {
        Ok(Self {
            meter: Meter::new(scene.plan.parts.len())?,
            units: watch.remaining(),
            heard_at: scene.origin,
            failed_since: 0,
            finished_at: None,
            snapshot_due: first_whole_second(scene.origin, Instant::now()),
            broken_off: None,
            scene,
            ledger,
            watch,
        })
    }
}

/// The first moment from now on that is whole seconds before or after the start.
fn first_whole_second(origin: Instant, now: Instant) -> Instant {
    let whole = Duration::from_secs(origin.saturating_duration_since(now).as_secs());
    origin.checked_sub(whole).unwrap_or(origin)
}

impl Listener<'_> {
    /// Whoever asks with this request: a user's or a stream's number.
    fn who(&self, asked: &Asked) -> usize {
        asked.number * self.scene.targets + self.scene.routes[asked.flow].target
    }

    fn ask_after_order(&self, asked: &Asked, after: Duration, calls: &mut Calls) {
        let target = self.scene.routes[asked.flow].target;
        let asks = |route: &Route| {
            route.asks == Asks::Outcome
                && route.target == target
                && self.scene.plan.parts[route.part].pace == Pace::Called
        };
        if asked.now < self.gives_up_at()
            && let Some(flow) = self.scene.routes.iter().position(asks)
        {
            calls.call(flow, asked.number, asked.now + after);
        }
    }

    /// The stock is watched for as long as somebody waits for an outcome.
    fn look_again(&self, asked: &Asked, calls: &mut Calls) {
        let is_over = asked.now >= self.scene.origin + self.scene.plan.lasts && asked.now < self.gives_up_at();
        if is_over && self.watch.remaining() > 0 && self.ledger.told_all().waiting() > 0 {
            calls.call(asked.flow, asked.number, asked.now + Duration::from_secs_f64(1.0 / WATCH_RATE));
        }
    }

    /// Until when outcomes are asked for.
    fn gives_up_at(&self) -> Instant {
        let ends_at = self.scene.origin + self.scene.plan.lasts;
        self.finished_at.map_or(ends_at, |finished_at| finished_at.min(ends_at)) + self.scene.patience
    }

    fn is_follow_up(&self, asked: &Asked) -> bool {
        self.scene.plan.parts[self.scene.routes[asked.flow].part].pace == Pace::Called
    }

    fn snapshot(&mut self, now: Instant, lanes: &[Lane<'_>]) -> anyhow::Result<Snapshot> {
        let (generator_late_ms, generator_busy) = self.meter.generator(lanes, now)?;
        Ok(Snapshot {
            elapsed: now.saturating_duration_since(self.scene.origin),
            starts_in: self.scene.origin.saturating_duration_since(now),
            left: (self.scene.origin + self.scene.plan.lasts).saturating_duration_since(now),
            stopping: self.finished_at.is_some(),
            parts: self.meter.parts(self.scene.plan, self.scene.routes, lanes, now)?,
            told: self.ledger.told_all(),
            units: self.units,
            units_left: self.watch.remaining(),
            generator_late_ms,
            generator_busy,
        })
    }

    /// Says so when requests go out and nothing has come back for too long.
    fn break_off_when_nobody_answers(&mut self, now: Instant, lanes: &[Lane<'_>]) {
        let waiting: u64 = lanes.iter().map(|lane| if lane.flow.holds { 0 } else { lane.in_flight() }).sum();
        if waiting + self.failed_since == 0 {
            self.heard_at = now;
        }
        let silence = now.saturating_duration_since(self.heard_at);
        if silence > self.scene.patience + Duration::from_secs(5) {
            self.broken_off = Some(format!(
                "nothing was answered for {:.0} s: {} requests failed in that time and {waiting} were waiting",
                silence.as_secs_f64(),
                self.failed_since
            ));
        }
    }
}

impl Audience for Listener<'_> {
    fn answered(&mut self, asked: &Asked, status: u16, body: &[u8], calls: &mut Calls) {
        (self.heard_at, self.failed_since) = (asked.now, 0);
        let route = self.scene.routes[asked.flow];
        self.meter.record(route.part, asked.now.saturating_duration_since(asked.due));
        let user = self.who(asked);
        let next = match route.asks {
            Asks::Buy => {
                if status == 200 {
                    self.watch.accepted(user, asked.due);
                }
                self.ledger.purchase_answered(user, status, body, asked.due, asked.now)
            }
            Asks::Outcome if self.is_follow_up(asked) => self.ledger.outcome_answered(user, status, body, asked.now),
            Asks::Watch if status == 200 => {
                self.watch.looked(body, asked.now);
                self.look_again(asked, calls);
                Next::Nothing
            }
            _ => Next::Nothing,
        };
        if let Next::Ask(after) = next {
            self.ask_after_order(asked, after, calls);
        }
    }

    fn failed(&mut self, asked: &Asked, _word: &'static str, calls: &mut Calls) {
        self.failed_since += 1;
        let user = self.who(asked);
        let next = match self.scene.routes[asked.flow].asks {
            Asks::Buy => self.ledger.purchase_failed(user, asked.due),
            Asks::Outcome if self.is_follow_up(asked) => self.ledger.outcome_failed(user),
            // A page opens its stream again.
            Asks::Stream => {
                self.watch.stream_ended(user);
                if self.finished_at.is_none() && asked.now < self.scene.origin + self.scene.plan.lasts {
                    calls.call(asked.flow, asked.number, asked.now + REOPEN_AFTER);
                }
                Next::Nothing
            }
            _ => Next::Nothing,
        };
        if let Next::Ask(after) = next {
            self.ask_after_order(asked, after, calls);
        }
    }

    fn event(&mut self, asked: &Asked, event: &[u8], _calls: &mut Calls) {
        self.heard_at = asked.now;
        let stream = self.who(asked);
        self.watch.streamed(stream, event, asked.now);
    }

    fn go_on(&mut self, now: Instant, lanes: &[Lane<'_>]) -> Go {
        let go = self.scene.stop.go();
        if go != Go::On && self.finished_at.is_none() {
            self.finished_at = Some(now);
        }
        if now >= self.snapshot_due {
            self.snapshot_due += SNAPSHOT_INTERVAL;
            match self.snapshot(now, lanes) {
                // Whoever shows it may have gone.
                Ok(snapshot) => drop(self.scene.told_to.send(snapshot)),
                Err(error) => self.broken_off = Some(format!("the figures of a second cannot be made: {error:#}")),
            }
        }
        self.break_off_when_nobody_answers(now, lanes);
        if self.broken_off.is_some() { Go::Away } else { go }
    }
}
