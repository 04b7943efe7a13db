//! What must hold: at every moment, in the end, and what must be seen for the exploration to mean anything.
//!
//! "In the end" is where nothing happens any more by itself ([`Purchases::is_over`]). Every path comes there (`tests.rs`
//! checks that no path goes round in circles; `model.rs` says within which bounds), so what holds there happens eventually.
//! stateright's own `eventually` cannot be used: it forgets which path led to a state, and it knows no faults that may or may
//! not occur.

use stateright::Property;

use crate::buyer::{Buyer, Stage, Wrong};
use crate::model::Purchases;
use crate::scenario::Scenario;
use crate::state::{GateCommand, KeyRow, Message, Request, State, Status, Step};

pub const NO_OVERSELL: &str = "no oversell: no order is taken beyond the quantity, and none is sold";
pub const COUNTERS: &str = "sold and sale_intakes.live equal the rows";
pub const ONE_EACH: &str = "one live order a user";
pub const QUEUED: &str = "every order in progress has one message, and every message an order in progress";
pub const ACKNOWLEDGED: &str = "an order answered 200 exists";
pub const HAS_UNIT: &str = "an order in progress has its unit: none fails as sold_out but for units taken off";
pub const SETTLED: &str = "a settled order never changes";
/// Of the very request that was refused. A 504 promises nothing: the call of that request may still make its order after a
/// later request of the same buyer, with the same key or not, was refused; GET /orders then shows it.
pub const NOT_AFTER_NO: &str = "no order of a request that was answered with a refusal";
pub const OWN_ORDER: &str = "nobody is refused because of the order of their own request or key";
pub const SAME_KEY: &str = "the same Idempotency-Key names the same order";
pub const OUTCOME: &str = "in the end everybody knows their outcome, and it is that of the database";
pub const SOLD: &str = "in the end no unit is unsold that somebody wanted";
pub const TOKENS: &str = "in the end gate + sold = quantity: holders are the live orders";

pub fn of(scenario: &Scenario) -> Vec<Property<Purchases>> {
    let mut all = vec![
        Property::always(NO_OVERSELL, |_, state: &State| is_not_oversold(state)),
        Property::always(COUNTERS, |_, state: &State| do_counters_equal_rows(state)),
        Property::always(ONE_EACH, |_, state: &State| has_each_one_order(state)),
        Property::always(QUEUED, |_, state: &State| do_orders_match_messages(state)),
        Property::always(ACKNOWLEDGED, |_, state: &State| are_acknowledged_there(state)),
        Property::always(HAS_UNIT, |_, state: &State| {
            state.count(|status| status == Status::FailedSoldOut) <= state.sale.lowered
        }),
        Property::always(SETTLED, |_, state: &State| {
            state.orders().all(|(_, _, order)| order.settled_as.is_none_or(|first| first == order.status))
        }),
        Property::always(NOT_AFTER_NO, |_, state: &State| {
            state.orders().all(|(_, _, order)| !order.after_refusal) && !has_wronged(state, Wrong::RefusedThoughPlaced)
        }),
        Property::always(OWN_ORDER, |_, state: &State| !has_wronged(state, Wrong::RefusedForOwnOrder)),
        Property::always(SAME_KEY, |_, state: &State| do_keys_name_what_was_told(state)),
        Property::always(OUTCOME, |model: &Purchases, state: &State| {
            knows_each_outcome(state) || !model.is_over(state)
        }),
        Property::always(SOLD, |model: &Purchases, state: &State| {
            is_sold_to_all_who_want(state) || !model.is_over(state)
        }),
        Property::always(TOKENS, |model: &Purchases, state: &State| {
            are_holders_live_orders(state) || !model.is_over(state)
        }),
    ];
    all.extend(seen(scenario));
    all
}

/// Who was accepted before the quantity was lowered is live until the settling says no.
fn is_not_oversold(state: &State) -> bool {
    state.count(Status::is_live) <= state.sale.quantity + state.sale.over && state.sale.sold <= state.sale.quantity
}

fn do_counters_equal_rows(state: &State) -> bool {
    state.count(|status| status == Status::Success) == state.sale.sold
        && state.count(Status::is_live) == state.sale.live
}

fn has_each_one_order(state: &State) -> bool {
    let live = |b: usize| state.buyers[b].orders.iter().flatten().filter(|order| order.status.is_live()).count();
    (0..state.buyers.len()).all(|b| live(b) <= 1)
}

/// Duplicates that somebody sent aside.
fn do_orders_match_messages(state: &State) -> bool {
    let sent = state.queue.iter().filter(|message| !message.is_surplus && !message.is_deleted).count();
    let mut in_progress = state.orders().filter(|(_, _, order)| order.status == Status::InProgress);
    usize::from(state.count(|status| status == Status::InProgress)) == sent
        && in_progress.all(|(b, id, _)| state.has_message(b, id))
}

fn are_acknowledged_there(state: &State) -> bool {
    state
        .buyers
        .iter()
        .all(|buyer| (0..).zip(&buyer.orders).all(|(id, order)| buyer.acknowledged & (1 << id) == 0 || order.is_some()))
}

fn has_wronged(state: &State, wrong: Wrong) -> bool {
    state.buyers.iter().any(|buyer| buyer.wronged == Some(wrong))
}

fn do_keys_name_what_was_told(state: &State) -> bool {
    state.buyers.iter().all(|buyer| match (buyer.key, buyer.told()) {
        (KeyRow::Kept(kept), Some(told)) => kept.order() == Some(told),
        _ => true,
    })
}

fn knows_each_outcome(state: &State) -> bool {
    state.count(|status| status == Status::InProgress) == 0
        && state.buyers.iter().all(|buyer| match buyer.stage {
            Stage::Bought => buyer.live_order().is_some_and(|(_, order)| order.status == Status::Success),
            Stage::Refused => buyer.asked_at_rest && buyer.live_order().is_none(),
            Stage::Left => true,
            Stage::Idle | Stage::Asking | Stage::Unsure | Stage::Accepted(_) => false,
        })
}

/// sold = min(quantity, those who kept trying), unless the sale was ended before.
fn is_sold_to_all_who_want(state: &State) -> bool {
    let wants = |stage| !matches!(stage, Stage::Bought | Stage::Left);
    state.sale.sold == state.sale.quantity
        || !state.sale.is_open
        || !state.buyers.iter().any(|buyer| wants(buyer.stage))
}

fn are_holders_live_orders(state: &State) -> bool {
    state.capacity == Some(state.sale.quantity)
        && state.buyers.iter().all(|buyer| buyer.token == buyer.live_order().map(|(id, _)| id))
}

/// Situations that the faults are there for.
fn seen(scenario: &Scenario) -> Vec<Property<Purchases>> {
    let mut all = vec![
        Property::sometimes("seen: a COMMIT whose reply was lost had taken effect", |_, state: &State| {
            any_request(state, |b, r| r.may_be_placed && r.made.is_some_and(|id| state.buyers[b].order(id).is_some()))
        }),
        Property::sometimes("seen: it was settled before the API asked again", |_, state: &State| {
            any_request(state, |b, r| {
                r.may_be_placed && state.buyers[b].order(r.order).is_some_and(|o| o.status == Status::Success)
            })
        }),
        Property::sometimes(
            "seen: a COMMIT whose reply was lost has no effect until the API asks again",
            |_, state: &State| {
                any_request(state, |b, r| {
                    r.may_be_placed && state.buyers[b].order(r.order).is_none() && state.buyers[b].late_call.is_none()
                })
            },
        ),
        Property::sometimes("seen: the gate is unknown while a purchase is on its way", |_, state: &State| {
            state.capacity.is_none() && any_request(state, |_, r| r.is_admitted && r.step == Step::PlaceOrders)
        }),
        Property::sometimes("seen: the gate admits one too many, and the database refuses", |_, state: &State| {
            any_request(state, |_, r| matches!(r.step, Step::GiveBack(answer) if answer.is_refusal()))
                && state.sale.live == state.sale.quantity
        }),
        Property::sometimes("seen: a token is taken back from a purchase on its way", |_, state: &State| {
            any_request(state, |b, r| {
                let buyer = &state.buyers[b];
                r.step == Step::PlaceOrders
                    && buyer.suspect == Some(r.order)
                    && buyer.token.is_none()
                    && state.capacity.is_some()
            })
        }),
        Property::sometimes("seen: two workers hold deliveries of one order", |_, state: &State| {
            let same = |a: &Message, b: &Message| {
                (a.buyer, a.order) == (b.buyer, b.order) && a.worker.is_some() && b.worker.is_some()
            };
            state.queue.iter().any(|a| state.queue.iter().any(|b| same(a, b) && a.worker != b.worker))
        }),
        Property::sometimes("seen: an order that was answered 200 fails as dead_lettered", |_, state: &State| {
            state.orders().any(|(b, id, order)| {
                order.status == Status::FailedDeadLettered && state.buyers[b].acknowledged & (1 << id) != 0
            })
        }),
        Property::sometimes("seen: a process's gate refuses while a unit is free", |_, state: &State| {
            let is_refused = |b: &Buyer| b.stage == Stage::Refused && b.orders.iter().all(Option::is_none);
            let is_free = state.sale.is_open && state.sale.live < state.sale.quantity;
            is_free
                && state.buyers.iter().any(|b| is_refused(b) && matches!(b.late_command, Some(GateCommand::Take(_))))
        }),
        Property::sometimes("seen: a retry meets the order of an earlier try", |_, state: &State| {
            state
                .buyers
                .iter()
                .any(|buyer| buyer.stage == Stage::Asking && buyer.acknowledged == 0 && buyer.live_order().is_some())
        }),
        Property::sometimes("seen: in the end all is sold", |model: &Purchases, state: &State| {
            state.sale.sold == state.sale.quantity && model.is_over(state)
        }),
    ];
    // What one fault cannot bring about.
    if scenario.faults >= 2 {
        all.push(Property::sometimes(
            "seen: the gate holds an order that failed, and it is placed again",
            |_, state: &State| {
                any_request(state, |b, r| {
                    r.step == Step::PlaceOrders
                        && state.buyers[b].order(r.order).is_some_and(|order| !order.status.is_live())
                })
            },
        ));
        all.push(Property::sometimes(
            "seen: a retry is refused, then the call of the try before, answered 504, makes its order",
            |_, state: &State| {
                let is_new = |b: &Buyer| b.live_order().is_some_and(|(_, order)| order.status == Status::InProgress);
                state.buyers.iter().any(|buyer| buyer.stage == Stage::Refused && is_new(buyer))
            },
        ));
    }
    if scenario.has_administrator {
        all.push(Property::sometimes(
            "seen: a lowered quantity makes an order that was answered 200 fail",
            |_, state: &State| {
                state.orders().any(|(b, id, order)| {
                    order.status == Status::FailedSoldOut && state.buyers[b].acknowledged & (1 << id) != 0
                })
            },
        ));
    }
    if scenario.has_keys {
        all.push(Property::sometimes("seen: the answer kept under a key is given again", |_, state: &State| {
            any_request(state, |b, r| {
                r.step == Step::ClaimKey && r.has_key && matches!(state.buyers[b].key, KeyRow::Kept(_))
            })
        }));
    }
    all
}

fn any_request(state: &State, is_so: impl Fn(usize, &Request) -> bool) -> bool {
    state.buyers.iter().enumerate().any(|(b, buyer)| buyer.requests.iter().flatten().any(|r| is_so(b, r)))
}
