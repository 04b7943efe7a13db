//! The database: what one transaction does. `sql/functions/place_orders.sql`, `take_messages.sql`, `settle_messages.sql`,
//! `dead_letter.sql`.

use crate::bugs::Bug;
use crate::model::Purchases;
use crate::state::{Answer, GateCommand, Message, Order, OrderId, PlaceCall, State, Status};

/// Messages that a worker takes at once: `settle_batch_max`.
const BATCH_MAX: usize = 2;

impl Purchases {
    /// `flashsale.place_orders` for one request: order, message and intake in one transaction; answers as SQL does. The
    /// same order id again makes nothing, and is answered with what became of it.
    pub fn place_orders(&self, state: &mut State, b: usize, call: PlaceCall) -> Answer {
        let refusal = if !call.saw_open {
            Some(Answer::SaleEnded)
        } else if state.sale.live >= state.sale.quantity && !self.trusts_the_gate() {
            Some(Answer::SoldOut)
        } else {
            None
        };
        let is_new = state.buyers[b].order(call.order).is_none();
        let is_first = state.buyers[b].live_order().is_none() || self.has(Bug::NoUniqueOrder);
        if refusal.is_none() && is_new && is_first {
            insert_order(state, b, call);
        } else if self.has(Bug::IntakeCountsRetries) && !is_new && refusal.is_none() {
            state.sale.live += 1;
        }
        // A new statement, so a new snapshot.
        let mine = state.buyers[b].order(call.order).copied();
        let live = match mine.filter(|order| order.status.is_live()) {
            Some(mine) => Some((call.order, mine)),
            None => state.buyers[b].live_order(),
        };
        match live {
            Some((order, live)) if live.status == Status::InProgress => Answer::InProgress(order),
            Some((order, live)) if live.has_key && call.has_key && !self.has(Bug::OrderKeepsNoKey) => {
                Answer::Success(order)
            }
            Some(_) => Answer::AlreadyPurchased,
            // Accepted by a call whose reply was lost, failed since.
            None if mine.is_some() => Answer::InProgress(call.order),
            None => refusal.unwrap_or(Answer::SoldOut),
        }
    }

    fn trusts_the_gate(&self) -> bool {
        [Bug::GateDecides, Bug::GateDecidesWithoutGrace, Bug::IntakeNotChecked].iter().any(|bug| self.has(*bug))
    }

    /// `take_messages`: the oldest that no other transaction holds, locked until COMMIT.
    pub fn take_messages(&self, state: &mut State) {
        let Some(worker) = state.idle_worker(self.scenario.workers) else { return };
        let free = (0..state.queue.len()).filter(|i| state.queue[*i].worker.is_none());
        for i in free.take(BATCH_MAX).collect::<Vec<_>>() {
            let message = state.queue[i];
            let order = state.buyers[usize::from(message.buyer)].order(message.order);
            let is_waiting = order.is_some_and(|order| order.status == Status::InProgress);
            state.queue[i].worker = Some(worker);
            state.queue[i].read_in_progress = is_waiting && self.has(Bug::DecidesBeforeTheLock);
            state.queue[i].is_deleted = self.has(Bug::DeletesBeforeSettling);
        }
    }

    /// `settle_messages` up to its COMMIT, under the lock of the sale's row: decides in the order of the queue, counts the
    /// units, deletes the messages. An order that is settled already makes its message a duplicate.
    pub fn settle_orders(&self, state: &mut State, worker: u8) {
        for message in remove_batch(state, worker) {
            note_surplus(state, message);
            let b = usize::from(message.buyer);
            let Some(order) = state.buyers[b].order(message.order) else { continue };
            let is_waiting = match self.bug {
                Some(Bug::SettlesDuplicates) => true,
                Some(Bug::DecidesBeforeTheLock) => message.read_in_progress,
                _ => order.status == Status::InProgress,
            };
            if !is_waiting {
                continue;
            }
            let units = state.sale.quantity - u8::from(self.has(Bug::SettlesOneTooFew));
            if state.sale.sold < units || self.has(Bug::GateDecides) || self.has(Bug::SettlingTrustsIntake) {
                state.sale.sold += 1;
                settle(state, b, message.order, Status::Success);
            } else {
                self.fail(state, b, message.order, Status::FailedSoldOut);
            }
        }
    }

    /// `settle_orders_singly` where the first message of a batch cannot be settled: it is set aside and its order fails;
    /// the others are settled.
    pub fn dead_letter(&self, state: &mut State, worker: u8) {
        let Some(i) = state.queue.iter().position(|message| message.worker == Some(worker)) else { return };
        let message = state.queue.remove(i);
        note_surplus(state, message);
        let b = usize::from(message.buyer);
        let status = state.buyers[b].order(message.order).map(|order| order.status);
        let may_fail = match status {
            Some(Status::InProgress) => true,
            Some(Status::Success) => self.has(Bug::FailsSettledOrders),
            _ => false,
        };
        if may_fail {
            self.fail(state, b, message.order, Status::FailedDeadLettered);
            // A unit is free again.
            state.buyers.iter_mut().for_each(|buyer| buyer.asked_at_rest = false);
        }
        self.settle_orders(state, worker);
    }

    /// What NOTIFY says makes the API give the token back, if it gets there (`orders_settled`). Who waits at that API hears of
    /// the failure afterwards; who asks elsewhere may learn of it before, and then finds the token still held.
    fn fail(&self, state: &mut State, b: usize, id: OrderId, status: Status) {
        state.sale.live -= 1;
        state.sale.note_fewer_over();
        settle(state, b, id, status);
        if !self.has(Bug::KeepsTokenOfFailed) {
            state.buyers[b].late_command.get_or_insert(GateCommand::GiveBack(id));
        }
    }
}

fn insert_order(state: &mut State, b: usize, call: PlaceCall) {
    let order =
        Order { status: Status::InProgress, settled_as: None, has_key: call.has_key, after_refusal: call.is_refused };
    let buyer = &mut state.buyers[b];
    buyer.orders[usize::from(call.order)] = Some(order);
    if let Some(request) = call.of.and_then(|r| buyer.requests[usize::from(r)].as_mut()) {
        request.made = Some(call.order);
    }
    state.sale.live += 1;
    state.queue.push(Message::about(b, call.order));
}

fn settle(state: &mut State, b: usize, id: OrderId, status: Status) {
    if let Some(order) = &mut state.buyers[b].orders[usize::from(id)] {
        order.status = status;
        order.settled_as.get_or_insert(status);
    }
}

fn remove_batch(state: &mut State, worker: u8) -> Vec<Message> {
    let (batch, rest) = state.queue.iter().partition(|message| message.worker == Some(worker));
    state.queue = rest;
    batch
}

/// Whichever delivery settles an order, those that are left are too many.
fn note_surplus(state: &mut State, settled: Message) {
    let is_same = |message: &&mut Message| (message.buyer, message.order) == (settled.buyer, settled.order);
    state.queue.iter_mut().filter(is_same).for_each(|message| message.is_surplus = true);
}

impl Message {
    /// As `place_orders` sends it.
    pub fn about(b: usize, order: OrderId) -> Self {
        Self { buyer: b as u8, order, worker: None, is_surplus: false, read_in_progress: false, is_deleted: false }
    }
}

impl State {
    pub fn is_busy(&self, worker: u8) -> bool {
        self.queue.iter().any(|message| message.worker == Some(worker))
    }

    pub fn idle_worker(&self, workers: u8) -> Option<u8> {
        (0..workers).find(|worker| !self.is_busy(*worker))
    }
}
