//! What each step does to the state.

use crate::action::Action;
use crate::buyer::{Buyer, Stage};
use crate::faults;
use crate::model::Purchases;
use crate::state::{ABANDONED, Answer, KeyRow, Message, State, Status, Step, WAITED_FOR};

impl Purchases {
    /// Carries out a step that is possible.
    pub fn apply(&self, state: &mut State, action: Action) {
        if faults::is_fault(action) {
            state.faults_left -= 1;
        }
        match action {
            Action::Ask(b) => self.ask(&mut state.buyers[usize::from(b)], false),
            Action::AskAtRest(b) => self.ask(&mut state.buyers[usize::from(b)], true),
            Action::StopWaiting(b) => stop_waiting(&mut state.buyers[usize::from(b)]),
            Action::FindOrder(b) => find_order(&mut state.buyers[usize::from(b)]),
            Action::LearnOutcome(b) => learn_outcome(&mut state.buyers[usize::from(b)]),
            Action::Leave(b) => state.buyers[usize::from(b)].stage = Stage::Left,
            Action::ClaimLapses(b) => self.lapse_claim(state, usize::from(b)),
            Action::LateCallArrives(b) => self.late_call_arrives(state, usize::from(b)),
            Action::LateCallIsLost(b) => state.buyers[usize::from(b)].late_call = None,
            Action::LateCommandArrives(b) => state.run_late_command(usize::from(b)),
            Action::LateCommandIsLost(b) => state.buyers[usize::from(b)].late_command = None,
            Action::Flush => state.flush(),
            Action::SetBack => state.set_back(self.scenario.units),
            Action::TakeMessages => self.take_messages(state),
            Action::SettleOrders(worker) => self.settle_orders(state, worker),
            Action::DeadLetter(worker) => self.dead_letter(state, worker),
            Action::WorkerDies(worker) => roll_back(state, worker),
            Action::DeliverAgain(b, order) => {
                state.queue.push(Message { is_surplus: true, ..Message::about(usize::from(b), order) });
            }
            Action::ReadGate => state.read_gate(),
            Action::ReadOrders => self.read_orders(state, false),
            Action::ReadOrdersAfterFreeze => self.read_orders(state, true),
            Action::ApplyRepair => state.apply_repair(),
            Action::ReconcileAtRest => *state = self.reconciled_at_rest(state),
            Action::EndSale => state.sale.is_open = false,
            Action::LowerQuantity => state.sale.lower_quantity(),
            Action::RaiseQuantity => {
                state.sale.quantity += 1;
                state.sale.note_fewer_over();
                state.buyers.iter_mut().for_each(|buyer| buyer.asked_at_rest = false);
            }
            _ => self.apply_to_request(state, action),
        }
    }

    fn apply_to_request(&self, state: &mut State, action: Action) {
        use Action::*;
        let (ClaimKey(b, r)
        | Take(b, r)
        | TakeWithoutReply(b, r, _)
        | TakeTwice(b, r)
        | PlaceOrders(b, r)
        | PlaceOrdersThenDie(b, r)
        | PlaceOrdersWithoutReply(b, r)
        | FailToSend(b, r)
        | GiveUpPlacing(b, r)
        | GiveBack(b, r)
        | GiveBackLost(b, r)
        | KeepAnswer(b, r)
        | Die(b, r)) = action
        else {
            return;
        };
        let (b, r) = (usize::from(b), usize::from(r));
        let Some(request) = state.buyers[b].requests[r] else { return };
        match action {
            ClaimKey(..) => self.claim_key(state, b, r),
            Take(..) | TakeTwice(..) => {
                let admission = state.take(b, request.order);
                if matches!(action, TakeTwice(..)) {
                    Self::leave_take_behind(state, b, r);
                }
                self.admit(state, b, r, admission);
            }
            TakeWithoutReply(_, _, says) => {
                Self::leave_take_behind(state, b, r);
                self.admit(state, b, r, says);
                // A try that a gate apart has decided is not the last one.
                state.buyers[b].asked_at_rest = false;
            }
            PlaceOrders(..) => {
                if let Some(answer) = self.place(state, b, r) {
                    self.decide(state, b, r, answer);
                }
            }
            PlaceOrdersThenDie(..) => {
                self.place(state, b, r);
                die(state, b, r);
            }
            PlaceOrdersWithoutReply(..) => self.place_without_reply(state, b, r),
            FailToSend(..) => self.decide(state, b, r, Answer::Unavailable),
            GiveUpPlacing(..) => self.decide(state, b, r, Answer::OutcomeUnknown),
            GiveBack(..) | GiveBackLost(..) => {
                if let Step::GiveBack(answer) = request.step {
                    if action == GiveBack(b as u8, r as u8) {
                        state.give_back(b, request.order);
                    }
                    self.finish(state, b, r, answer);
                }
            }
            KeepAnswer(..) => {
                if let Step::KeepAnswer(answer) = request.step {
                    self.keep_answer(state, b, r, answer);
                }
            }
            _ => die(state, b, r),
        }
    }

    /// A transaction whose client is gone comes to its COMMIT.
    fn late_call_arrives(&self, state: &mut State, b: usize) {
        if let Some(call) = state.buyers[b].late_call.take() {
            self.place_orders(state, b, call);
        }
    }

    /// The lease of a claim is over: at no cost if its process died, otherwise because it was frozen for as long.
    fn lapse_claim(&self, state: &mut State, b: usize) {
        if state.buyers[b].key != KeyRow::Running(None) {
            state.faults_left -= 1;
        }
        state.buyers[b].key = KeyRow::Absent;
    }
}

/// The process dies. The buyer, if still there, sees a broken connection.
fn die(state: &mut State, b: usize, r: usize) {
    let buyer = &mut state.buyers[b];
    crate::api::end_request(buyer, r, false);
    if r == WAITED_FOR {
        buyer.stage = Stage::Unsure;
    }
}

/// The buyer waits no longer, and what was asked goes on without them.
fn stop_waiting(buyer: &mut Buyer) {
    buyer.requests[ABANDONED] = buyer.requests[WAITED_FOR].take();
    let moved = |of: &mut Option<u8>| *of = of.map(|_| ABANDONED as u8);
    if let Some(call) = &mut buyer.late_call {
        moved(&mut call.of);
    }
    if let KeyRow::Running(of) = &mut buyer.key {
        moved(of);
    }
    buyer.stage = Stage::Unsure;
}

/// GET /orders shows an order that did not fail.
fn find_order(buyer: &mut Buyer) {
    buyer.stage = match buyer.live_order() {
        Some((_, order)) if order.status == Status::Success => Stage::Bought,
        Some((id, _)) => Stage::Accepted(id),
        None => buyer.stage,
    };
}

/// A notification, the event stream or GET /orders says what became of the order.
fn learn_outcome(buyer: &mut Buyer) {
    let Stage::Accepted(id) = buyer.stage else { return };
    buyer.stage = match buyer.order(id).map(|order| order.status) {
        Some(Status::Success) => Stage::Bought,
        Some(Status::InProgress) | None => buyer.stage,
        Some(_) => {
            buyer.begin_new_key();
            Stage::Refused
        }
    };
}

/// A transaction that did not come to its COMMIT gives its messages back; what one before has deleted is gone.
fn roll_back(state: &mut State, worker: u8) {
    state.queue.retain(|message| message.worker != Some(worker) || !message.is_deleted);
    for message in state.queue.iter_mut().filter(|message| message.worker == Some(worker)) {
        message.worker = None;
        message.read_in_progress = false;
    }
}
