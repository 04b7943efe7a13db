//! Bugs to be planted, one at a time: each must be found, by the property that is there for it.
//!
//! Some hurt nobody, because another part of the protocol makes up for them. These are planted as well, and must be found
//! by nothing: that the database decides, and the gate does not, is a promise too.

use crate::properties::{
    ACKNOWLEDGED, COUNTERS, HAS_UNIT, NO_OVERSELL, NOT_AFTER_NO, ONE_EACH, OUTCOME, OWN_ORDER, QUEUED, SAME_KEY,
    SETTLED, SOLD, TOKENS,
};
use crate::scenario::{SMALL, Scenario};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    GateDecides,
    GateDecidesWithoutGrace,
    IntakeNotChecked,
    IntakeCountsRetries,
    NoUniqueOrder,
    AnswersBeforeCommit,
    RetriesWithNewOrderId,
    UnknownIsRefused,
    RefusesInDoubt,
    UnknownIsSoldOut,
    OrderKeepsNoKey,
    ClaimsNeverLapse,
    DeletesBeforeSettling,
    SettlesDuplicates,
    DecidesBeforeTheLock,
    FailsSettledOrders,
    SettlesOneTooFew,
    SettlingTrustsIntake,
    AnybodyKeepsAnswer,
    NoReconciler,
    NeverPuts,
    NeverRemoves,
    // Made up for.
    NoGrace,
    KeepsTokenOfRefused,
    KeepsTokenOfFailed,
    ReturnsTokenOfUnknown,
}

/// What is planted where, and what must find it.
pub struct Plant {
    pub bug: Bug,
    pub what: &'static str,
    /// The property that finds it; none if another part makes up for it, which `what` then says.
    pub found_by: Option<&'static str>,
    pub scenario: Scenario,
}

const CROWD: Scenario = Scenario { name: "small crowd", buyers: 3, units: 2, faults: 1, ..SMALL };
const CALM: Scenario = Scenario { name: "no faults", buyers: 3, units: 2, faults: 0, rounds: 2, ..SMALL };
const ALONE: Scenario = Scenario { name: "one buyer", buyers: 1, units: 2, ..SMALL };
const ALONE_WITH_KEY: Scenario = Scenario { name: "one buyer with a key", faults: 3, has_keys: true, ..ALONE };
const ENDING: Scenario = Scenario { name: "small with administrator", has_administrator: true, ..SMALL };
const KEYS: Scenario = Scenario { name: "small with keys", has_keys: true, ..SMALL };

pub fn plants() -> Vec<Plant> {
    let found = |bug, what, by, scenario| Plant { bug, what, found_by: Some(by), scenario };
    let harmless = |bug, what, scenario| Plant { bug, what, found_by: None, scenario };
    vec![
        found(Bug::GateDecides, "the gate keeps the count, the database does not", NO_OVERSELL, CROWD),
        found(Bug::GateDecidesWithoutGrace, "so, and reconciling without a grace", NO_OVERSELL, CALM),
        found(Bug::IntakeNotChecked, "place_orders does not look at the intake", NO_OVERSELL, CROWD),
        found(Bug::IntakeCountsRetries, "place_orders counts an order again", COUNTERS, SMALL),
        found(Bug::NoUniqueOrder, "one_order_per_user_and_product is dropped", ONE_EACH, ALONE),
        found(Bug::AnswersBeforeCommit, "200 is answered before the COMMIT", ACKNOWLEDGED, SMALL),
        found(Bug::RetriesWithNewOrderId, "an unknown COMMIT is tried again with a new order id", OWN_ORDER, SMALL),
        found(Bug::UnknownIsRefused, "an unknown COMMIT is answered as a refusal", NOT_AFTER_NO, SMALL),
        found(Bug::RefusesInDoubt, "a refused retry is believed while its first call waits", NOT_AFTER_NO, ENDING),
        found(Bug::UnknownIsSoldOut, "an unknown gate is answered sold_out", SOLD, ALONE),
        found(Bug::OrderKeepsNoKey, "orders do not keep the Idempotency-Key", OWN_ORDER, KEYS),
        found(Bug::ClaimsNeverLapse, "the claim of a key outlives its dead process", OUTCOME, KEYS),
        found(Bug::DeletesBeforeSettling, "messages are deleted in a transaction before", QUEUED, SMALL),
        found(Bug::SettlesDuplicates, "settling does not look at the order's state", COUNTERS, CROWD),
        found(Bug::DecidesBeforeTheLock, "workers read the orders before they lock the sale", COUNTERS, CROWD),
        found(Bug::FailsSettledOrders, "a message set aside fails its order in any state", SETTLED, SMALL),
        found(Bug::SettlesOneTooFew, "settle_orders leaves out the last unit", HAS_UNIT, SMALL),
        found(Bug::SettlingTrustsIntake, "settle_orders does not look at the quantity", NO_OVERSELL, ENDING),
        found(Bug::AnybodyKeepsAnswer, "who lost the claim of a key keeps an answer", SAME_KEY, ALONE_WITH_KEY),
        found(Bug::NoReconciler, "nothing reconciles the gate", TOKENS, SMALL),
        found(Bug::NeverPuts, "reconciling removes holders and puts none", TOKENS, SMALL),
        found(Bug::NeverRemoves, "reconciling puts holders and removes none", TOKENS, SMALL),
        harmless(Bug::NoGrace, "reconciling without a grace: the database decides", CROWD),
        harmless(Bug::KeepsTokenOfRefused, "a refused request keeps its token: reconciling returns it", CROWD),
        harmless(Bug::KeepsTokenOfFailed, "a failed order keeps its token: reconciling returns it", ENDING),
        harmless(Bug::ReturnsTokenOfUnknown, "a 504 returns its token: the database decides", CROWD),
    ]
}
