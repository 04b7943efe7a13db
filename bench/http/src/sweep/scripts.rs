//! The scripts of bench/pgbench and the programs that run them. The files are those that people run by hand, built into
//! this binary so that it works from any folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::run::{engine, pgbench};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    SetUp,
    FillTable,
    NaiveRowLock,
    PlaceOrders,
    SettleOrders,
    /// Settles a batch and queues as many again: the depth stays.
    SettleAndPlace,
    SkipLockedRow,
    PgmqSend,
    PgmqSendBatch,
    InsertSelect,
    CountUnits,
    OpenTransaction,
}

impl Script {
    const ALL: [Self; 12] = [
        Self::SetUp,
        Self::FillTable,
        Self::NaiveRowLock,
        Self::PlaceOrders,
        Self::SettleOrders,
        Self::SettleAndPlace,
        Self::SkipLockedRow,
        Self::PgmqSend,
        Self::PgmqSendBatch,
        Self::InsertSelect,
        Self::CountUnits,
        Self::OpenTransaction,
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::SetUp => include_str!("../../../pgbench/setup.sql"),
            Self::FillTable => include_str!("../../../pgbench/fill_table.sql"),
            Self::NaiveRowLock => include_str!("../../../pgbench/naive_row_lock.sql"),
            Self::PlaceOrders => include_str!("../../../pgbench/place_orders.sql"),
            Self::SettleOrders => include_str!("../../../pgbench/settle_orders.sql"),
            Self::SettleAndPlace => concat!(
                include_str!("../../../pgbench/settle_orders.sql"),
                include_str!("../../../pgbench/place_orders.sql")
            ),
            Self::SkipLockedRow => include_str!("../../../pgbench/skip_locked_row.sql"),
            Self::PgmqSend => include_str!("../../../pgbench/pgmq_send.sql"),
            Self::PgmqSendBatch => include_str!("../../../pgbench/pgmq_send_batch.sql"),
            Self::InsertSelect => include_str!("../../../pgbench/insert_select.sql"),
            Self::CountUnits => include_str!("../../../pgbench/count_units.sql"),
            Self::OpenTransaction => include_str!("../../../pgbench/open_transaction.sql"),
        }
    }
}

/// How pgbench runs a script.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    pub script: Script,
    pub clients: u32,
    /// Transactions of each client.
    pub transactions: u32,
    pub batch: u32,
}

impl Drive {
    /// Orders (or messages) of all clients.
    pub const fn rows(&self) -> u32 {
        self.clients * self.transactions * self.batch
    }
}

/// What pgbench said about a run.
pub struct Driven {
    pub transactions_per_second: f64,
    said: String,
}

impl Driven {
    /// Mean latency of the statement whose first line has `part` in it, as `pgbench -r` lists it.
    pub fn latency_ms(&self, part: &str) -> anyhow::Result<f64> {
        let line = self.said.lines().skip_while(|line| !line.starts_with("statement latencies"));
        let line = line.skip(1).find(|line| line.contains(part));
        let first = line.and_then(|line| line.split_whitespace().next());
        let first = first.with_context(|| format!("pgbench listed no latency of {part}:\n{}", self.said))?;
        first.parse().with_context(|| format!("pgbench listed a strange latency of {part}: {first}"))
    }
}

pub struct Programs {
    /// `flashsale`, to migrate with.
    pub engine: PathBuf,
    pub pgbench: PathBuf,
    psql: PathBuf,
    /// Of the scripts and of what programs say.
    pub folder: PathBuf,
}

impl Programs {
    /// Finds the programs and writes the scripts into `folder`.
    pub fn find(engine: Option<PathBuf>, folder: &Path) -> anyhow::Result<Self> {
        let engine = engine.map_or_else(engine::beside_this_binary, Ok)?;
        let (pgbench, psql) = pgbench::find_programs()?;
        for script in Script::ALL {
            let file = path_of(folder, script);
            fs::write(&file, script.text()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Self { engine, pgbench, psql, folder: folder.to_owned() })
    }

    pub async fn pgbench(&self, url: &str, drive: &Drive) -> anyhow::Result<Driven> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(drive.clients as usize);
        let mut command = self.pgbench_command(drive.script);
        command.args(["-M", "prepared", "-r", "-D", &format!("batch={}", drive.batch)]);
        command.args(["-c", &drive.clients.to_string(), "-j", &threads.to_string()]);
        command.args(["-t", &drive.transactions.to_string(), url]);
        let said = pgbench::run(&mut command).await.with_context(|| format!("{drive:?}"))?;
        Ok(Driven { transactions_per_second: pgbench::transactions_per_second(&said)?, said })
    }

    /// pgbench on a script, ready for more arguments and, last, the database.
    pub fn pgbench_command(&self, script: Script) -> Command {
        let mut command = Command::new(&self.pgbench);
        command.arg("-n").arg("-f").arg(path_of(&self.folder, script));
        command
    }

    /// Runs a script by psql with variables such as `users=1000`.
    pub async fn psql(&self, url: &str, script: Script, variables: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.psql);
        command.args(["-qX", "-v", "ON_ERROR_STOP=1"]);
        for variable in variables {
            command.args(["-v", variable]);
        }
        command.arg("-f").arg(path_of(&self.folder, script)).args(["-d", url]);
        pgbench::run(&mut command).await.with_context(|| format!("{script:?}"))?;
        Ok(())
    }
}

fn path_of(folder: &Path, script: Script) -> PathBuf {
    folder.join(format!("{script:?}.sql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_found_by_its_first_line() {
        let said = "tps = 12.5 (without initial connection time)\n\
                    statement latencies in milliseconds and failures:\n\
                    \x20        4.250           0  select messages from flashsale.settle_orders(:batch);\n\
                    \x20        9.000           0  select 1 / (count(*)\n";
        let driven = Driven { transactions_per_second: 12.5, said: said.to_owned() };
        assert!((driven.latency_ms("settle_orders(").unwrap() - 4.25).abs() < 1e-9);
        assert!(driven.latency_ms("place_orders(").is_err());
    }
}
