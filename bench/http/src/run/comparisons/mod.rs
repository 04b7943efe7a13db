//! What is compared with what: one file a comparison, measured one after another, each in rounds of its own.

mod buy;
mod herd;
mod latency;
mod open_transaction;
mod read;
mod settle_deep;
mod settle_insert;
mod settle_large;
mod sign_ins;
mod streams;
mod topology;

use clap::ValueEnum;
use serde::Serialize;

use super::Run;

/// In the order they are measured: what is read first, while the list of sales is short.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Sold-out answers against the same bytes as a constant
    Refuse,
    /// GET /sales against the same bytes as a constant
    Look,
    /// Purchases against pgbench alone and against a plain handler
    Buy,
    /// A crowd at the start of a sale against the same number of purchases
    Herd,
    /// The 99th percentile of purchases against that of a constant, at the same rate
    Latency,
    /// Settling against one plain INSERT of the same rows
    SettleInsert,
    /// Settling with many older orders against few
    SettleLarge,
    /// Settling from a deep queue against a shallow one
    SettleDeep,
    /// Purchases while a DBA's transaction is open
    OpenTransaction,
    /// Purchases while sign-ins saturate, and sign-ins against raw argon2
    SignIns,
    /// Two APIs and two workers against one of each
    Topology,
    /// Memory of an idle client of the event stream
    Streams,
}

impl Comparison {
    pub const ALL: [Self; 12] = [
        Self::Refuse,
        Self::Look,
        Self::Buy,
        Self::Herd,
        Self::Latency,
        Self::SettleInsert,
        Self::SettleLarge,
        Self::SettleDeep,
        Self::OpenTransaction,
        Self::SignIns,
        Self::Topology,
        Self::Streams,
    ];

    async fn measure(self, run: &mut Run) -> anyhow::Result<()> {
        match self {
            Self::Refuse => read::measure(run, &read::REFUSALS).await,
            Self::Look => read::measure(run, &read::LOOKS).await,
            Self::Buy => buy::measure(run).await,
            Self::Herd => herd::measure(run).await,
            Self::Latency => latency::measure(run).await,
            Self::SettleInsert => settle_insert::measure(run).await,
            Self::SettleLarge => settle_large::measure(run).await,
            Self::SettleDeep => settle_deep::measure(run).await,
            Self::OpenTransaction => open_transaction::measure(run).await,
            Self::SignIns => sign_ins::measure(run).await,
            Self::Topology => topology::measure(run).await,
            Self::Streams => streams::measure(run).await,
        }
    }

    /// What `--help` says of it.
    fn describe(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| Some(format!("{}: {}", value.get_name(), value.get_help()?))).unwrap_or_default()
    }
}

/// Measures what is wanted, saying where it is.
pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let wanted: Vec<_> = Comparison::ALL.into_iter().filter(|one| run.settings.only.contains(one)).collect();
    for (index, comparison) in wanted.iter().enumerate() {
        eprintln!("[{}/{}] {}", index + 1, wanted.len(), comparison.describe());
        comparison.measure(run).await?;
    }
    Ok(())
}

/// The two sides in the order of a round. It alternates, so that a machine that slows down or speeds up favours neither.
fn in_turn<T>(round: usize, sides: [T; 2]) -> [T; 2] {
    let [first, second] = sides;
    if round % 2 == 1 { [first, second] } else { [second, first] }
}

/// Begins the line of a round. Round 0 warms connections, plans and caches and is not counted.
fn announce(round: usize, rounds: usize) {
    if round == 0 {
        eprint!("  warm-up:");
    } else {
        eprint!("  round {round}/{rounds}:");
    }
}
