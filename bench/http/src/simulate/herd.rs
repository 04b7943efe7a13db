//! A herd at T0, followed from the press of the button to the answer, as ARCHITECTURE.md describes it: API, gate, lane of
//! batches, settling, and the latch that closes when the last unit is sold.

use std::collections::{BTreeMap, VecDeque};

use super::costs::Costs;
use super::machine::{Role, step};
use super::settings::Settings;

const STEP_US: f64 = 50.0;
/// `app::full_gates`: how long a crowd is held back at a gate that has just become full.
const HOLD_US: f64 = 250_000.0;
const BATCH_MAX: usize = 500;
/// Whatever is not over by then never will be.
const GIVE_UP_US: f64 = 600e6;

const GENERATOR: usize = 0;
const REDIS: usize = 1;
const PLACING: usize = 2;
const SETTLING: usize = 3;
const APIS: usize = 4;

enum Job {
    Send(usize),
    Read(usize),
    Ask(usize),
    Place(Vec<usize>),
    Settle(usize),
    Answer(usize),
}

/// What happens at a moment that is known: a COMMIT has reached the disk.
enum Commit {
    Placed(Vec<usize>),
    Settled(usize),
}

/// Each person's moments, in µs after T0.
pub struct Herd {
    pub arrived_us: Vec<f64>,
    pub answered_us: Vec<f64>,
    /// Of those who were.
    pub placed_us: Vec<f64>,
    pub settled_us: Vec<f64>,
    pub has_unit: Vec<bool>,
    /// Processor time of generator, Redis, placing, settling, APIs.
    pub busy_us: [f64; 5],
}

struct Simulation<'a> {
    costs: &'a Costs,
    units: usize,
    apis: usize,
    roles: Vec<Role<Job>>,
    /// Who waits for the next batch, a lane an API.
    lanes: Vec<VecDeque<usize>>,
    next_lane: usize,
    placing: bool,
    settling: bool,
    queued: usize,
    tokens: usize,
    full_since: Option<f64>,
    held: Vec<usize>,
    commits: BTreeMap<u64, Vec<Commit>>,
    herd: Herd,
}

/// Follows a herd until everybody is answered and the last unit is sold.
pub fn simulate(settings: &Settings, costs: &Costs, arrived_us: Vec<f64>) -> anyhow::Result<Herd> {
    let (cores, role_of) = settings.machines();
    let role = |number: usize| Role::new(role_of(number).0, role_of(number).1);
    let apis = settings.api_processes;
    let people = arrived_us.len();
    let herd = Herd {
        arrived_us,
        answered_us: vec![f64::NAN; people],
        placed_us: Vec::new(),
        settled_us: Vec::new(),
        has_unit: vec![false; people],
        busy_us: [0.0; 5],
    };
    let mut simulation = Simulation {
        costs,
        units: settings.units.min(people),
        apis,
        roles: (0..APIS + apis).map(role).collect(),
        lanes: vec![VecDeque::new(); apis],
        next_lane: 0,
        placing: false,
        settling: false,
        queued: 0,
        tokens: settings.units,
        full_since: None,
        held: Vec::new(),
        commits: BTreeMap::new(),
        herd,
    };
    simulation.run(&cores)?;
    Ok(simulation.finish())
}

impl Simulation<'_> {
    fn run(&mut self, cores: &[f64]) -> anyhow::Result<()> {
        let people = self.herd.arrived_us.len();
        let (mut now, mut next, mut answered) = (0.0, 0, 0);
        while answered < people || self.herd.settled_us.len() < self.units {
            anyhow::ensure!(
                now < GIVE_UP_US,
                "{} of {people} people are not answered after {} s",
                people - answered,
                now / 1e6
            );
            while next < people && self.herd.arrived_us[next] <= now {
                self.roles[GENERATOR].push(self.costs.generator_us, Job::Send(next));
                next += 1;
            }
            for (role, jobs) in step(&mut self.roles, cores, STEP_US) {
                for job in jobs {
                    answered += usize::from(matches!(job, Job::Answer(_)));
                    self.finished(role, job, now + STEP_US);
                }
            }
            now += STEP_US;
            self.committed(now);
            self.call_the_database();
            if self.full_since.is_some_and(|since| now - since > HOLD_US) {
                self.release();
            }
        }
        Ok(())
    }

    fn finished(&mut self, role: usize, job: Job, now: f64) {
        let api = |person: usize| APIS + person % self.apis;
        match job {
            Job::Send(person) => self.roles[api(person)].push(self.costs.read_us, Job::Read(person)),
            Job::Read(person) if self.is_sold_out() => {
                self.roles[api(person)].go_on(self.costs.answer_us, Job::Answer(person));
            }
            Job::Read(person) if self.is_holding(now) => self.held.push(person),
            Job::Read(person) => self.roles[REDIS].push(self.costs.gate_us, Job::Ask(person)),
            Job::Ask(person) if self.tokens > 0 => {
                self.tokens -= 1;
                self.herd.has_unit[person] = true;
                self.lanes[person % self.apis].push_back(person);
            }
            Job::Ask(person) => {
                self.full_since.get_or_insert(now);
                if self.is_holding(now) { self.held.push(person) } else { self.answer(person) }
            }
            Job::Place(people) => self.commit(now, Commit::Placed(people)),
            Job::Settle(count) => self.commit(now, Commit::Settled(count)),
            Job::Answer(person) => {
                debug_assert!(role >= APIS, "an API answers");
                self.herd.answered_us[person] = now;
            }
        }
    }

    fn commit(&mut self, now: f64, commit: Commit) {
        self.commits.entry((now + self.costs.commit_us) as u64).or_default().push(commit);
    }

    fn committed(&mut self, now: f64) {
        while let Some(entry) = self.commits.first_entry().filter(|entry| *entry.key() as f64 <= now) {
            for commit in entry.remove() {
                match commit {
                    Commit::Placed(people) => {
                        self.placing = false;
                        self.queued += people.len();
                        self.herd.placed_us.extend(people.iter().map(|_| now));
                        people.into_iter().for_each(|person| self.answer(person));
                    }
                    Commit::Settled(count) => {
                        self.settling = false;
                        self.herd.settled_us.extend(std::iter::repeat_n(now, count));
                    }
                }
            }
            if self.is_sold_out() {
                self.release();
            }
        }
    }

    /// One batch of a sale is placed at a time, the lanes by turns; and one is settled.
    fn call_the_database(&mut self) {
        if !self.placing
            && let Some(turn) = (0..self.apis)
                .map(|turn| (self.next_lane + turn) % self.apis)
                .find(|&lane| !self.lanes[lane].is_empty())
        {
            let lane = &mut self.lanes[turn];
            let batch: Vec<usize> = lane.drain(..lane.len().min(BATCH_MAX)).collect();
            let cost = self.costs.place_call_us + self.costs.place_us * batch.len() as f64;
            self.roles[PLACING].push(cost, Job::Place(batch));
            (self.placing, self.next_lane) = (true, turn + 1);
        }
        if !self.settling && self.queued > 0 {
            let count = self.queued.min(BATCH_MAX);
            let cost = self.costs.settle_call_us + self.costs.settle_us * count as f64;
            self.roles[SETTLING].push(cost, Job::Settle(count));
            (self.settling, self.queued) = (true, self.queued - count);
        }
    }

    fn answer(&mut self, person: usize) {
        let more = if self.herd.has_unit[person] { self.costs.purchase_us } else { 0.0 };
        self.roles[APIS + person % self.apis].push(self.costs.answer_us + more, Job::Answer(person));
    }

    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        held.into_iter().for_each(|person| self.answer(person));
    }

    fn is_sold_out(&self) -> bool {
        self.herd.settled_us.len() >= self.units
    }

    fn is_holding(&self, now: f64) -> bool {
        self.full_since.is_some_and(|since| now - since <= HOLD_US) && !self.is_sold_out()
    }

    fn finish(mut self) -> Herd {
        let busy: Vec<f64> = self.roles.iter().map(|role| role.busy_us).collect();
        self.herd.busy_us = [busy[GENERATOR], busy[REDIS], busy[PLACING], busy[SETTLING], busy[APIS..].iter().sum()];
        self.herd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::settings::tests::settings;

    fn herd(line: &str, people: usize) -> Herd {
        let settings = settings(line);
        let arrived = (0..people).map(|person| person as f64 * 1e6 / people as f64).collect();
        simulate(&settings, &settings.costs, arrived).unwrap()
    }

    #[test]
    fn every_unit_is_sold_once_and_everybody_is_answered() {
        let herd = herd("--people 20000 --one-machine 2", 20_000);
        assert_eq!(herd.has_unit.iter().filter(|has| **has).count(), 400);
        assert_eq!((herd.placed_us.len(), herd.settled_us.len()), (400, 400));
        assert!(herd.answered_us.iter().zip(&herd.arrived_us).all(|(answered, arrived)| answered > arrived));
    }

    #[test]
    fn processor_time_is_what_the_costs_say() {
        let herd = herd("--people 20000 --one-machine 2", 20_000);
        let apis = 20_000.0 * 16.0 + 400.0 * 16.0;
        assert!((herd.busy_us[4] - apis).abs() < 1.0, "{} instead of {apis}", herd.busy_us[4]);
        assert!((herd.busy_us[0] - 20_000.0 * 12.0).abs() < 1.0);
    }

    #[test]
    fn burst_takes_more_of_every_processor() {
        let busy_us = |line: &str| {
            let settings = settings(line);
            let arrived = (0..2_000).map(f64::from).collect();
            simulate(&settings, &settings.costs.clone().of_burst(), arrived).unwrap().busy_us
        };
        // One unit: one batch, whatever the pace.
        let herd = "--people 2000 --units 1 --one-machine 2 --burst-factor";
        let (once, twice) = (busy_us(&format!("{herd} 1")), busy_us(&format!("{herd} 2")));
        for role in [GENERATOR, PLACING, SETTLING, APIS] {
            assert!((twice[role] - 2.0 * once[role]).abs() < 1.0, "{role}: {once:?} and {twice:?}");
        }
    }

    #[test]
    fn more_cores_answer_sooner() {
        let last = |line: &str| herd(line, 50_000).answered_us.into_iter().fold(0.0, f64::max);
        let (few, many) = (last("--people 50000 --one-machine 1"), last("--people 50000 --one-machine 4"));
        assert!(few > 1.3 * many, "{few} and {many}");
    }
}
