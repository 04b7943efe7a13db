//! Buyers over HTTP: each token asks for one unit, over connections shared in turn.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::spawn_blocking;

use super::plain::purchase;
use crate::books::Sale;
use crate::client::{Load, Pace, Requests, Tally};

/// How long buyers wait for their answers before the measurement is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
pub struct Crowd {
    /// In all, over every server.
    pub connections: usize,
    /// Of each load generator.
    pub pace: Pace,
    /// When the first request of an open loop is due; without it as soon as all are connected.
    pub starts_at: Option<Instant>,
}

/// What became of a crowd.
pub struct Bought {
    pub started_at: Instant,
    pub p99_ms: f64,
    tallies: Vec<Tally>,
}

impl Crowd {
    /// Sends one purchase a token. Each server has a load generator and an equal share of the buyers.
    pub async fn buy(&self, servers: &[SocketAddr], sale: Sale, tokens: &[String]) -> anyhow::Result<Bought> {
        let shares = tokens.chunks(tokens.len().div_ceil(servers.len()).max(1));
        let loads: Vec<_> = servers
            .iter()
            .zip(shares)
            .map(|(server, share)| {
                let (crowd, server, requests) = (*self, *server, render(*server, sale, share));
                let connections = (crowd.connections / servers.len()).max(1);
                spawn_blocking(move || crowd.send(server, &requests, connections))
            })
            .collect();
        let mut tallies = Vec::new();
        for load in loads {
            tallies.push(load.await??);
        }
        Bought::of(tallies)
    }

    fn send(&self, address: SocketAddr, requests: &Requests, connections: usize) -> anyhow::Result<Tally> {
        let load = Load {
            address,
            requests,
            copies: 1,
            connections,
            pace: self.pace,
            count_max: requests.len() as u64,
            time_max: PATIENCE,
            timeout: PATIENCE,
        };
        match self.starts_at {
            Some(starts_at) => load.run_at(starts_at),
            None => load.run(),
        }
    }
}

fn render(server: SocketAddr, sale: Sale, tokens: &[String]) -> Requests {
    tokens.iter().map(|token| purchase(server, sale, token)).collect()
}

impl Bought {
    fn of(tallies: Vec<Tally>) -> anyhow::Result<Self> {
        let first = tallies.first().context("a crowd needs a server to buy from")?;
        let (mut latency_us, mut started_at) = (first.latency_us.clone(), first.started_at);
        for tally in &tallies[1..] {
            latency_us.add(&tally.latency_us)?;
            started_at = started_at.min(tally.started_at);
        }
        let p99_ms = latency_us.value_at_quantile(0.99) as f64 / 1000.0;
        Ok(Self { started_at, p99_ms, tallies })
    }

    /// Answers with this status and refusal code; the code of an answer that is no refusal is empty.
    pub fn count(&self, status: u16, code: &str) -> u64 {
        self.tallies.iter().map(|tally| tally.count(status, code)).sum()
    }

    pub fn outcomes(&self) -> String {
        self.tallies.iter().map(Tally::outcomes).collect::<Vec<_>>().join("; ")
    }
}
