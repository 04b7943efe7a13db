//! What the servers show of the stock: to the tool itself, which looks at `GET /sales`, and to every event stream.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::sales::OnSale;

const SEEN_US_MAX: u64 = 600_000_000;

/// One sale as it was last seen.
struct Shelf {
    /// `"flash_sale_id":"…"`, as it is written in JSON.
    mark: String,
    remaining_at_first: u32,
    remaining: u32,
    sold_out_at: Option<Instant>,
    /// When the purchase was due that was the first, second, … to be accepted.
    changes: Vec<Instant>,
}

/// The stock, and how soon streams show that it has changed.
pub struct Watch {
    shelves: Vec<Shelf>,
    /// What each stream showed last.
    shown: Vec<Option<u32>>,
    pub streams: StreamsSeen,
}

/// What event streams showed.
#[derive(Clone)]
pub struct StreamsSeen {
    pub events: u64,
    /// Microseconds from when a purchase was due until a stream showed one unit less.
    pub change_us: Histogram<u64>,
    /// Streams that showed a sale without units, and when the last of them did.
    pub sold_out: u64,
    pub last_sold_out_at: Option<Instant>,
}

impl Watch {
    pub fn new(sales: &[OnSale], streams: usize) -> anyhow::Result<Self> {
        let shelf = |sale: &OnSale| Shelf {
            mark: format!("\"flash_sale_id\":\"{}\"", sale.flash_sale_id),
            remaining_at_first: sale.remaining,
            remaining: sale.remaining,
            sold_out_at: None,
            changes: Vec::new(),
        };
        let change_us = Histogram::new_with_bounds(1, SEEN_US_MAX, 3)?;
        let streams_seen = StreamsSeen { events: 0, change_us, sold_out: 0, last_sold_out_at: None };
        Ok(Self { shelves: sales.iter().map(shelf).collect(), shown: vec![None; streams], streams: streams_seen })
    }

    /// A purchase was accepted.
    pub fn accepted(&mut self, user: usize, due: Instant) {
        let sales = self.shelves.len();
        if let Some(shelf) = self.shelves.get_mut(user % sales.max(1)) {
            shelf.changes.push(due);
        }
    }

    /// `GET /sales` was answered.
    pub fn looked(&mut self, body: &[u8], now: Instant) {
        for shelf in &mut self.shelves {
            let Some(remaining) = remaining(body, &shelf.mark) else { continue };
            shelf.remaining = remaining;
            if remaining == 0 && shelf.sold_out_at.is_none() {
                shelf.sold_out_at = Some(now);
            }
        }
    }

    /// A stream sent an event; it watches one of the sales.
    pub fn streamed(&mut self, stream: usize, event: &[u8], now: Instant) {
        self.streams.events += 1;
        let sales = self.shelves.len();
        let Some(shelf) = self.shelves.get(stream % sales.max(1)) else { return };
        let (Some(shown), Some(remaining)) = (self.shown.get_mut(stream), remaining(event, &shelf.mark)) else {
            return;
        };
        let before = shown.replace(remaining);
        // What a stream begins with is no news, and units that come back were no purchase.
        if before.is_none_or(|before| before <= remaining) {
            return;
        }
        let sold = shelf.remaining_at_first.saturating_sub(remaining) as usize;
        if let Some(due) = sold.checked_sub(1).and_then(|last| shelf.changes.get(last)) {
            let change_us = u64::try_from(now.saturating_duration_since(*due).as_micros()).unwrap_or(SEEN_US_MAX);
            self.streams.change_us.saturating_record(change_us.max(1));
        }
        if remaining == 0 {
            self.streams.sold_out += 1;
            self.streams.last_sold_out_at = Some(now);
        }
    }

    /// A stream ended: what it begins with when it is opened again is no news.
    pub fn stream_ended(&mut self, stream: usize) {
        if let Some(shown) = self.shown.get_mut(stream) {
            *shown = None;
        }
    }

    /// Units left of all sales, as last seen.
    pub fn remaining(&self) -> u64 {
        self.shelves.iter().map(|shelf| u64::from(shelf.remaining)).sum()
    }

    /// When the tool saw that each of the sales was sold out, if all were.
    pub fn sold_out_at(&self) -> Option<Instant> {
        let moments: Option<Vec<_>> = self.shelves.iter().map(|shelf| shelf.sold_out_at).collect();
        moments?.into_iter().max()
    }
}

/// The units left of a marked sale in what `GET /sales` answers.
fn remaining(body: &[u8], mark: &str) -> Option<u32> {
    const MEMBER: &[u8] = b"\"remaining_stock\":";
    let sale = &body[memchr::memmem::find(body, mark.as_bytes())?..];
    let digits = &sale[memchr::memmem::find(sale, MEMBER)? + MEMBER.len()..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn body(remaining: u32) -> Vec<u8> {
        format!(
            r#"{{"sales":[{{"flash_sale_id":"a","remaining_stock":9}},{{"flash_sale_id":"b","x":1,"remaining_stock":{remaining}}}]}}"#
        )
        .into_bytes()
    }

    fn watch() -> Watch {
        let sale = OnSale {
            flash_sale_id: "b".to_owned(),
            product_id: "p".to_owned(),
            quantity: 5,
            remaining: 3,
            starts_at: chrono::DateTime::UNIX_EPOCH,
            is_active: true,
            is_ours: true,
        };
        Watch::new(&[sale], 2).unwrap()
    }

    #[test]
    fn a_stream_shows_a_change_some_time_after_it_was_due() {
        let (mut watch, start) = (watch(), Instant::now());
        watch.streamed(0, &body(3), start);
        watch.accepted(7, start);
        watch.streamed(0, &body(2), start + Duration::from_millis(40));
        watch.streamed(1, &body(2), start + Duration::from_millis(50));
        assert_eq!((watch.streams.events, watch.streams.change_us.len()), (3, 1), "the second had not begun before");
        assert!((39_900..40_100).contains(&watch.streams.change_us.max()));
        watch.streamed(1, &body(0), start + Duration::from_millis(60));
        assert_eq!(watch.streams.sold_out, 1);
    }

    #[test]
    fn a_look_sees_when_the_last_unit_is_gone() {
        let (mut watch, now) = (watch(), Instant::now());
        watch.looked(&body(1), now);
        assert_eq!((watch.remaining(), watch.sold_out_at()), (1, None));
        watch.looked(&body(0), now);
        assert_eq!(watch.sold_out_at(), Some(now));
        watch.looked(b"{\"sales\":[]}", now);
        assert_eq!(watch.remaining(), 0);
    }
}
