//! A buyer, with everything that is kept of them anywhere: by themselves, in the API, the database, Redis, the reconciler.

use crate::state::{GateCommand, KeyRow, ORDERS_MAX, Order, OrderId, PlaceCall, Request, Seen, Step};

/// Where a buyer is, as they know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Idle,
    Asking,
    /// Time-out, reset, 503 or 504: may or may not have bought.
    Unsure,
    /// Answered 200: waits for the outcome of this order.
    Accepted(OrderId),
    /// Answered "no", or told that the order failed. Tries again while tries are left, and once more at the end.
    Refused,
    Bought,
    Left,
}

/// An answer that no buyer may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    /// `already_purchased` because of the order that this very request, or one with the same key, had made.
    RefusedForOwnOrder,
    /// A refusal, although this very request has made an order.
    RefusedThoughPlaced,
}

/// A buyer and everything that is kept of them anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Buyer {
    pub stage: Stage,
    pub asks_left: u8,
    /// Has made the last try, at the end when nothing else moves.
    pub asked_at_rest: bool,
    /// Orders that this buyer was answered 200 for, as a set of bits.
    pub acknowledged: u8,
    pub wronged: Option<Wrong>,
    /// API: in memory.
    pub requests: [Option<Request>; 2],
    /// Database.
    pub orders: [Option<Order>; ORDERS_MAX],
    pub key: KeyRow,
    /// On the way to the database.
    pub late_call: Option<PlaceCall>,
    /// Redis: the field of this user in the holders.
    pub token: Option<OrderId>,
    /// On the way to Redis.
    pub late_command: Option<GateCommand>,
    /// Reconciler: in memory.
    pub suspect: Option<OrderId>,
    pub seen: Seen,
}

impl Buyer {
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders[usize::from(id)].as_ref()
    }

    /// The order that is not failed.
    pub fn live_order(&self) -> Option<(OrderId, Order)> {
        let mut all = self.orders.iter().zip(0..);
        all.find_map(|(order, id)| order.filter(|order| order.status.is_live()).map(|order| (id, order)))
    }

    /// A number that nobody remembers, in place of a fresh uuid.
    pub fn fresh_order_id(&self) -> OrderId {
        let fresh = (0..).zip(&self.orders).find(|(id, _)| !self.remembers(*id));
        fresh.map(|(id, _)| id).expect("ORDERS_MAX is more than a buyer's orders, requests, commands and calls")
    }

    fn remembers(&self, id: OrderId) -> bool {
        self.order(id).is_some()
            || self.acknowledged & (1 << id) != 0
            || [self.token, self.suspect].contains(&Some(id))
            || self.late_call.is_some_and(|call| call.order == id)
            || matches!(self.late_command, Some(GateCommand::Take(of) | GateCommand::GiveBack(of)) if of == id)
            || matches!(self.seen, Seen::Holder(of) | Seen::ToPut(of) | Seen::ToRemove(of) if of == id)
            || matches!(self.key, KeyRow::Kept(answer) if answer.order() == Some(id))
            || self.requests.iter().flatten().any(|request| request.order == id || request.made == Some(id))
    }

    /// The order that this buyer was answered 200 for, under the present key.
    pub fn told(&self) -> Option<OrderId> {
        let order = match self.stage {
            Stage::Accepted(order) => Some(order),
            Stage::Bought => self.live_order().map(|(order, _)| order),
            _ => None,
        };
        order.filter(|order| self.acknowledged & (1 << order) != 0)
    }

    /// Whether a purchase that the gate has admitted under this order may still reach the database.
    pub fn is_on_its_way(&self, id: OrderId) -> bool {
        let placing = |r: &Request| r.order == id && r.is_admitted && r.step == Step::PlaceOrders;
        self.requests.iter().flatten().any(placing) || self.late_call.is_some_and(|call| call.order == id)
    }

    /// The key of the next purchase is a new one.
    pub fn begin_new_key(&mut self) {
        self.key = KeyRow::Absent;
        self.requests.iter_mut().flatten().for_each(|request| request.has_key = false);
        self.orders.iter_mut().flatten().for_each(|order| order.has_key = false);
        if let Some(call) = &mut self.late_call {
            call.has_key = false;
        }
    }
}
