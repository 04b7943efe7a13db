//! A path in words, step by step, with buyers A, B and C and their orders A0, A1 and so on.

use stateright::Model;

use crate::action::Action;
use crate::buyer::{Buyer, Stage};
use crate::model::Purchases;
use crate::state::{Admission, OrderId, State};
use crate::symmetry::{self, Permutation};

/// The steps of a path from the beginning, one line each, with every buyer under one name from the first line to the last
/// although the exploration does not tell them apart.
pub fn tell(model: &Purchases, path: &[Action]) -> Vec<String> {
    let mut state = State::new(&model.scenario);
    let mut lines = Vec::new();
    for (number, action) in (1..).zip(path) {
        let (_, order): (_, Permutation) = symmetry::representative(&state);
        let action = symmetry::unsorted(*action, order);
        let next = model.step(&state, action);
        let fault = if next.faults_left < state.faults_left { "FAULT: " } else { "" };
        let gate = gate(&next);
        let sale = next.sale;
        lines.push(format!(
            "{number:>3}. {fault}{}\n     orders: {}; live {}, sold {} of {}; gate: {gate}",
            sentence(&state, action),
            orders(&next),
            sale.live,
            sale.sold,
            sale.quantity,
        ));
        state = next;
    }
    lines
}

fn name(b: u8) -> char {
    char::from(b'A' + b)
}

fn orders(state: &State) -> String {
    let all: Vec<String> =
        state.orders().map(|(b, id, order)| format!("{}{id} {:?}", name(b as u8), order.status)).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn gate(state: &State) -> String {
    let holders: Vec<String> =
        (0..).zip(&state.buyers).filter_map(|(b, buyer)| buyer.token.map(|id| format!("{}{id}", name(b)))).collect();
    match state.capacity {
        Some(capacity) => format!("{}/{capacity} [{}]", holders.len(), holders.join(" ")),
        None => "unknown".to_owned(),
    }
}

fn sentence(state: &State, action: Action) -> String {
    use Action::*;
    let buyer = |b: u8| &state.buyers[usize::from(b)];
    let batch = |worker: u8| -> String {
        let held = state.queue.iter().filter(|m| m.worker == Some(worker));
        held.map(|m| format!("{}{}", name(m.buyer), m.order)).collect::<Vec<_>>().join(" ")
    };
    match action {
        Ask(b) => format!("{} asks: POST /orders{}", name(b), again(buyer(b))),
        AskAtRest(b) => format!("nothing moves any more; {} tries once more: POST /orders", name(b)),
        StopWaiting(b) => format!("{} waits no longer (info); the API goes on with the request", name(b)),
        FindOrder(b) => format!("{} finds an order with GET /orders", name(b)),
        LearnOutcome(b) => format!("{} learns what became of the order", name(b)),
        Leave(b) => format!("{} goes away for good", name(b)),
        ClaimKey(b, r) => format!("{}: the key is claimed, or its answer given again", request(state, b, r)),
        Take(b, r) => format!("{}: the gate is asked for a token (take)", request(state, b, r)),
        TakeWithoutReply(b, r, says) => {
            let says = in_process(b, says);
            format!("{}: take gets no reply, its command is still on its way; {says}", request(state, b, r))
        }
        TakeTwice(b, r) => format!("{}: take, and the same command will arrive once more", request(state, b, r)),
        PlaceOrders(b, r) => format!("{}: place_orders COMMITs and answers", request(state, b, r)),
        PlaceOrdersThenDie(b, r) => {
            format!("{}: place_orders COMMITs, then the API process dies", request(state, b, r))
        }
        PlaceOrdersWithoutReply(b, r) => {
            format!("{}: place_orders is sent and gets no reply; it is still on its way", request(state, b, r))
        }
        FailToSend(b, r) => format!("{}: place_orders cannot be sent: 503", request(state, b, r)),
        GiveUpPlacing(b, r) => format!("{}: no time for another try: 504 outcome_unknown", request(state, b, r)),
        GiveBack(b, r) => format!("{}: the token goes back (give_back)", request(state, b, r)),
        GiveBackLost(b, r) => format!("{}: give_back is lost", request(state, b, r)),
        KeepAnswer(b, r) => format!("{}: the answer is kept under the key, and given", request(state, b, r)),
        Die(b, r) => format!("{}: its API process dies", request(state, b, r)),
        ClaimLapses(b) => format!("the claim of {}'s key lapses", name(b)),
        LateCallArrives(b) => format!("{}'s place_orders that got no reply COMMITs now", name(b)),
        LateCallIsLost(b) => format!("{}'s place_orders that got no reply never takes effect", name(b)),
        LateCommandArrives(b) => format!("{}'s late command arrives in Redis", name(b)),
        LateCommandIsLost(b) => format!("{}'s late command never arrives in Redis", name(b)),
        Flush => "Redis loses everything".to_owned(),
        SetBack => "Redis is set back to a dump from before the sale".to_owned(),
        TakeMessages => "an idle worker takes messages (SKIP LOCKED)".to_owned(),
        SettleOrders(worker) => format!("the worker that holds {} settles and COMMITs (settle_orders)", batch(worker)),
        DeadLetter(worker) => format!("the worker that holds {} must set the first aside", batch(worker)),
        WorkerDies(worker) => format!("the worker that holds {} dies before its COMMIT", batch(worker)),
        DeliverAgain(b, id) => format!("somebody sends the message of {}{id} again", name(b)),
        ReadGate => "the reconciler reads the gate".to_owned(),
        ReadOrders => "the reconciler reads the live orders and compares".to_owned(),
        ReadOrdersAfterFreeze => "the reconciler compares; the API was frozen for longer than the grace".to_owned(),
        ApplyRepair => "the reconciler applies its repair".to_owned(),
        ReconcileAtRest => "nothing moves any more; the reconciler makes a round".to_owned(),
        EndSale => "the administrator ends the sale".to_owned(),
        RaiseQuantity => "the administrator raises the quantity by one".to_owned(),
        LowerQuantity => "the administrator lowers the quantity by one".to_owned(),
    }
}

fn in_process(b: u8, says: Admission) -> String {
    let what = match says {
        Admission::Admitted => "gives a token".to_owned(),
        Admission::Held(id) => format!("holds {}{id}", name(b)),
        Admission::SoldOut => "has none left".to_owned(),
        Admission::Unknown => "knows nothing, so the database decides".to_owned(),
    };
    format!("the process's own gate {what}")
}

fn again(buyer: &Buyer) -> &'static str {
    if buyer.stage == Stage::Idle { "" } else { " again" }
}

fn request(state: &State, b: u8, r: u8) -> String {
    let order: Option<OrderId> = state.buyers[usize::from(b)].requests[usize::from(r)].map(|request| request.order);
    let whose = if r == 0 { "request" } else { "abandoned request" };
    format!("{}'s {whose} ({}{})", name(b), name(b), order.unwrap_or_default())
}

/// How many faults a path has.
pub fn faults(model: &Purchases, path: &[Action]) -> u8 {
    let first = model.init_states().into_iter().next();
    let last = path.iter().fold(first, |state, action| model.next_state(&state?, *action));
    last.map_or(0, |last| model.scenario.faults - last.faults_left)
}
