//! One flow alone, as fast as it goes or at a rate: what the ratios are measured with.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::engine::Engine;
use super::flow::{Flow, Pace};
use super::requests::Requests;
use super::tally::Tally;

/// What to send, where to and how.
pub struct Load<'a> {
    pub address: SocketAddr,
    /// Sent in their order, from the first again after the last.
    pub requests: &'a Requests,
    /// Every request is sent so many times in a row, which is at the same time over several connections.
    pub copies: usize,
    pub connections: usize,
    pub pace: Pace,
    /// Requests to send at most.
    pub count_max: u64,
    /// For how long new requests are sent at most.
    pub time_max: Duration,
    /// When a request without an answer is given up.
    pub timeout: Duration,
}

impl Load<'_> {
    /// Opens the connections, starts the clock, sends until a bound is met, waits for the last answers.
    pub fn run(&self) -> anyhow::Result<Tally> {
        self.start(None)
    }

    /// As `run`, for an open loop whose first request is due at a moment yet to come.
    pub fn run_at(&self, starts_at: Instant) -> anyhow::Result<Tally> {
        self.start(Some(starts_at))
    }

    fn start(&self, starts_at: Option<Instant>) -> anyhow::Result<Tally> {
        let flows = [Flow {
            address: self.address,
            requests: self.requests,
            numbers: 0..self.requests.len(),
            copies: self.copies,
            connections: self.connections,
            pace: self.pace,
            starts_after: Duration::ZERO,
            time_max: self.time_max,
            count_max: self.count_max,
            timeout: self.timeout,
            holds: false,
        }];
        let mut engine = Engine::new(&flows, Instant::now(), ())?;
        engine.connect_now().with_context(|| format!("cannot connect to {}", self.address))?;
        let connected_at = Instant::now();
        let starts_at = starts_at.unwrap_or(connected_at);
        let late = connected_at.saturating_duration_since(starts_at);
        anyhow::ensure!(late.is_zero(), "the connections were open {late:?} after the load should have started");
        engine.start_at(starts_at);
        let (tallies, ()) = engine.run()?;
        tallies.into_iter().next().context("a load of one flow has one tally")
    }
}
