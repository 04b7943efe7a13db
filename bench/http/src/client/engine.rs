//! The loop that drives every load: one thread and one epoll send what is due over the connections of several flows, read
//! what comes back, tally what became of each request, and tell an audience.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::alarm::Alarm;
use super::audience::{Asked, Audience, Calls, Go};
use super::connection::{Connection, InFlight, Progress};
use super::flow::Flow;
use super::lane::Lane;
use super::tally::Tally;

/// How often requests are looked through for time-outs, and the audience is asked whether to go on.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);
/// Events taken from the system at once.
const EVENTS_MAX: usize = 1024;

pub struct Engine<'a, A> {
    lanes: Vec<Lane<'a>>,
    connections: Vec<Connection>,
    /// The lane of each connection.
    lane_of: Vec<usize>,
    poll: Poll,
    alarm: Alarm,
    audience: A,
    calls: Calls,
    go: Go,
    /// When the audience had enough.
    stopped_at: Option<Instant>,
}

impl<'a, A: Audience> Engine<'a, A> {
    /// An engine whose load starts at `origin`.
    pub fn new(flows: &'a [Flow<'a>], origin: Instant, audience: A) -> anyhow::Result<Self> {
        let (mut lanes, mut lane_of) = (Vec::with_capacity(flows.len()), Vec::new());
        for (index, flow) in flows.iter().enumerate() {
            let first = lane_of.len();
            lane_of.resize(first + flow.connections, index);
            lanes.push(Lane::new(flow, origin, first..lane_of.len())?);
        }
        let connections: Vec<_> = lane_of.iter().map(|_| Connection::closed()).collect();
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), Token(connections.len()))?;
        let calls = Calls::default();
        Ok(Self { lanes, connections, lane_of, poll, alarm, audience, calls, go: Go::On, stopped_at: None })
    }

    /// Opens every connection and waits for each: for a load that starts at once.
    pub fn connect_now(&mut self) -> std::io::Result<()> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let lane = &mut self.lanes[self.lane_of[index]];
            connection.open_now(lane.flow.address, self.poll.registry(), Token(index))?;
            lane.opened_ahead = lane.flow.connections;
        }
        Ok(())
    }

    /// Sets the start of every flow anew.
    pub fn start_at(&mut self, origin: Instant) {
        for lane in &mut self.lanes {
            lane.start_at(origin);
        }
    }

    /// Sends until every flow is over and the last answer has come. Answers the tally of each flow, and the audience.
    pub fn run(mut self) -> anyhow::Result<(Vec<Tally>, A)> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut swept_at = Instant::now();
        while self.go != Go::Away {
            let next_due = self.send_what_is_due();
            if next_due.is_none() && self.is_quiet() {
                break;
            }
            if let Some(due) = next_due.filter(|due| *due < Instant::now() + SWEEP_INTERVAL) {
                self.alarm.ring_at(due)?;
            }
            match self.poll.poll(&mut events, Some(SWEEP_INTERVAL)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                self.advance(event.token().0);
            }
            if swept_at.elapsed() >= SWEEP_INTERVAL {
                swept_at = Instant::now();
                self.give_up_late_ones(swept_at);
                self.go = self.go.max(self.audience.go_on(swept_at, &self.lanes));
                self.stopped_at = self.stopped_at.or((self.go != Go::On).then_some(swept_at));
            }
            self.take_calls();
        }
        let ended_at = self.stopped_at.unwrap_or_else(Instant::now);
        let tallies = self.lanes.into_iter().map(|lane| lane.into_tally(ended_at)).collect();
        Ok((tallies, self.audience))
    }

    /// Answers when the next request is due, or nothing when none will be that no answer calls for.
    fn send_what_is_due(&mut self) -> Option<Instant> {
        let mut next_due: Option<Instant> = None;
        for index in 0..self.lanes.len() {
            let opening = self.open_ahead(index);
            for due in [self.send_due(index), opening].into_iter().flatten() {
                next_due = Some(next_due.map_or(due, |earliest| earliest.min(due)));
            }
        }
        next_due
    }

    /// Opens some of a lane's connections when its start is near; answers when the next ones should be.
    fn open_ahead(&mut self, lane: usize) -> Option<Instant> {
        let lane = &mut self.lanes[lane];
        if lane.opened_ahead == lane.flow.connections {
            return None;
        }
        let (connections, next) = lane.next_to_open(Instant::now());
        for index in connections {
            // What cannot be opened now is tried again when it is needed, and counted then.
            let _ = self.connections[index].open(lane.flow.address, self.poll.registry(), Token(index));
        }
        next
    }

    /// Sends what is due on a lane while a connection is free. Answers when its next request is due.
    fn send_due(&mut self, lane: usize) -> Option<Instant> {
        let stopping = self.go != Go::On;
        loop {
            let now = Instant::now();
            let (due, number) = self.lanes[lane].next(now, stopping)?;
            if due > now {
                return Some(due);
            }
            // With none free the event that frees one goes on from here.
            let Some(index) = self.lanes[lane].idle.pop() else { return Some(now + SWEEP_INTERVAL) };
            self.send(index, number, due, now);
        }
    }

    fn send(&mut self, index: usize, number: usize, due: Instant, now: Instant) {
        let lane = &mut self.lanes[self.lane_of[index]];
        lane.sent(number, due, now);
        let connection = &mut self.connections[index];
        let opened = connection.open(lane.flow.address, self.poll.registry(), Token(index));
        let sent = connection.send(number, lane.flow.requests.get(number), due, now);
        if opened.is_err() {
            self.lose(index, "cannot_connect");
        } else if let Err(word) = sent {
            self.lose(index, word);
        }
    }

    fn advance(&mut self, index: usize) {
        // The alarm has the token after the last connection's.
        let Some(connection) = self.connections.get_mut(index) else { return };
        let flow = self.lane_of[index];
        let lane = &mut self.lanes[flow];
        let in_flight = connection.in_flight;
        let request = in_flight.map_or(&[][..], |sent| lane.flow.requests.get(sent.number));
        let mut heard =
            Heard { flow, in_flight, tally: &mut lane.tally, audience: &mut self.audience, calls: &mut self.calls };
        let progress = if lane.flow.holds {
            connection.advance_stream(request, |event| heard.event(event))
        } else {
            connection.advance(request)
        };
        match progress {
            Progress::Waiting => {}
            Progress::Broken(word) => self.lose(index, word),
            Progress::Answered(answer, body) => {
                let now = Instant::now();
                heard.answer(answer.status, body, now);
                connection.in_flight = None;
                if !answer.keep_alive {
                    connection.close();
                }
                lane.free(index, now);
            }
        }
    }

    /// A connection broke. What was in flight on it is an error; an idle one is opened again when it is needed.
    fn lose(&mut self, index: usize, word: &'static str) {
        let number = self.lane_of[index];
        if let Some(sent) = self.connections[index].in_flight {
            let now = Instant::now();
            let word = if sent.streams { "stream_ended" } else { word };
            let asked = Asked { flow: number, number: sent.number, due: sent.due, now };
            self.lanes[number].tally.failed(word);
            self.lanes[number].free(index, now);
            self.audience.failed(&asked, word, &mut self.calls);
        }
        self.connections[index].close();
    }

    fn give_up_late_ones(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            let timeout = self.lanes[self.lane_of[index]].flow.timeout;
            let in_flight = self.connections[index].in_flight;
            if in_flight.is_some_and(|sent| !sent.streams && now.duration_since(sent.sent) > timeout) {
                self.lose(index, "timed_out");
            }
        }
    }

    fn take_calls(&mut self) {
        for (flow, number, due) in self.calls.drain() {
            self.lanes[flow].call(number, due);
        }
    }

    /// Nothing is in flight but the streams that are held.
    fn is_quiet(&self) -> bool {
        let busy = |lane: &Lane<'_>| lane.idle.len() < lane.flow.connections;
        !self.lanes.iter().any(|lane| busy(lane) && !lane.flow.holds) && !self.opening_streams()
    }

    fn opening_streams(&self) -> bool {
        let mut connections = self.lane_of.iter().zip(&self.connections);
        connections.any(|(lane, connection)| {
            self.lanes[*lane].flow.holds && connection.in_flight.is_some_and(|sent| !sent.streams)
        })
    }
}

/// Where what comes back on a connection goes: into the tally, and to the audience.
struct Heard<'h, A> {
    flow: usize,
    in_flight: Option<InFlight>,
    tally: &'h mut Tally,
    audience: &'h mut A,
    calls: &'h mut Calls,
}

impl<A: Audience> Heard<'_, A> {
    fn answer(&mut self, status: u16, body: &[u8], now: Instant) {
        let Some(sent) = self.in_flight else { return };
        let asked = Asked { flow: self.flow, number: sent.number, due: sent.due, now };
        self.tally.answered(status, body, now.duration_since(sent.due), now);
        self.audience.answered(&asked, status, body, self.calls);
    }

    /// A stream is answered when its first event has come.
    fn event(&mut self, event: &[u8]) {
        let now = Instant::now();
        if self.in_flight.is_some_and(|sent| !sent.streams) {
            self.answer(200, b"", now);
        }
        if let Some(sent) = &mut self.in_flight {
            sent.streams = true;
            let asked = Asked { flow: self.flow, number: sent.number, due: sent.due, now };
            self.audience.event(&asked, event, self.calls);
        }
    }
}
