//! What may go wrong: which faults are possible in a state. Each costs one of `Scenario::faults`.

use crate::action::Action;
use crate::buyer::{Buyer, Stage};
use crate::scenario::Scenario;
use crate::state::{ABANDONED, Admission, KeyRow, Round, State, Step, WAITED_FOR};

/// Messages in the queue before no more duplicates are sent.
const QUEUE_MAX: usize = 5;

pub fn actions(scenario: &Scenario, state: &State, actions: &mut Vec<Action>) {
    for b in 0..scenario.buyers {
        of_buyer(state, b, actions);
        for r in [WAITED_FOR, ABANDONED] {
            of_request(state, b, r, actions);
        }
        of_queue(state, b, actions);
    }
    if state.capacity.is_some() {
        actions.push(Action::Flush);
    }
    if state.holders() > 0 {
        actions.push(Action::SetBack);
    }
    for worker in (0..scenario.workers).filter(|worker| state.is_busy(*worker)) {
        actions.extend([Action::WorkerDies(worker), Action::DeadLetter(worker)]);
    }
    if matches!(state.round, Round::GateRead(_)) && freeze_matters(state) {
        actions.push(Action::ReadOrdersAfterFreeze);
    }
    if scenario.has_administrator && state.sale.is_open {
        actions.extend([Action::EndSale, Action::RaiseQuantity]);
        // Never below what is sold: the check `no_oversell`.
        if state.sale.quantity > state.sale.sold {
            actions.push(Action::LowerQuantity);
        }
    }
}

/// A buyer hangs up while the API goes on, or goes away for good. A process frozen with a claimed key loses the claim.
fn of_buyer(state: &State, b: usize, actions: &mut Vec<Action>) {
    let buyer = &state.buyers[b];
    let b = b as u8;
    if buyer.requests[WAITED_FOR].is_some_and(|r| r.step != Step::ClaimKey) && buyer.requests[ABANDONED].is_none() {
        actions.push(Action::StopWaiting(b));
    }
    if buyer.stage == Stage::Unsure {
        actions.push(Action::Leave(b));
    }
    if matches!(buyer.key, KeyRow::Running(Some(_))) {
        actions.push(Action::ClaimLapses(b));
    }
}

fn of_request(state: &State, b: usize, r: usize, actions: &mut Vec<Action>) {
    let buyer = &state.buyers[b];
    let Some(request) = buyer.requests[r] else { return };
    let (b, r) = (b as u8, r as u8);
    match request.step {
        // Nothing was done yet: to die here is not to have asked.
        Step::ClaimKey => {}
        Step::Take => {
            if buyer.late_command.is_none() {
                actions.push(Action::TakeTwice(b, r));
                let says = in_process(buyer, usize::from(r));
                actions.extend(says.map(|says| Action::TakeWithoutReply(b, r, says)));
            }
        }
        Step::PlaceOrders => {
            actions.extend([Action::Die(b, r), Action::PlaceOrdersThenDie(b, r)]);
            if buyer.late_call.is_none() || buyer.late_call.is_some_and(|call| call.of == Some(r)) {
                actions.push(Action::PlaceOrdersWithoutReply(b, r));
            }
            if !request.may_be_placed {
                actions.push(Action::FailToSend(b, r));
            }
        }
        Step::GiveBack(_) => actions.extend([Action::Die(b, r), Action::GiveBackLost(b, r)]),
        Step::KeepAnswer(_) => actions.push(Action::Die(b, r)),
    }
}

/// What the gate in a process's memory may say, whatever the one in Redis knows: it has its own capacity, its own holders
/// and is reconciled apart. Its holder is an order that it was told of, live then, or the one of a request beside.
fn in_process(buyer: &Buyer, r: usize) -> impl Iterator<Item = Admission> {
    let own = buyer.requests[r].map(|request| request.order);
    let beside = buyer.requests[1 - r].filter(|request| !matches!(request.step, Step::ClaimKey | Step::Take));
    let beside = beside.map(|request| request.order);
    let held = (0..).zip(&buyer.orders).filter_map(move |(id, order)| {
        (order.is_some() || beside == Some(id)).then_some(id).filter(|id| own != Some(*id)).map(Admission::Held)
    });
    [Admission::Unknown, Admission::Admitted, Admission::SoldOut].into_iter().chain(held)
}

/// Somebody sends the message of an order again, be it settled or not.
fn of_queue(state: &State, b: usize, actions: &mut Vec<Action>) {
    if state.queue.len() >= QUEUE_MAX {
        return;
    }
    for (id, order) in (0..).zip(&state.buyers[b].orders) {
        if order.is_some() {
            actions.push(Action::DeliverAgain(b as u8, id));
        }
    }
}

/// Whether the grace is what protects a purchase on its way in this round.
fn freeze_matters(state: &State) -> bool {
    let protected = |b: &Buyer| b.suspect.is_some_and(|id| b.token == Some(id) && b.is_on_its_way(id));
    state.buyers.iter().any(protected)
}

/// Whether a step is a fault, and costs one.
pub fn is_fault(action: Action) -> bool {
    use Action::*;
    matches!(
        action,
        StopWaiting(_)
            | Leave(_)
            | TakeWithoutReply(..)
            | TakeTwice(..)
            | PlaceOrdersThenDie(..)
            | PlaceOrdersWithoutReply(..)
            | FailToSend(..)
            | GiveBackLost(..)
            | Die(..)
            | Flush
            | SetBack
            | DeadLetter(_)
            | WorkerDies(_)
            | DeliverAgain(..)
            | ReadOrdersAfterFreeze
            | EndSale
            | RaiseQuantity
            | LowerQuantity
    )
}
