//! The server's clock beside ours: a crowd is to come when the sale opens by the clock that judges it.

use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::target::Target;
use crate::client;

/// Looks at the server's clock, and how far apart.
const LOOKS: u32 = 12;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A moment of ours with the server's time of it.
#[derive(Clone, Copy, Debug)]
pub struct ServerClock {
    ours: Instant,
    theirs: DateTime<Utc>,
}

impl ServerClock {
    /// Reads `server_time` of `GET /sales` a few times. What a server shows may have been read a moment before it was
    /// sent, never later, so the look that shows it furthest ahead is the nearest to the truth.
    pub async fn read(target: &Target) -> anyhow::Result<Self> {
        let request = client::get(&target.host, "/sales");
        let mut best: Option<Self> = None;
        for _ in 0..LOOKS {
            let answer = client::exchange(target.address, &request, 200)?;
            let ours = Instant::now();
            let theirs = answer.json()?["server_time"].as_str().and_then(|text| text.parse().ok());
            let look = Self { ours, theirs: theirs.context("GET /sales has no server_time")? };
            if best.is_none_or(|best| look.theirs > best.at(look.ours)) {
                best = Some(look);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        best.context("the server's clock was not read")
    }

    /// The server's time at a moment of ours.
    pub fn at(&self, moment: Instant) -> DateTime<Utc> {
        if moment >= self.ours { self.theirs + (moment - self.ours) } else { self.theirs - (self.ours - moment) }
    }

    /// Our moment of a time of the server's; now, when that is past.
    pub fn when(&self, time: DateTime<Utc>) -> Instant {
        let now = Instant::now();
        now + (time - self.at(now)).to_std().unwrap_or_default()
    }
}
