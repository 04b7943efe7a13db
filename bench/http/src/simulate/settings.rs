//! What is simulated: how many people, and which machines.

use std::path::PathBuf;

use serde::Serialize;

use super::costs::Costs;

/// Follow a herd on machines that are not here, from measured costs
///
/// Every person presses the button once, at a moment of their own within --within seconds after T0. No server is started and nothing
/// is measured: processors are shared by whoever has work, and each step costs what docs/PERFORMANCE.md says. With
/// --one-machine 2 it is the machine on which `flashsale-bench run --only herd` measures, which checks it.
///
/// Not in it: TLS, connecting, the network's bandwidth, the proxy (docs/SCALING.md says what they take).
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Settings {
    /// People who want a unit
    #[arg(long, default_value_t = 1_000_000)]
    pub people: usize,
    /// Units [default: one for 50 people]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub units: usize,
    /// Seconds within which all of them press the button
    #[arg(long, default_value_t = 1.0)]
    pub within: f64,
    /// API processes, each on a machine of its own
    #[arg(long, default_value_t = 4)]
    pub api_processes: usize,
    /// Cores of each API process
    #[arg(long, default_value_t = 4)]
    pub api_cores: usize,
    /// Cores of PostgreSQL's machine, which the worker shares
    #[arg(long, default_value_t = 4)]
    pub database_cores: usize,
    /// Everything on one machine of so many cores instead, with the load generator
    #[arg(long, value_name = "CORES")]
    pub one_machine: Option<usize>,
    /// Where the moments of pressing come from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the picture is written
    #[arg(long, default_value = "bench/results/plots/simulation.svg")]
    pub output: PathBuf,
    #[command(flatten)]
    pub costs: Costs,
}

impl Settings {
    /// With what follows from the rest filled in.
    pub fn checked(mut self) -> anyhow::Result<Self> {
        anyhow::ensure!((1..=20_000_000).contains(&self.people), "--people {} is not from 1 to 20000000", self.people);
        anyhow::ensure!(
            (0.0..=3600.0).contains(&self.within),
            "--within {} is not from 0 to 3600 seconds",
            self.within
        );
        let counts = [self.api_processes, self.api_cores, self.database_cores, self.one_machine.unwrap_or(1)];
        anyhow::ensure!(
            counts.iter().all(|count| (1..=10_000).contains(count)),
            "processes and cores are from 1 to 10000"
        );
        anyhow::ensure!(
            (0.1..=100.0).contains(&self.costs.burst_factor),
            "--burst-factor {} is not from 0.1 to 100",
            self.costs.burst_factor
        );
        if self.units == 0 {
            self.units = self.people.div_ceil(50);
        }
        if self.one_machine.is_some() {
            self.api_processes = 1;
        }
        Ok(self)
    }

    /// The cores of each machine; and, for a role (generator, Redis, placing, settling, then the APIs), its machine and threads.
    pub fn machines(&self) -> (Vec<f64>, impl Fn(usize) -> (usize, usize)) {
        let (people, redis, database, apis) = (0, 1, 2, 3);
        let one = self.one_machine;
        let api_cores = one.unwrap_or(self.api_cores);
        let cores = match one {
            Some(cores) => vec![cores as f64],
            // People are as many as they are.
            None => [1e9, 1.0, self.database_cores as f64]
                .into_iter()
                .chain(vec![self.api_cores as f64; self.api_processes])
                .collect(),
        };
        let role = move |number: usize| {
            let (machine, threads) = match number {
                0 => (people, if one.is_some() { 2 } else { usize::MAX }),
                1 => (redis, 1),
                2 | 3 => (database, 1),
                api => (apis + api - 4, api_cores),
            };
            (if one.is_some() { 0 } else { machine }, threads)
        };
        (cores, role)
    }
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::Settings;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    pub fn settings(line: &str) -> Settings {
        Line::parse_from(std::iter::once("simulate").chain(line.split_whitespace())).settings.checked().unwrap()
    }

    #[test]
    fn a_unit_for_fifty_people_unless_said_otherwise() {
        assert_eq!(settings("--people 1001").units, 21);
        assert_eq!(settings("--people 1001 --units 7").units, 7);
    }
}
