//! One flow of requests within a load: what is sent, where to, when each request is due, and over how many connections.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use super::requests::Requests;

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// A connection sends its next request when the last one is answered, so a slow server is asked less.
    Closed,
    /// Requests are due at so many per second, whatever the server does.
    Open(f64),
    /// Nothing by itself: only what the audience calls for.
    Called,
}

/// What to send, where to and how. Each flow has connections of its own, so that a flow whose answers are slow takes none
/// from another.
#[derive(Clone)]
pub struct Flow<'a> {
    pub address: SocketAddr,
    pub requests: &'a Requests,
    /// Which of the requests are sent, in their order, from the first again after the last.
    pub numbers: Range<usize>,
    /// Every request is sent so many times in a row, which is at the same time over several connections.
    pub copies: usize,
    pub connections: usize,
    pub pace: Pace,
    /// When the first request is due, from the load's start.
    pub starts_after: Duration,
    /// For how long requests fall due at most.
    pub time_max: Duration,
    /// Requests to send at most.
    pub count_max: u64,
    /// When a request without an answer is given up; and how long after `time_max` overdue ones are still sent.
    pub timeout: Duration,
    /// The answers are event streams, held until everything else is over.
    pub holds: bool,
}

impl Flow<'_> {
    /// When request number `sent`, counted from 0, falls due after the flow's start; nothing when there is no such
    /// request. Of a closed or called flow that is at once.
    pub fn due_after(&self, sent: u64) -> Option<Duration> {
        let after = match self.pace {
            Pace::Closed => Duration::ZERO,
            Pace::Open(rate) => Duration::from_secs_f64(sent as f64 / rate),
            Pace::Called => return None,
        };
        (sent < self.count_max && after < self.time_max).then_some(after)
    }

    /// How many requests have fallen due by themselves when `elapsed` has passed since the flow's start.
    pub fn due_by(&self, elapsed: Duration) -> u64 {
        let Pace::Open(rate) = self.pace else { return 0 };
        let due = (elapsed.min(self.time_max).as_secs_f64() * rate).ceil() as u64;
        due.min(self.count_max)
    }

    /// The request that is sent as the one number `sent`, counted from 0.
    pub fn number(&self, sent: u64) -> usize {
        let turn = sent as usize / self.copies.max(1);
        self.numbers.start + turn % self.numbers.len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(requests: &Requests) -> Flow<'_> {
        Flow {
            address: ([127, 0, 0, 1], 80).into(),
            requests,
            numbers: 2..5,
            copies: 2,
            connections: 1,
            pace: Pace::Open(10.0),
            starts_after: Duration::ZERO,
            time_max: Duration::from_secs(1),
            count_max: u64::MAX,
            timeout: Duration::from_secs(1),
            holds: false,
        }
    }

    #[test]
    fn an_open_flow_is_due_by_the_clock_and_no_longer_than_its_time() {
        let requests = Requests::default();
        let flow = flow(&requests);
        assert_eq!(flow.due_after(3), Some(Duration::from_millis(300)));
        assert_eq!((flow.due_after(9).is_some(), flow.due_after(10)), (true, None));
        assert_eq!(flow.due_by(Duration::from_millis(250)), 3);
        assert_eq!(flow.due_by(Duration::from_secs(9)), 10);
    }

    #[test]
    fn requests_are_sent_in_turn_each_as_often_as_asked() {
        let requests = Requests::default();
        let numbers: Vec<_> = (0..8).map(|sent| flow(&requests).number(sent)).collect();
        assert_eq!(numbers, [2, 2, 3, 3, 4, 4, 2, 2]);
    }
}
