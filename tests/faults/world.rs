//! What one run has to itself: PostgreSQL, Redis or none, a proxy if the fault wants one, two API and two worker
//! processes, three sales, and a dice that the seed decides.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::catalogue::{Fault, Gate};
use crate::clock::{self, Clock};
use crate::harness::proxy::Proxy;
use crate::harness::users::{claims, sign};
use crate::harness::{JWT_SECRET, Parts, Sale, Stack, User};
use crate::load::{Progress, Shape};
use crate::needs::Need;
use crate::record::{Record, Recorder, SaleRecord, now_us};
use crate::recovery::Probes;

const PROCESSES_EACH: usize = 2;
/// In one run.
const BLOWS_MAX: usize = 40;
const PROBES_MAX: i64 = 1_000_000;
/// The data of a new cluster and room for some of its log.
const SMALL_DISK_MB: u32 = 300;
/// Longer than any clock is set forward or back.
const PATIENCE_S: i64 = 3 * 3600;

pub struct World {
    pub stack: Stack,
    pub proxy: Option<Proxy>,
    pub sales: Sales,
    pub dice: SmallRng,
    pub recorder: Recorder,
    pub progress: Arc<Progress>,
    /// Whether Redis is a part of this run; without it each API process has its gate in itself.
    pub has_redis: bool,
    /// Where history and logs are.
    pub directory: PathBuf,
    /// Where the clocks are, when they can be set.
    clocks: Option<PathBuf>,
    has_patient_tokens: bool,
    /// Who buys after each blow: made before, because then there may be no database.
    probes: Vec<User>,
    recovering: Vec<JoinHandle<Option<Duration>>>,
    /// How long it took after each blow; none when it took too long.
    recoveries: Vec<Option<Duration>>,
}

pub struct Sales {
    /// Open all the time; more people than units.
    pub main: Sale,
    /// Starts or ends while the load runs, or when a clock is set.
    pub windowed: Sale,
    /// When it starts or ends, by this machine's clock.
    pub edge: DateTime<Utc>,
    /// Whether it is open at the end of the run.
    pub windowed_stays_open: bool,
    /// Never sold out: shows when purchases are confirmed again.
    pub probe: Sale,
}

impl Sales {
    pub const fn all(&self) -> [&Sale; 3] {
        [&self.main, &self.windowed, &self.probe]
    }
}

impl World {
    pub async fn create(fault: &Fault, seed: u64, shape: &Shape, directory: &Path) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let setup = fault.setup;
        let has_redis = setup.gate != Gate::Any || dice.random_bool(0.7);
        let recorder = Recorder::create(&directory.join("history.jsonl"));
        recorder.write(&Record::Run { fault: fault.name.to_owned(), seed, redis: has_redis });
        let parts = Parts {
            redis: has_redis,
            apis: 0,
            workers: 0,
            logs: Some(directory.to_owned()),
            own_files: true,
            small_disk_mb: (setup.need == Need::SmallDisk).then_some(SMALL_DISK_MB),
            ..Parts::default()
        };
        let mut stack = Stack::with(parts).await;
        stack.logs_are_checked = false;
        if setup.has_rate_limits {
            stack.set_environment("RATE_LIMITS", "on");
        }
        let proxy = if setup.is_proxied { Some(Proxy::before_postgres(&mut stack).await) } else { None };
        if setup.gate == Gate::AbsentAtFirst {
            stack.redis_mut().kill();
        }
        let clocks = std::env::var_os(clock::FOLDER_VARIABLE).map(PathBuf::from);
        start_processes(&mut stack, clocks.as_deref().filter(|_| setup.need == Need::ProcessClocks)).await;
        let sales = open_sales(&stack, &mut dice, shape, setup.has_clock(), &recorder).await;
        let (directory, has_patient_tokens) = (directory.to_owned(), setup.need == Need::ProcessClocks);
        let progress = Arc::default();
        let recorder = if setup.strikes_purchases { recorder } else { recorder.whose_strikes_need_no_purchases() };
        let mut world = Self {
            stack,
            proxy,
            sales,
            dice,
            recorder,
            progress,
            has_redis,
            directory,
            clocks,
            has_patient_tokens,
            probes: Vec::new(),
            recovering: Vec::new(),
            recoveries: Vec::new(),
        };
        world.probes = world.users(PROCESSES_EACH * BLOWS_MAX).await;
        world
    }

    /// A fault is undone: from now on is measured how long it takes until every API has confirmed a fresh purchase,
    /// whatever the strike itself waits for.
    pub fn healed(&mut self) {
        self.recorder.write(&Record::Healed { at_us: now_us() });
        let since = Instant::now();
        let users = self.probes.split_off(self.probes.len().saturating_sub(PROCESSES_EACH));
        assert!(!users.is_empty(), "more than {BLOWS_MAX} blows");
        self.recovering.push(tokio::spawn(Probes::new(self, users).confirm(since)));
    }

    /// The longest recovery of all blows; none when one took too long.
    pub async fn recovery(&mut self) -> Option<Duration> {
        self.recover().await;
        if self.recoveries.is_empty() {
            self.healed();
            self.recover().await;
        }
        self.recoveries.iter().copied().collect::<Option<Vec<Duration>>>()?.into_iter().max()
    }

    async fn recover(&mut self) {
        for recovering in std::mem::take(&mut self.recovering) {
            self.recoveries.push(recovering.await.expect("the probes"));
        }
    }

    /// New users. Their tokens are good for hours in both directions where the clocks of API processes are set.
    pub async fn users(&self, count: usize) -> Vec<User> {
        let mut users = self.stack.users(count).await;
        if self.has_patient_tokens {
            for user in &mut users {
                let mut patient = claims(user.id);
                for (name, from_now_s) in [("iat", -PATIENCE_S), ("nbf", -PATIENCE_S), ("exp", PATIENCE_S)] {
                    patient[name] = json!(Utc::now().timestamp() + from_now_s);
                }
                user.token = sign(&patient, JWT_SECRET);
            }
        }
        users
    }

    /// The clock of a process, where they can be set.
    pub fn clock(&self, name: &str) -> Clock {
        Clock::of(self.clocks.as_deref().expect("a run with clocks that can be set"), name)
    }

    pub fn addresses(&self) -> Arc<[SocketAddr]> {
        self.stack.addresses().into()
    }

    /// Waits until a share of the shoppers between `from` and `to`, drawn by the dice, has arrived, and what was struck
    /// before has recovered.
    pub async fn moment(&mut self, from: f64, to: f64) {
        self.recover().await;
        let share = self.dice.random_range(from..to);
        self.progress.wait_for_share(share).await;
    }

    /// One of the processes of a kind, drawn by the dice.
    pub fn one_of_two(&mut self) -> usize {
        self.dice.random_range(0..PROCESSES_EACH)
    }

    /// Lets a fault last.
    pub async fn last(&mut self, from_ms: u64, to_ms: u64) {
        let time = Duration::from_millis(self.dice.random_range(from_ms..to_ms));
        tokio::time::sleep(time).await;
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a fault whose setup has a proxy")
    }
}

async fn start_processes(stack: &mut Stack, clocks: Option<&Path>) {
    let set_clock = |stack: &mut Stack, name: &str| {
        if let Some(folder) = clocks {
            let clock = Clock::of(folder, name);
            clock.set(0);
            for (name, value) in clock.environment() {
                stack.set_environment(&name, &value);
            }
        }
    };
    for index in 0..PROCESSES_EACH {
        set_clock(stack, &format!("api-{index}"));
        stack.start_api();
        set_clock(stack, &format!("worker-{index}"));
        stack.start_worker();
    }
    for api in &mut stack.apis {
        api.wait_until_ready().await;
    }
}

async fn open_sales(stack: &Stack, dice: &mut SmallRng, shape: &Shape, has_clock: bool, recorder: &Recorder) -> Sales {
    let now = Utc::now();
    // Open whatever hour it is on a clock that was set.
    let hours = |hours| if has_clock { TimeDelta::hours(hours) } else { TimeDelta::zero() };
    let (earlier, later) = (now - TimeDelta::minutes(1) - hours(3), now + TimeDelta::hours(1) + hours(3));
    let main = sale(stack, recorder, shape.main_units, (earlier, later), false).await;
    let probe = sale(stack, recorder, PROBES_MAX, (earlier, later), false).await;
    // Counted from here: the sales above took their time.
    let edge = Utc::now() + TimeDelta::milliseconds(dice.random_range(shape.edge_ms.clone()));
    let (window, stays_open) = if has_clock {
        let half_an_hour = TimeDelta::minutes(30);
        match dice.random_range(0..3) {
            0 => ((now + half_an_hour, later), false), // open while the clock is an hour ahead
            1 => ((earlier, now + half_an_hour), true), // closed then
            _ => ((now - half_an_hour, later), true),  // closed while it is an hour behind
        }
    } else {
        let ends = !shape.is_herd && dice.random_bool(0.5);
        if ends { ((earlier, edge), false) } else { ((edge, later), true) }
    };
    let windowed = sale(stack, recorder, shape.windowed_units, window, !stays_open).await;
    Sales { main, windowed, edge, windowed_stays_open: stays_open, probe }
}

async fn sale(
    stack: &Stack,
    recorder: &Recorder,
    quantity: i64,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    ends_in_run: bool,
) -> Sale {
    let sale = stack.sale_between(quantity, start, end).await;
    recorder.write(&Record::Sale(SaleRecord {
        flash_sale_id: sale.flash_sale_id,
        product_id: sale.product_id,
        quantity,
        start_us: start.timestamp_micros(),
        end_us: end.timestamp_micros(),
        ends_in_run,
    }));
    sale
}

/// Changes the quantity of a sale once, by whichever API answers.
pub async fn change_quantity(
    addresses: &[SocketAddr],
    administrator: &User,
    sale: &Sale,
    to: i64,
    recorder: &Recorder,
) {
    let body = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": to });
    for address in addresses {
        let request = crate::harness::Http { address: *address }.post("/sales/update");
        let reply = request.bearer(&administrator.token).json(&body).try_send().await;
        let acknowledged = reply.is_ok_and(|reply| reply.status == 200);
        recorder.write(&Record::Quantity {
            flash_sale_id: sale.flash_sale_id,
            to,
            acknowledged,
            answered_us: now_us(),
        });
        if acknowledged {
            return;
        }
    }
}
