//! What a run can be told, and the sizes it uses: chosen so that the whole ends within 20 minutes on two idle cores.

use std::path::PathBuf;

use serde::Serialize;

use super::comparisons::Comparison;

/// Measure the engine on a PostgreSQL and Redis private to the run
///
/// Takes about a quarter of an hour; the machine should have nothing else to do. Prints a table of ratios, each the median of
/// its rounds with the least and the greatest, and writes it as JSON; `flashsale-bench report` draws it. After each
/// measurement the books are audited; the exit status is non-zero only when they do not balance or something could not be
/// measured.
///
/// One by hand: flashsale-bench run --quick --only buy
#[derive(clap::Args, Clone, Debug)]
pub struct Arguments {
    /// About two minutes instead: fewer rounds, orders and users, figures less steady
    #[arg(long)]
    quick: bool,
    /// Interleaved rounds of each comparison [default: 5, quick: 2; at most 3 where a round takes long]
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these comparisons
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Comparison::ALL)]
    only: Vec<Comparison>,
    /// Orders bought over HTTP and by pgbench in a round [default: 20000, quick: 10000]
    #[arg(long)]
    orders: Option<u32>,
    /// Orders bought from the plain handler in a round [default: 2000, quick: 1000]
    #[arg(long)]
    naive_orders: Option<u32>,
    /// Connections of the load generator: how many buyers ask at the same time
    #[arg(long, default_value_t = 1024)]
    connections: usize,
    /// Seconds of each measurement of refusals and looks [default: 4, quick: 1]
    #[arg(long)]
    read_seconds: Option<u64>,
    /// Units of the herd's sale, which 50 times as many users want [default: 2000, quick: 500]
    #[arg(long)]
    herd_units: Option<u32>,
    /// Older orders in the large table of settle-large [default: 10000000, quick: 500000]
    #[arg(long)]
    large_table: Option<u32>,
    /// Orders waiting in the deep queue of settle-deep [default: 1000000, quick: 100000]
    #[arg(long)]
    deep_queue: Option<u32>,
    /// Idle clients of the event stream [default: 10000, quick: 2000]
    #[arg(long)]
    stream_clients: Option<usize>,
    /// Clients of pgbench, each placing and settling its batches in turn
    #[arg(long, default_value_t = 2)]
    pgbench_clients: u32,
    /// Orders of one batch of pgbench
    #[arg(long, default_value_t = 500)]
    pgbench_batch: u32,
    /// Connections to PostgreSQL of the API and of the plain handler each
    #[arg(long, default_value_t = 16)]
    pool_size: usize,
    /// Measure without Redis even if it is installed
    #[arg(long)]
    no_redis: bool,
    /// The engine's binary [default: flashsale beside this binary]
    #[arg(long)]
    pub engine: Option<PathBuf>,
    /// Folder of the run's PostgreSQL, logs and sockets, emptied first; on a disk like the real one's, with 10 GB free
    /// [default: flashsale-bench in the folder for temporary files]
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Where the figures are written
    #[arg(long, default_value = "bench/results/latest.json")]
    pub output: PathBuf,
}

/// The arguments with their defaults filled in.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub quick: bool,
    pub rounds: usize,
    /// Rounds of the comparisons whose rounds take long.
    pub long_rounds: usize,
    pub only: Vec<Comparison>,
    pub orders: u32,
    pub naive_orders: u32,
    pub connections: usize,
    pub read_seconds: u64,
    pub herd_units: u32,
    pub herd_users: u32,
    pub herd_connections: usize,
    pub small_table: u32,
    pub large_table: u32,
    pub settle_orders: u32,
    pub settle_batch: u32,
    pub shallow_queue: u32,
    pub deep_queue: u32,
    /// Orders bought while a DBA's transaction is open.
    pub open_transaction_orders: u32,
    /// Orders bought from two APIs, and from one: so many that it does not count that the second has just started.
    pub topology_orders: u32,
    pub sign_in_seconds: u64,
    pub stream_clients: usize,
    /// Seconds that the event-stream clients idle before their memory is read.
    pub stream_idle_seconds: u64,
    pub pgbench_clients: u32,
    pub pgbench_batch: u32,
    pub pool_size: usize,
    pub redis: bool,
}

impl Settings {
    pub fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let quick = arguments.quick;
        let rounds = arguments.rounds.unwrap_or(if quick { 2 } else { 5 });
        let herd_units = arguments.herd_units.unwrap_or(if quick { 500 } else { 2_000 });
        let settings = Self {
            quick,
            rounds,
            long_rounds: rounds.min(3),
            only: arguments.only.clone(),
            orders: arguments.orders.unwrap_or(if quick { 10_000 } else { 20_000 }),
            naive_orders: arguments.naive_orders.unwrap_or(if quick { 1_000 } else { 2_000 }),
            connections: arguments.connections,
            read_seconds: arguments.read_seconds.unwrap_or(if quick { 1 } else { 4 }),
            herd_units,
            herd_users: herd_units.saturating_mul(50),
            herd_connections: if quick { 1_024 } else { 4_096 },
            small_table: 10_000,
            large_table: arguments.large_table.unwrap_or(if quick { 500_000 } else { 10_000_000 }),
            settle_orders: if quick { 10_000 } else { 40_000 },
            settle_batch: 500,
            shallow_queue: 1_000,
            deep_queue: arguments.deep_queue.unwrap_or(if quick { 100_000 } else { 1_000_000 }),
            open_transaction_orders: if quick { 30_000 } else { 200_000 },
            topology_orders: if quick { 20_000 } else { 100_000 },
            sign_in_seconds: if quick { 1 } else { 3 },
            stream_clients: arguments.stream_clients.unwrap_or(if quick { 2_000 } else { 10_000 }),
            // Longer than the 15 seconds between two signs of life that the API sends.
            stream_idle_seconds: if quick { 1 } else { 17 },
            pgbench_clients: arguments.pgbench_clients,
            pgbench_batch: arguments.pgbench_batch,
            pool_size: arguments.pool_size,
            redis: !arguments.no_redis,
        };
        settings.validated()
    }

    fn validated(self) -> anyhow::Result<Self> {
        let batch = self.pgbench_batch;
        let step = self.pgbench_clients.saturating_mul(batch);
        anyhow::ensure!(self.rounds > 0, "--rounds must be at least 1");
        anyhow::ensure!(self.herd_units > 0, "--herd-units must be at least 1");
        anyhow::ensure!(self.stream_clients > 0, "--stream-clients must be at least 1");
        anyhow::ensure!(
            step > 0 && self.orders.is_multiple_of(step),
            "--orders must be a multiple of --pgbench-clients times --pgbench-batch, which is {step}"
        );
        for (what, orders) in [
            ("--deep-queue", self.deep_queue),
            ("the shallow queue", self.shallow_queue),
            ("the orders to settle", self.settle_orders),
        ] {
            anyhow::ensure!(
                orders > 0 && orders.is_multiple_of(batch),
                "{what}, which is {orders}, must be a multiple of --pgbench-batch, which is {batch}"
            );
        }
        Ok(self)
    }
}
