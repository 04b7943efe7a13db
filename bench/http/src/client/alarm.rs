//! Wakes the loop when a request is due. epoll counts in milliseconds, a timer of the kernel in nanoseconds: without it
//! requests of a thousand a second would leave in bunches, each up to a millisecond late.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

pub struct Alarm {
    timer: TimerFd,
    rings_at: Option<Instant>,
}

impl Alarm {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, rings_at: None })
    }

    /// An event comes at `moment`, or at once when that is past. Events are edge-triggered, so nothing needs reading.
    pub fn ring_at(&mut self, moment: Instant) -> io::Result<()> {
        if self.rings_at == Some(moment) {
            return Ok(());
        }
        self.rings_at = Some(moment);
        // A timer set to nothing is one switched off.
        let after = moment.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let once = Expiration::OneShot(TimeSpec::from_duration(after));
        Ok(self.timer.set(once, TimerSetTimeFlags::empty())?)
    }
}
