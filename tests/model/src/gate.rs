//! The token gate, and the reconciler that makes it equal to the orders. `gate/take.lua`, `gate/repair.lua`,
//! `src/app/reconcile_gate.rs`.

use crate::bugs::Bug;
use crate::buyer::Buyer;
use crate::model::Purchases;
use crate::state::{Admission, GateCommand, OrderId, Round, Seen, State};

impl State {
    /// `take.lua` for one order. Without a capacity the gate is unknown; the same order again is admitted again.
    pub fn take(&mut self, b: usize, order: OrderId) -> Admission {
        let Some(capacity) = self.capacity else { return Admission::Unknown };
        match self.buyers[b].token {
            Some(held) if held == order => Admission::Admitted,
            Some(held) => Admission::Held(held),
            None if self.holders() >= capacity => Admission::SoldOut,
            None => {
                self.buyers[b].token = Some(order);
                Admission::Admitted
            }
        }
    }

    /// A removal of `repair.lua`: only while the user still holds under that order.
    pub fn give_back(&mut self, b: usize, order: OrderId) {
        if self.buyers[b].token == Some(order) {
            self.buyers[b].token = None;
        }
    }

    pub fn run_late_command(&mut self, b: usize) {
        match self.buyers[b].late_command.take() {
            Some(GateCommand::Take(order)) => {
                self.take(b, order);
            }
            Some(GateCommand::GiveBack(order)) => self.give_back(b, order),
            None => {}
        }
    }

    /// FLUSHALL, a restart without a dump: no capacity, no holders.
    pub fn flush(&mut self) {
        self.capacity = None;
        self.buyers.iter_mut().for_each(|buyer| buyer.token = None);
    }

    /// A dump from before the sale: its capacity is known and nobody holds a token.
    pub fn set_back(&mut self, units: u8) {
        self.flush();
        self.capacity = Some(units);
    }

    /// `RedisGate::state`.
    pub fn read_gate(&mut self) {
        self.round = Round::GateRead(self.capacity);
        self.rounds_left = self.rounds_left.saturating_sub(1);
        let is_known = self.capacity.is_some();
        for buyer in &mut self.buyers {
            buyer.seen = buyer.token.filter(|_| is_known).map_or(Seen::Nothing, Seen::Holder);
        }
    }

    /// `RedisGate::apply`: removals, then holders to put, then the capacity.
    pub fn apply_repair(&mut self) {
        for b in 0..self.buyers.len() {
            match self.buyers[b].seen {
                Seen::ToRemove(order) => self.give_back(b, order),
                Seen::ToPut(order) => self.buyers[b].token = Some(order),
                Seen::Nothing | Seen::Holder(_) => {}
            }
            self.buyers[b].seen = Seen::Nothing;
        }
        if let Round::Compared(Some(capacity)) = self.round {
            self.capacity = Some(capacity);
        }
        self.round = Round::Idle;
    }
}

impl Purchases {
    /// `live_orders` and `compare`: a holder that no live order accounts for is removed if it was a suspect in the round
    /// before and the grace is over; a live order that does not hold is put.
    pub fn read_orders(&self, state: &mut State, is_grace_over: bool) {
        let Round::GateRead(capacity) = state.round else { return };
        for buyer in &mut state.buyers {
            self.compare(buyer, capacity.is_some(), is_grace_over);
        }
        state.round = Round::Compared((capacity != Some(state.sale.quantity)).then_some(state.sale.quantity));
    }

    fn compare(&self, buyer: &mut Buyer, is_gate_known: bool, is_grace_over: bool) {
        let holder = match buyer.seen {
            Seen::Holder(order) if is_gate_known => Some(order),
            _ => None,
        };
        let live = buyer.live_order().map(|(order, _)| order);
        let was_suspect = buyer.suspect.take();
        buyer.seen = match (live, holder) {
            (Some(live), holder) if holder != Some(live) && !self.has(Bug::NeverPuts) => Seen::ToPut(live),
            (Some(_), _) | (None, None) => Seen::Nothing,
            (None, Some(holder)) => {
                buyer.suspect = Some(holder);
                let is_over = is_grace_over || !buyer.is_on_its_way(holder);
                if self.removes_at_once() || (was_suspect == Some(holder) && is_over && !self.has(Bug::NeverRemoves)) {
                    Seen::ToRemove(holder)
                } else {
                    Seen::Nothing
                }
            }
        };
    }

    fn removes_at_once(&self) -> bool {
        self.has(Bug::NoGrace) || self.has(Bug::GateDecidesWithoutGrace)
    }

    /// A whole round while nothing else moves.
    pub fn reconciled_at_rest(&self, state: &State) -> State {
        let mut next = state.clone();
        if !self.has(Bug::NoReconciler) {
            next.read_gate();
            next.rounds_left = state.rounds_left;
            self.read_orders(&mut next, false);
            next.apply_repair();
        }
        next
    }
}
