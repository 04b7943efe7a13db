//! Sends requests over many connections from one thread and tallies what becomes of each.
//!
//! Closed loop: a connection sends its next request when the last one is answered, so a slow server is asked less.
//! Open loop: requests are due at a fixed rate whatever the server does, and latency counts from when one was due, so
//! waiting for a free connection is part of it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::{Events, Poll, Token};

use super::connection::{Connection, Progress};
use super::requests::Requests;
use super::tally::Tally;

/// How often requests are looked through for time-outs.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    Closed,
    /// Requests due per second.
    Open(f64),
}

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

struct Run<'a> {
    load: &'a Load<'a>,
    poll: Poll,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    tally: Tally,
}

impl Load<'_> {
    /// Opens the connections, starts the clock, sends until a bound is met, waits for the last answers.
    pub fn run(&self) -> anyhow::Result<Tally> {
        self.connected()?.run_from(Instant::now())
    }

    /// As `run`, for an open loop whose first request is due at a moment yet to come.
    pub fn run_at(&self, starts_at: Instant) -> anyhow::Result<Tally> {
        let run = self.connected()?;
        let late = Instant::now().saturating_duration_since(starts_at);
        anyhow::ensure!(late.is_zero(), "the connections were open {late:?} after the load should have started");
        run.run_from(starts_at)
    }

    fn connected(&self) -> anyhow::Result<Run<'_>> {
        anyhow::ensure!(self.requests.len() > 0 && self.connections > 0, "a load needs requests and connections");
        let connections = (0..self.connections).map(|_| Connection::closed()).collect();
        let idle = (0..self.connections).rev().collect();
        let mut run = Run { load: self, poll: Poll::new()?, connections, idle, tally: Tally::start()? };
        for index in 0..self.connections {
            let connection = &mut run.connections[index];
            connection
                .open(self.address, run.poll.registry(), Token(index))
                .with_context(|| format!("cannot connect to {}", self.address))?;
        }
        Ok(run)
    }
}

impl Run<'_> {
    fn run_from(mut self, starts_at: Instant) -> anyhow::Result<Tally> {
        self.tally.started_at = starts_at;
        self.drive()?;
        self.tally.elapsed = self.tally.started_at.elapsed();
        Ok(self.tally)
    }

    fn drive(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(self.connections.len());
        let mut swept_at = Instant::now();
        loop {
            let until_due = self.send_due();
            if until_due.is_none() && self.idle.len() == self.connections.len() {
                return Ok(());
            }
            let wait = until_due.unwrap_or(SWEEP_INTERVAL).min(SWEEP_INTERVAL);
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                self.advance(event.token().0);
            }
            if swept_at.elapsed() >= SWEEP_INTERVAL {
                swept_at = Instant::now();
                self.give_up_late_ones(swept_at);
            }
        }
    }

    /// Sends what is due while a connection is free. Answers how long until the next request is due, or nothing when
    /// none will be sent any more.
    fn send_due(&mut self) -> Option<Duration> {
        loop {
            let now = Instant::now();
            let since_start = now.duration_since(self.tally.started_at);
            if self.tally.sent >= self.load.count_max || since_start >= self.load.time_max {
                return None;
            }
            let due = match self.load.pace {
                Pace::Closed => now,
                Pace::Open(rate) => self.tally.started_at + Duration::from_secs_f64(self.tally.sent as f64 / rate),
            };
            if due > now {
                return Some(due - now);
            }
            let Some(index) = self.idle.pop() else { return Some(SWEEP_INTERVAL) };
            self.send(index, due, now);
        }
    }

    fn send(&mut self, index: usize, due: Instant, now: Instant) {
        let number = (self.tally.sent as usize / self.load.copies.max(1)) % self.load.requests.len();
        let connection = &mut self.connections[index];
        self.tally.sent += 1;
        if connection.open(self.load.address, self.poll.registry(), Token(index)).is_err() {
            self.tally.failed("cannot_connect");
            self.idle.push(index);
        } else if let Err(word) = connection.send(number, self.load.requests.get(number), due, now) {
            self.lose(index, word);
        }
    }

    fn advance(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let in_flight = connection.in_flight;
        let request = in_flight.map_or(&[][..], |sent| self.load.requests.get(sent.number));
        match connection.advance(request) {
            Progress::Waiting => {}
            Progress::Broken(word) => self.lose(index, word),
            Progress::Answered(answer, body) => {
                let now = Instant::now();
                let latency = in_flight.map_or(Duration::ZERO, |sent| now.duration_since(sent.due));
                self.tally.answered(answer.status, body, latency);
                connection.in_flight = None;
                if !answer.keep_alive {
                    connection.close();
                }
                self.idle.push(index);
            }
        }
    }

    /// A connection broke. What was in flight on it is an error; an idle one is opened again when it is needed.
    fn lose(&mut self, index: usize, word: &'static str) {
        let connection = &mut self.connections[index];
        if connection.in_flight.is_some() {
            self.tally.failed(word);
            self.idle.push(index);
        }
        connection.close();
    }

    fn give_up_late_ones(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            let in_flight = self.connections[index].in_flight;
            if in_flight.is_some_and(|sent| now.duration_since(sent.sent) > self.load.timeout) {
                self.lose(index, "timed_out");
            }
        }
    }
}
