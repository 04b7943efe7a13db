//! What one run has to itself: PostgreSQL, Redis or none, a proxy if the fault wants one, two API and two worker
//! processes, three sales, and a dice that the seed decides.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::catalogue::{Fault, Gate};
use crate::harness::{Parts, Sale, Stack, User};
use crate::load::{Progress, Shape};
use crate::proxy::Proxy;
use crate::record::{Record, Recorder, SaleRecord};

const PROCESSES_EACH: usize = 2;
const PROBES_MAX: i64 = 1_000_000;

pub struct World {
    pub stack: Stack,
    pub proxy: Option<Proxy>,
    pub sales: Sales,
    pub dice: SmallRng,
    pub recorder: Recorder,
    pub progress: Arc<Progress>,
    /// Whether Redis is a part of this run; without it each API process has its gate in itself.
    pub has_redis: bool,
}

pub struct Sales {
    /// Open all the time; more people than units.
    pub main: Sale,
    /// Starts or ends while the load runs.
    pub windowed: Sale,
    pub windowed_ends: bool,
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
        let has_redis = fault.setup.gate != Gate::Any || dice.random_bool(0.7);
        let recorder = Recorder::create(&directory.join("history.jsonl"));
        recorder.write(&Record::Run { fault: fault.name.to_owned(), seed, redis: has_redis });
        let parts =
            Parts { redis: has_redis, apis: 0, workers: 0, logs: Some(directory.to_owned()), ..Parts::default() };
        let mut stack = Stack::with(parts).await;
        stack.logs_are_checked = false;
        let proxy = if fault.setup.is_proxied { Some(put_proxy_before_postgres(&mut stack).await) } else { None };
        if fault.setup.gate == Gate::AbsentAtFirst {
            stack.redis_mut().kill();
        }
        for _ in 0..PROCESSES_EACH {
            stack.start_api();
            stack.start_worker();
        }
        for api in &mut stack.apis {
            api.wait_until_ready().await;
        }
        let sales = open_sales(&stack, &mut dice, shape, &recorder).await;
        Self { stack, proxy, sales, dice, recorder, progress: Arc::default(), has_redis }
    }

    pub fn addresses(&self) -> Arc<[SocketAddr]> {
        self.stack.addresses().into()
    }

    /// Waits until a share of the shoppers between `from` and `to`, drawn by the dice, has arrived.
    pub async fn moment(&mut self, from: f64, to: f64) {
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

async fn put_proxy_before_postgres(stack: &mut Stack) -> Proxy {
    let url = stack.postgres.url();
    let (before, database) = url.rsplit_once('/').expect("a URL with a database");
    let (server, port) = before.rsplit_once(':').expect("a URL with a port");
    let proxy = Proxy::start(port.parse().expect("a port")).await;
    stack.set_environment("DATABASE_URL", &format!("{server}:{}/{database}", proxy.port));
    proxy
}

async fn open_sales(stack: &Stack, dice: &mut SmallRng, shape: &Shape, recorder: &Recorder) -> Sales {
    let now = Utc::now();
    let (earlier, later) = (now - TimeDelta::minutes(1), now + TimeDelta::hours(1));
    let main = sale(stack, recorder, shape.main_units, (earlier, later), false).await;
    let probe = sale(stack, recorder, PROBES_MAX, (earlier, later), false).await;
    // Counted from here: the sales above took their time.
    let edge = Utc::now() + TimeDelta::milliseconds(dice.random_range(shape.edge_ms.clone()));
    let windowed_ends = !shape.is_herd && dice.random_bool(0.5);
    let window = if windowed_ends { (earlier, edge) } else { (edge, later) };
    let windowed = sale(stack, recorder, shape.windowed_units, window, windowed_ends).await;
    Sales { main, windowed, windowed_ends, probe }
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

/// Raises the quantity of the main sale once, by whichever API answers.
pub async fn raise_quantity(addresses: &[SocketAddr], administrator: &User, sale: &Sale, to: i64, recorder: &Recorder) {
    let body = json!({ "flash_sale_id": sale.flash_sale_id, "quantity": to });
    for address in addresses {
        let request = crate::harness::Http { address: *address }.post("/sales/update");
        let reply = request.bearer(&administrator.token).json(&body).try_send().await;
        let acknowledged = reply.is_ok_and(|reply| reply.status == 200);
        recorder.write(&Record::Quantity { flash_sale_id: sale.flash_sale_id, to, acknowledged });
        if acknowledged {
            return;
        }
    }
}
