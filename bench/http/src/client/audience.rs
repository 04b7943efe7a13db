//! Who listens to a load: hears every answer, may call for further requests, and says when to stop.

use std::time::Instant;

use super::lane::Lane;

/// A request that something was heard of.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The index of its flow.
    pub flow: usize,
    /// Its number among the flow's requests.
    pub number: usize,
    pub due: Instant,
    /// When it was heard.
    pub now: Instant,
}

/// Whether a load goes on; a later one never becomes an earlier one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Go {
    On,
    /// Nothing falls due by itself any more; what was sent or called for is waited for.
    Finish,
    /// At once, whatever is in flight.
    Away,
}

/// Requests that are called for, in addition to those that fall due by themselves.
#[derive(Default)]
pub struct Calls(Vec<(usize, usize, Instant)>);

impl Calls {
    /// Has request `number` of `flow` sent when `due`.
    pub fn call(&mut self, flow: usize, number: usize, due: Instant) {
        self.0.push((flow, number, due));
    }

    pub fn drain(&mut self) -> std::vec::Drain<'_, (usize, usize, Instant)> {
        self.0.drain(..)
    }
}

/// Does nothing unless told otherwise. Called from the loop itself: what takes long here delays what is due.
pub trait Audience {
    fn answered(&mut self, _asked: &Asked, _status: u16, _body: &[u8], _calls: &mut Calls) {}

    /// There was no answer; the word says why.
    fn failed(&mut self, _asked: &Asked, _word: &'static str, _calls: &mut Calls) {}

    /// An event of the stream that was asked for.
    fn event(&mut self, _asked: &Asked, _event: &[u8], _calls: &mut Calls) {}

    /// Asked about ten times a second.
    fn go_on(&mut self, _now: Instant, _lanes: &[Lane<'_>]) -> Go {
        Go::On
    }
}

/// Nobody listens.
impl Audience for () {}
