//! What an API process does for a request, and what its buyer makes of the answer. `src/app/place_order.rs`,
//! `src/http/idempotency.rs`.

use crate::bugs::Bug;
use crate::buyer::{Buyer, Stage, Wrong};
use crate::model::Purchases;
use crate::state::{
    Admission, Answer, GateCommand, KeyRow, Order, OrderId, PlaceCall, Request, State, Status, Step, WAITED_FOR,
};

impl Purchases {
    /// POST /orders, with the key of the try before if that had no answer.
    pub fn ask(&self, buyer: &mut Buyer, is_at_rest: bool) {
        match buyer.stage {
            Stage::Unsure => {}
            _ if is_at_rest => buyer.asked_at_rest = true,
            _ => buyer.asks_left -= 1,
        }
        let request = Request {
            order: buyer.fresh_order_id(),
            step: if self.scenario.has_keys { Step::ClaimKey } else { Step::Take },
            is_admitted: false,
            may_be_placed: false,
            made: None,
            has_key: self.scenario.has_keys,
        };
        buyer.requests[WAITED_FOR] = Some(request);
        buyer.stage = Stage::Asking;
    }

    /// `claim_idempotency_keys`: claimed, or the first answer again.
    pub fn claim_key(&self, state: &mut State, b: usize, r: usize) {
        let buyer = &mut state.buyers[b];
        let Some(request) = &mut buyer.requests[r] else { return };
        match buyer.key {
            KeyRow::Kept(answer) if request.has_key => self.answer(state, b, r, answer),
            _ => {
                request.step = Step::Take;
                if request.has_key {
                    buyer.key = KeyRow::Running(Some(r as u8));
                }
            }
        }
    }

    /// `TokenGate::take`, and what `place_order_in` makes of the admission.
    pub fn admit(&self, state: &mut State, b: usize, r: usize, admission: Admission) {
        let Some(request) = &mut state.buyers[b].requests[r] else { return };
        request.step = Step::PlaceOrders;
        match admission {
            Admission::Admitted => request.is_admitted = true,
            // The user asked before: the same order is placed again.
            Admission::Held(order) => request.order = order,
            Admission::SoldOut => self.decide(state, b, r, Answer::SoldOut),
            Admission::Unknown if self.has(Bug::UnknownIsSoldOut) => self.decide(state, b, r, Answer::SoldOut),
            Admission::Unknown => {}
        }
    }

    /// The command of a `take` whose reply is lost, or that runs once more.
    pub fn leave_take_behind(state: &mut State, b: usize, r: usize) {
        if let Some(request) = state.buyers[b].requests[r] {
            state.buyers[b].late_command = Some(GateCommand::Take(request.order));
        }
    }

    /// The call of `place_orders` that a request makes now.
    fn call(&self, state: &mut State, b: usize, r: usize) -> Option<PlaceCall> {
        let fresh = state.buyers[b].fresh_order_id();
        let saw_open = state.sale.is_open;
        let buyer = &mut state.buyers[b];
        let request = buyer.requests[r].as_mut()?;
        if request.may_be_placed && self.has(Bug::RetriesWithNewOrderId) {
            request.order = fresh;
        }
        let call = PlaceCall {
            order: request.order,
            has_key: request.has_key,
            of: Some(r as u8),
            saw_open,
            is_refused: false,
        };
        Some(call)
    }

    /// `Database::place_orders` with a reply: an order settled since a call without one is its caller's own success, and a
    /// refusal is none while that call may still be under way (`unless_in_doubt`).
    pub fn place(&self, state: &mut State, b: usize, r: usize) -> Option<Answer> {
        let call = self.call(state, b, r)?;
        if self.has(Bug::AnswersBeforeCommit) {
            state.buyers[b].late_call = Some(call);
            return Some(Answer::InProgress(call.order));
        }
        let answer = self.place_orders(state, b, call);
        let may_be_placed = state.buyers[b].requests[r].is_some_and(|request| request.may_be_placed);
        let mine = state.buyers[b].order(call.order).map(|order| order.status);
        Some(match answer {
            Answer::AlreadyPurchased if may_be_placed && mine == Some(Status::Success) => Answer::Success(call.order),
            Answer::SoldOut | Answer::SaleEnded if may_be_placed && !self.has(Bug::RefusesInDoubt) => {
                Answer::OutcomeUnknown
            }
            answer => answer,
        })
    }

    /// The connection is lost while `place_orders` is under way: it takes effect at some moment, or never. Of two such calls
    /// of a request, which have the same order id, one is kept: the one that a sale's end does not stop.
    pub fn place_without_reply(&self, state: &mut State, b: usize, r: usize) {
        let Some(call) = self.call(state, b, r) else { return };
        let late = &mut state.buyers[b].late_call;
        if late.is_none_or(|earlier| call.saw_open || !earlier.saw_open) {
            *late = Some(call);
        }
        if let Some(request) = &mut state.buyers[b].requests[r] {
            request.may_be_placed = true;
        }
    }

    /// The answer is known: a token that serves no order goes back first (`token_is_unused`).
    pub fn decide(&self, state: &mut State, b: usize, r: usize, answer: Answer) {
        let Some(request) = &mut state.buyers[b].requests[r] else { return };
        let is_unused = match answer {
            Answer::InProgress(placed) | Answer::Success(placed) => placed != request.order,
            Answer::OutcomeUnknown => self.has(Bug::ReturnsTokenOfUnknown),
            _ => !self.has(Bug::KeepsTokenOfRefused),
        };
        if request.is_admitted && is_unused {
            request.step = Step::GiveBack(answer);
        } else {
            self.finish(state, b, r, answer);
        }
    }

    /// Keeps the answer under the key, if there is one.
    pub fn finish(&self, state: &mut State, b: usize, r: usize, answer: Answer) {
        match &mut state.buyers[b].requests[r] {
            Some(request) if self.scenario.has_keys => request.step = Step::KeepAnswer(answer),
            _ => self.answer(state, b, r, answer),
        }
    }

    /// `finish_idempotency_keys`: only the claimant's answer is kept, and only if it is final.
    pub fn keep_answer(&self, state: &mut State, b: usize, r: usize, answer: Answer) {
        let buyer = &mut state.buyers[b];
        let is_claimant = buyer.key == KeyRow::Running(Some(r as u8));
        if is_claimant || (self.has(Bug::AnybodyKeepsAnswer) && buyer.requests[r].is_some_and(|own| own.has_key)) {
            buyer.key = if answer.is_final() { KeyRow::Kept(answer) } else { KeyRow::Absent };
        }
        self.answer(state, b, r, answer);
    }

    /// The request ends. Its buyer hears the answer, unless they no longer wait.
    pub fn answer(&self, state: &mut State, b: usize, r: usize, answer: Answer) {
        let buyer = &mut state.buyers[b];
        let Some(request) = end_request(buyer, r, answer.is_refusal()) else { return };
        let answer = match answer {
            Answer::OutcomeUnknown if self.has(Bug::UnknownIsRefused) => {
                buyer.late_call.iter_mut().for_each(|call| call.is_refused = true);
                Answer::Unavailable
            }
            answer => answer,
        };
        if r != WAITED_FOR {
            return;
        }
        buyer.note_wrong(&request, answer);
        buyer.stage = match answer {
            Answer::InProgress(order) => {
                buyer.acknowledged |= 1 << order;
                Stage::Accepted(order)
            }
            Answer::Success(order) => {
                buyer.acknowledged |= 1 << order;
                Stage::Bought
            }
            Answer::AlreadyPurchased | Answer::SoldOut | Answer::SaleEnded => {
                buyer.begin_new_key();
                Stage::Refused
            }
            Answer::Unavailable | Answer::OutcomeUnknown => Stage::Unsure,
        };
    }
}

/// Takes a request out of its process. A claim of its key stays, and a call under way goes on without it.
pub fn end_request(buyer: &mut Buyer, r: usize, is_refused: bool) -> Option<Request> {
    let request = buyer.requests[r].take()?;
    let this = Some(r as u8);
    if let Some(call) = buyer.late_call.as_mut().filter(|call| call.of == this) {
        call.of = None;
        call.is_refused = is_refused;
    }
    if buyer.key == KeyRow::Running(this) {
        buyer.key = KeyRow::Running(None);
    }
    Some(request)
}

impl Buyer {
    fn note_wrong(&mut self, request: &Request, answer: Answer) {
        let live = self.live_order();
        let is_own = |(id, order): (OrderId, Order)| request.made == Some(id) || (order.has_key && request.has_key);
        if answer == Answer::AlreadyPurchased && live.is_some_and(is_own) {
            self.wronged = Some(Wrong::RefusedForOwnOrder);
        }
        if answer.is_refusal() && live.is_some_and(|(id, _)| request.made == Some(id)) {
            self.wronged = Some(Wrong::RefusedThoughPlaced);
        }
    }
}
