//! The state of the model: what the database, Redis, the API processes, the workers and the buyers hold at one moment.
//!
//! Everything that belongs to one buyer lies in [`Buyer`], wherever it is kept in the product, so that buyers can be
//! exchanged as wholes (`symmetry.rs`). Order ids are only ever compared, so a number that nobody remembers any more
//! stands for a fresh one.

use crate::buyer::{Buyer, Stage};
use crate::scenario::Scenario;

pub const BUYERS_MAX: usize = 3;
pub const ORDERS_MAX: usize = 6;
/// The request a buyer waits for, and the one that buyer no longer waits for: its API process was frozen, or its
/// connection was lost.
pub const WAITED_FOR: usize = 0;
pub const ABANDONED: usize = 1;

/// An order id of one buyer, drawn by the API for each request before it asks the gate.
pub type OrderId = u8;

/// Where an order is. `flashsale.orders.status`, with the reason of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    InProgress,
    Success,
    FailedSoldOut,
    FailedDeadLettered,
}

impl Status {
    pub fn is_live(self) -> bool {
        matches!(self, Self::InProgress | Self::Success)
    }
}

/// A row of `flashsale.orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order {
    pub status: Status,
    /// As it was first settled: what it must stay.
    pub settled_as: Option<Status>,
    /// Made under the buyer's present Idempotency-Key.
    pub has_key: bool,
    /// Made after its only request had been answered with a refusal: what must not be.
    pub after_refusal: bool,
}

/// What the gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Admission {
    Admitted,
    Held(OrderId),
    SoldOut,
    Unknown,
}

/// What a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// 200
    InProgress(OrderId),
    /// 200
    Success(OrderId),
    /// 400
    AlreadyPurchased,
    SoldOut,
    SaleEnded,
    /// 503: nothing was taken
    Unavailable,
    /// 504: outcome_unknown
    OutcomeUnknown,
}

impl Answer {
    /// A definite "no": no order was made, says the API.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::SoldOut | Self::SaleEnded | Self::Unavailable)
    }

    /// The order that a 200 names.
    pub fn order(self) -> Option<OrderId> {
        match self {
            Self::InProgress(order) | Self::Success(order) => Some(order),
            _ => None,
        }
    }

    /// Whether an Idempotency-Key keeps it: not a 5xx.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Unavailable | Self::OutcomeUnknown)
    }
}

/// The next thing an API process does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    ClaimKey,
    Take,
    PlaceOrders,
    GiveBack(Answer),
    KeepAnswer(Answer),
}

/// A POST /orders inside an API process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub order: OrderId,
    pub step: Step,
    /// The gate admitted it under `order`, which is its own.
    pub is_admitted: bool,
    /// A call of `place_orders` got no answer.
    pub may_be_placed: bool,
    /// The order that this request itself made, whether it knows or not.
    pub made: Option<OrderId>,
    /// Carries the buyer's present Idempotency-Key.
    pub has_key: bool,
}

/// A call of `place_orders` on its way to, or inside, the database, whose answer nobody will get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceCall {
    pub order: OrderId,
    pub has_key: bool,
    /// The request it is of, while that is there.
    pub of: Option<u8>,
    /// It read the window before it waited for the intake's lock: a sale that comes to its end meanwhile does not stop it.
    /// One that the administrator ends may; that is not told apart here, where an end is overtaken or not.
    pub saw_open: bool,
    /// That request has been answered with a refusal meanwhile.
    pub is_refused: bool,
}

/// A command to Redis whose answer nobody waits for, and which may run late, again, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GateCommand {
    Take(OrderId),
    GiveBack(OrderId),
}

/// The row of `flashsale.idempotency_keys` of a buyer's present key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyRow {
    Absent,
    /// Claimed by this request; `None` when its process died.
    Running(Option<u8>),
    Kept(Answer),
}

/// What the reconciler holds about one buyer between its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seen {
    Nothing,
    Holder(OrderId),
    ToPut(OrderId),
    ToRemove(OrderId),
}

/// A message of the queue `purchases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    pub buyer: u8,
    pub order: OrderId,
    /// The worker whose transaction has it locked.
    pub worker: Option<u8>,
    /// Of several deliveries of one order, all but one: a duplicate that somebody sent.
    pub is_surplus: bool,
    /// Planted bugs only: what its worker read before it had the lock; already deleted by a transaction of its own.
    pub read_in_progress: bool,
    pub is_deleted: bool,
}

/// The sale: `flash_sales` and `sale_intakes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sale {
    pub quantity: u8,
    pub sold: u8,
    /// `sale_intakes.live`
    pub live: u8,
    pub is_open: bool,
    /// Units that the administrator took off: as many orders may fail as sold_out.
    pub lowered: u8,
    /// Of the live orders, how many were too many when the quantity was last lowered and still are.
    pub over: u8,
}

impl Sale {
    pub fn lower_quantity(&mut self) {
        self.quantity -= 1;
        self.lowered += 1;
        self.over = self.live.saturating_sub(self.quantity);
    }

    /// After an order has failed or the quantity has grown.
    pub fn note_fewer_over(&mut self) {
        self.over = self.over.min(self.live.saturating_sub(self.quantity));
    }
}

/// Where the reconciler is in a round. Repairs of holders are in [`Buyer::seen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Round {
    Idle,
    /// The gate was read: its capacity, `None` when unknown.
    GateRead(Option<u8>),
    /// The orders were read and compared: the capacity to set.
    Compared(Option<u8>),
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub buyers: [Buyer; BUYERS_MAX],
    pub sale: Sale,
    /// In the order of their ids.
    pub queue: Vec<Message>,
    /// Redis: the gate's capacity; without one the gate is unknown.
    pub capacity: Option<u8>,
    pub round: Round,
    pub rounds_left: u8,
    pub faults_left: u8,
}

impl State {
    pub fn new(scenario: &Scenario) -> Self {
        let absent = Buyer {
            stage: Stage::Left,
            asks_left: scenario.asks,
            asked_at_rest: false,
            acknowledged: 0,
            wronged: None,
            requests: [None; 2],
            orders: [None; ORDERS_MAX],
            key: KeyRow::Absent,
            late_call: None,
            token: None,
            late_command: None,
            suspect: None,
            seen: Seen::Nothing,
        };
        let mut buyers = [absent; BUYERS_MAX];
        for buyer in buyers.iter_mut().take(scenario.buyers) {
            buyer.stage = Stage::Idle;
        }
        Self {
            buyers,
            sale: Sale { quantity: scenario.units, sold: 0, live: 0, is_open: true, lowered: 0, over: 0 },
            queue: Vec::new(),
            capacity: Some(scenario.units),
            round: Round::Idle,
            rounds_left: scenario.rounds,
            faults_left: scenario.faults,
        }
    }

    /// All orders, each with its buyer's index and its id.
    pub fn orders(&self) -> impl Iterator<Item = (usize, OrderId, &Order)> {
        self.buyers.iter().enumerate().flat_map(|(b, buyer)| {
            buyer.orders.iter().zip(0..).filter_map(move |(order, id)| order.as_ref().map(|order| (b, id, order)))
        })
    }

    pub fn count(&self, is_counted: impl Fn(Status) -> bool) -> u8 {
        self.orders().map(|(_, _, order)| u8::from(is_counted(order.status))).sum()
    }

    /// Whether the queue holds the message of an order; one that a planted bug has deleted is in its worker's hands only.
    pub fn has_message(&self, b: usize, order: OrderId) -> bool {
        self.queue.iter().any(|m| usize::from(m.buyer) == b && m.order == order && !m.is_surplus && !m.is_deleted)
    }

    pub fn holders(&self) -> u8 {
        self.buyers.iter().map(|buyer| u8::from(buyer.token.is_some())).sum()
    }
}
