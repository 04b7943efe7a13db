//! How far a flow has come: what it has sent, which of its connections are free, and what was called for besides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::flow::{Flow, Pace};
use super::tally::Tally;

/// How long before its start the connections of a flow are opened, so many at a time: a listener's backlog is short.
const OPEN_AHEAD: Duration = Duration::from_millis(900);
const OPEN_AT_ONCE: usize = 32;
const OPEN_INTERVAL: Duration = Duration::from_millis(2);

pub struct Lane<'a> {
    pub flow: &'a Flow<'a>,
    pub tally: Tally,
    /// Connections with nothing in flight.
    pub idle: Vec<usize>,
    /// How many of its connections have been opened, or tried, before the start.
    pub opened_ahead: usize,
    first_connection: usize,
    starts_at: Instant,
    /// Since when a connection has been free without a break.
    free_since: Instant,
    /// Requests sent of those due by themselves.
    scheduled: u64,
    called: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl<'a> Lane<'a> {
    pub fn new(flow: &'a Flow<'a>, origin: Instant, connections: Range<usize>) -> anyhow::Result<Self> {
        anyhow::ensure!(flow.requests.len() > 0 && flow.connections > 0, "a load needs requests and connections");
        let mut lane = Self {
            flow,
            tally: Tally::start()?,
            first_connection: connections.start,
            idle: connections.rev().collect(),
            // Streams are opened one by one as they fall due.
            opened_ahead: if flow.holds { flow.connections } else { 0 },
            starts_at: origin,
            free_since: origin,
            scheduled: 0,
            called: BinaryHeap::new(),
        };
        lane.start_at(origin);
        Ok(lane)
    }

    pub fn start_at(&mut self, origin: Instant) {
        self.starts_at = origin + self.flow.starts_after;
        self.free_since = self.starts_at;
        self.tally.started_at = self.starts_at;
        self.tally.last_ended_at = self.starts_at;
    }

    /// The next request and when it is due. Nothing when none will be that nobody calls for.
    pub fn next(&self, now: Instant, stopping: bool) -> Option<(Instant, usize)> {
        let called = self.called.peek().map(|Reverse(call)| *call);
        let scheduled = if stopping { None } else { self.next_scheduled(now) };
        match (scheduled, called) {
            (Some(scheduled), Some(called)) => Some(scheduled.min(called)),
            (scheduled, called) => scheduled.or(called),
        }
    }

    fn next_scheduled(&self, now: Instant) -> Option<(Instant, usize)> {
        let due = self.starts_at + self.flow.due_after(self.scheduled)?;
        let ends_at = self.starts_at + self.flow.time_max;
        let due = match self.flow.pace {
            Pace::Closed if now >= ends_at => return None,
            Pace::Closed => now.max(due),
            _ if now >= ends_at + self.flow.timeout => return None,
            _ => due,
        };
        Some((due, self.flow.number(self.scheduled)))
    }

    /// Notes that what `next` answered is sent now, on a connection taken from the idle ones.
    pub fn sent(&mut self, number: usize, due: Instant, now: Instant) {
        self.tally.sent += 1;
        if self.called.peek().is_some_and(|Reverse(call)| *call == (due, number)) {
            self.called.pop();
        } else {
            self.scheduled += 1;
        }
        if due < now {
            let able_since = due.max(self.free_since);
            self.tally.sent_late(able_since.saturating_duration_since(due), now.saturating_duration_since(able_since));
        }
    }

    /// Gives a connection back.
    pub fn free(&mut self, index: usize, now: Instant) {
        if self.idle.is_empty() {
            self.free_since = now;
        }
        self.idle.push(index);
    }

    pub fn call(&mut self, number: usize, due: Instant) {
        self.called.push(Reverse((due, number)));
    }

    /// The connections to open now, and when to come back for more.
    pub fn next_to_open(&mut self, now: Instant) -> (Range<usize>, Option<Instant>) {
        let begins_at = self.starts_at.checked_sub(OPEN_AHEAD).unwrap_or(now);
        if now < begins_at {
            return (0..0, Some(begins_at));
        }
        let from = self.opened_ahead;
        self.opened_ahead = (from + OPEN_AT_ONCE).min(self.flow.connections);
        let next = (self.opened_ahead < self.flow.connections).then(|| now + OPEN_INTERVAL);
        (self.first_connection + from..self.first_connection + self.opened_ahead, next)
    }

    pub fn in_flight(&self) -> u64 {
        (self.flow.connections - self.idle.len()) as u64
    }

    /// Requests that are due and not sent, since no connection is free.
    pub fn overdue(&self, now: Instant) -> u64 {
        if !self.idle.is_empty() {
            // It is sent in this very moment.
            return 0;
        }
        let called = self.called.iter().filter(|Reverse((due, _))| *due <= now).count() as u64;
        let due = self.flow.due_by(now.saturating_duration_since(self.starts_at));
        let due = if now < self.starts_at { 0 } else { due.saturating_sub(self.scheduled) };
        due + called
    }

    /// The tally of a load to which nothing was added after `ended_at`.
    pub fn into_tally(mut self, ended_at: Instant) -> Tally {
        self.tally.never_sent = self.overdue(ended_at);
        self.tally.elapsed = self.tally.last_ended_at.saturating_duration_since(self.starts_at);
        self.tally
    }
}
