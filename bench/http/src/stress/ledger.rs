//! What every user was told, purchase by purchase: the side of the books that only a client can keep.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use uuid::Uuid;

use crate::client::text_member;

/// Longest time told apart, in microseconds.
const KNOWN_US_MAX: u64 = 3_600_000_000;

/// How long a buyer waits before asking what became of an order: twice as long each time, but for the first few times
/// only, so that a queue that is long is not made longer by those who ask.
const ASK_AFTER: Duration = Duration::from_millis(250);
const ASK_DOUBLES_MAX: u32 = 3;

/// The last word a user has on their purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Not asked yet, or told to come again (too early, too many, unavailable): nothing was taken.
    Nothing,
    /// No answer came: the request may have been taken or not.
    Unknown,
    /// Answered 200: an outcome is promised.
    Accepted,
    Success,
    /// The order was taken and could not be fulfilled.
    Failed,
    SoldOut,
    /// Refused for another reason, or found never to have been taken.
    Refused,
}

/// A user's purchase of one product.
#[derive(Clone, Copy)]
struct Purchase {
    word: Word,
    order_id: Option<Uuid>,
    asked_at: Option<Instant>,
    /// Is being asked after, so that two clicks do not ask twice.
    asking: bool,
    /// Times it has been asked after.
    times_asked: u32,
}

/// What an answer means for who asks after orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// Ask for the outcome after this time.
    Ask(Duration),
}

pub struct Ledger {
    purchases: Vec<Purchase>,
    sales: usize,
    /// Ways in which an answer broke a promise, with how often and of whom first.
    broken: BTreeMap<&'static str, (u64, usize)>,
    /// Microseconds from when a user's first purchase was due until they knew what became of it.
    pub known_us: Histogram<u64>,
    pub last_known_at: Option<Instant>,
}

/// Users by their last word on one sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    pub asked: u64,
    pub success: u64,
    pub failed: u64,
    pub sold_out: u64,
    pub refused: u64,
    /// Accepted, and no outcome was seen.
    pub without_outcome: u64,
    /// Got no answer, and could not find out afterwards.
    pub unknown: u64,
}

impl Told {
    /// Users who do not know yet what became of their purchase.
    pub const fn waiting(&self) -> u64 {
        self.without_outcome + self.unknown
    }
}

impl Ledger {
    pub fn new(users: usize, sales: usize) -> anyhow::Result<Self> {
        let purchase = Purchase { word: Word::Nothing, order_id: None, asked_at: None, asking: false, times_asked: 0 };
        Ok(Self {
            purchases: vec![purchase; users],
            sales: sales.max(1),
            broken: BTreeMap::new(),
            known_us: Histogram::new_with_bounds(1, KNOWN_US_MAX, 3)?,
            last_known_at: None,
        })
    }

    /// `POST /orders` was answered.
    pub fn purchase_answered(&mut self, user: usize, status: u16, body: &[u8], due: Instant, now: Instant) -> Next {
        self.asked(user, due);
        let before = self.purchases[user].word;
        match (status, text_member(body, "\"code").unwrap_or_default()) {
            (200, _) => return self.accepted(user, body, now),
            (400, b"sold_out") => self.refused(user, Word::SoldOut, now),
            // Another click of theirs was sold the unit, or an answer that got lost was.
            (400, b"already_purchased") if before != Word::Success => return self.unsure(user),
            (400, b"already_purchased") | (429 | 503, _) => {}
            (400, b"sale_not_started") => {}
            (504, _) => return self.unsure(user),
            (409, b"order_failed") => self.refused(user, Word::Failed, now),
            _ => self.refused(user, Word::Refused, now),
        }
        Next::Nothing
    }

    /// `POST /orders` was not answered.
    pub fn purchase_failed(&mut self, user: usize, due: Instant) -> Next {
        self.asked(user, due);
        self.unsure(user)
    }

    /// `GET /orders` of the product was answered.
    pub fn outcome_answered(&mut self, user: usize, status: u16, body: &[u8], now: Instant) -> Next {
        let purchase = &mut self.purchases[user];
        let is_pending = matches!(purchase.word, Word::Accepted | Word::Unknown);
        purchase.asking = false;
        match (status, text_member(body, "\"status").unwrap_or_default()) {
            (200, b"success") => self.sold(user, body, now),
            (200, b"in_progress") if is_pending => return self.accepted(user, body, now),
            (200, b"in_progress") => {}
            (200, _) if is_pending => self.settle(user, Word::Failed, now),
            (404, _) if purchase.word == Word::Accepted => self.note("an accepted order is not found any more", user),
            (404, _) if is_pending => self.settle(user, Word::Refused, now),
            (200 | 404, _) => {}
            _ if is_pending => return self.ask(user),
            _ => {}
        }
        Next::Nothing
    }

    /// `GET /orders` was not answered.
    pub fn outcome_failed(&mut self, user: usize) -> Next {
        self.purchases[user].asking = false;
        if matches!(self.purchases[user].word, Word::Accepted | Word::Unknown) { self.ask(user) } else { Next::Nothing }
    }

    fn asked(&mut self, user: usize, due: Instant) {
        let asked_at = &mut self.purchases[user].asked_at;
        *asked_at = Some(asked_at.map_or(due, |earlier| earlier.min(due)));
    }

    fn accepted(&mut self, user: usize, body: &[u8], now: Instant) -> Next {
        self.same_order(user, body);
        if text_member(body, "\"status") == Some(b"success") {
            self.settle(user, Word::Success, now);
            return Next::Nothing;
        }
        if self.purchases[user].word == Word::Success {
            self.note("an order in progress after it was a success", user);
            return Next::Nothing;
        }
        self.purchases[user].word = Word::Accepted;
        self.ask(user)
    }

    fn sold(&mut self, user: usize, body: &[u8], now: Instant) {
        self.same_order(user, body);
        match self.purchases[user].word {
            Word::Success => {}
            Word::Failed | Word::SoldOut => {
                // Told no, and sold it by another click of theirs.
                self.purchases[user].word = Word::Success;
            }
            _ => self.settle(user, Word::Success, now),
        }
    }

    /// One user has one order that is not failed.
    fn same_order(&mut self, user: usize, body: &[u8]) {
        let given = text_member(body, "\"order_id").and_then(|id| Uuid::try_parse_ascii(id).ok());
        let purchase = &mut self.purchases[user];
        let live = matches!(purchase.word, Word::Accepted | Word::Success);
        let other = live && purchase.order_id.is_some() && given.is_some() && purchase.order_id != given;
        purchase.order_id = given.or(purchase.order_id);
        if other {
            self.note("a user was given two orders at once", user);
        }
    }

    fn refused(&mut self, user: usize, word: Word, now: Instant) {
        if matches!(self.purchases[user].word, Word::Nothing | Word::SoldOut | Word::Refused) {
            self.settle(user, word, now);
        }
    }

    fn unsure(&mut self, user: usize) -> Next {
        let purchase = &mut self.purchases[user];
        match purchase.word {
            Word::Accepted | Word::Success => Next::Nothing,
            _ => {
                purchase.word = Word::Unknown;
                self.ask(user)
            }
        }
    }

    fn ask(&mut self, user: usize) -> Next {
        let purchase = &mut self.purchases[user];
        if std::mem::replace(&mut purchase.asking, true) {
            return Next::Nothing;
        }
        let after = ASK_AFTER * 2u32.pow(purchase.times_asked.min(ASK_DOUBLES_MAX));
        purchase.times_asked += 1;
        Next::Ask(after)
    }

    fn settle(&mut self, user: usize, word: Word, now: Instant) {
        let purchase = &mut self.purchases[user];
        let first = matches!(purchase.word, Word::Nothing | Word::Unknown | Word::Accepted);
        purchase.word = word;
        if let Some(asked_at) = purchase.asked_at.filter(|_| first) {
            let known_us = u64::try_from(now.saturating_duration_since(asked_at).as_micros()).unwrap_or(KNOWN_US_MAX);
            self.known_us.saturating_record(known_us.max(1));
            self.last_known_at = Some(now);
        }
    }

    fn note(&mut self, promise: &'static str, user: usize) {
        self.broken.entry(promise).or_insert((0, user)).0 += 1;
    }

    /// The promises that answers broke, one sentence each.
    pub fn broken(&self) -> Vec<String> {
        let sentence = |(promise, (count, user)): (&&str, &(u64, usize))| {
            let order = self.purchases[*user].order_id.map_or_else(String::new, |id| format!(", order {id}"));
            format!("{promise}: {count} times, first for user {user}{order}")
        };
        self.broken.iter().map(sentence).collect()
    }

    /// The users of one sale by their last word.
    pub fn told(&self, sale: usize) -> Told {
        let mut told = Told::default();
        for purchase in self.purchases.iter().skip(sale).step_by(self.sales) {
            told.asked += u64::from(purchase.asked_at.is_some());
            match purchase.word {
                Word::Nothing => {}
                Word::Unknown => told.unknown += 1,
                Word::Accepted => told.without_outcome += 1,
                Word::Success => told.success += 1,
                Word::Failed => told.failed += 1,
                Word::SoldOut => told.sold_out += 1,
                Word::Refused => told.refused += 1,
            }
        }
        told
    }

    /// The users of all sales by their last word.
    pub fn told_all(&self) -> Told {
        let mut all = Told::default();
        for told in (0..self.sales).map(|sale| self.told(sale)) {
            all.asked += told.asked;
            all.success += told.success;
            all.failed += told.failed;
            all.sold_out += told.sold_out;
            all.refused += told.refused;
            all.without_outcome += told.without_outcome;
            all.unknown += told.unknown;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = br#"{"order_id":"00000000-0000-0000-0000-000000000001","status":"in_progress"}"#;
    const TWO: &[u8] = br#"{"order_id":"00000000-0000-0000-0000-000000000002","status":"in_progress"}"#;
    const SOLD: &[u8] = br#"{"order_id":"00000000-0000-0000-0000-000000000001","status":"success"}"#;
    const SOLD_OUT: &[u8] = br#"{"error":"Product sold out","code":"sold_out"}"#;
    const FAILED: &[u8] = br#"{"message":"Failed to purchase","order_id":"x","reason":"sold_out"}"#;

    struct Teller(Ledger, Instant);

    impl Teller {
        fn new() -> Self {
            Self(Ledger::new(2, 1).unwrap(), Instant::now())
        }

        fn buys(&mut self, user: usize, status: u16, body: &[u8]) -> Next {
            self.0.purchase_answered(user, status, body, self.1, self.1)
        }
    }

    #[test]
    fn who_is_accepted_asks_until_the_outcome_is_known() {
        let mut teller = Teller::new();
        assert_eq!(teller.buys(0, 200, ONE), Next::Ask(ASK_AFTER));
        assert_eq!(teller.buys(0, 200, ONE), Next::Nothing, "a second click does not ask twice");
        assert_eq!(teller.0.told(0).without_outcome, 1);
        assert_eq!(teller.0.outcome_answered(0, 200, ONE, teller.1), Next::Ask(ASK_AFTER * 2));
        assert_eq!(teller.0.outcome_answered(0, 503, b"", teller.1), Next::Ask(ASK_AFTER * 4));
        assert_eq!(teller.0.outcome_answered(0, 200, SOLD, teller.1), Next::Nothing);
        assert_eq!((teller.0.told(0).success, teller.0.known_us.len()), (1, 1));
        assert!(teller.0.broken().is_empty());
    }

    #[test]
    fn an_outcome_may_come_with_the_purchase() {
        let mut teller = Teller::new();
        assert_eq!(teller.buys(0, 200, SOLD), Next::Nothing);
        assert_eq!(teller.buys(1, 400, SOLD_OUT), Next::Nothing);
        assert_eq!((teller.0.told(0).success, teller.0.told(0).sold_out), (1, 1));
    }

    #[test]
    fn no_answer_is_asked_after() {
        let mut teller = Teller::new();
        assert_eq!(teller.0.purchase_failed(0, teller.1), Next::Ask(ASK_AFTER));
        assert_eq!(teller.0.told(0).unknown, 1);
        teller.0.outcome_answered(0, 404, b"{}", teller.1);
        assert_eq!((teller.0.told(0).refused, teller.0.told(0).unknown), (1, 0));
    }

    #[test]
    fn broken_promises_are_noticed() {
        let mut teller = Teller::new();
        teller.buys(0, 200, ONE);
        teller.buys(0, 200, TWO);
        teller.buys(1, 200, ONE);
        teller.0.outcome_answered(1, 404, b"{}", teller.1);
        assert_eq!(teller.0.broken().len(), 2, "{:?}", teller.0.broken());
        assert_eq!(teller.0.told(0).without_outcome, 2);
    }

    #[test]
    fn a_refusal_does_not_undo_a_purchase() {
        let mut teller = Teller::new();
        teller.buys(0, 200, ONE);
        teller.buys(0, 400, SOLD_OUT);
        assert_eq!(teller.0.told(0).without_outcome, 1);
        teller.0.outcome_answered(0, 200, FAILED, teller.1);
        assert_eq!(teller.0.told(0).failed, 1);
    }
}
