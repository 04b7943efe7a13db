//! The steps of the protocol and the faults, one action each.

use crate::state::Admission;

/// A step. Buyers, requests (of a buyer) and workers are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // A buyer.
    Ask(u8),
    AskAtRest(u8),
    StopWaiting(u8),
    FindOrder(u8),
    LearnOutcome(u8),
    Leave(u8),
    // A request in an API process.
    ClaimKey(u8, u8),
    Take(u8, u8),
    /// With what the gate of the process says, which is asked next.
    TakeWithoutReply(u8, u8, Admission),
    TakeTwice(u8, u8),
    PlaceOrders(u8, u8),
    PlaceOrdersThenDie(u8, u8),
    PlaceOrdersWithoutReply(u8, u8),
    FailToSend(u8, u8),
    GiveUpPlacing(u8, u8),
    GiveBack(u8, u8),
    GiveBackLost(u8, u8),
    KeepAnswer(u8, u8),
    Die(u8, u8),
    ClaimLapses(u8),
    // On the way.
    LateCallArrives(u8),
    LateCallIsLost(u8),
    LateCommandArrives(u8),
    LateCommandIsLost(u8),
    // The gate.
    Flush,
    SetBack,
    // A worker.
    TakeMessages,
    SettleOrders(u8),
    DeadLetter(u8),
    WorkerDies(u8),
    DeliverAgain(u8, u8),
    // The reconciler.
    ReadGate,
    ReadOrders,
    ReadOrdersAfterFreeze,
    ApplyRepair,
    ReconcileAtRest,
    // The administrator.
    EndSale,
    RaiseQuantity,
    LowerQuantity,
}

impl Action {
    /// The same step by, or about, another buyer.
    pub fn of_buyer(self, other: impl Fn(u8) -> u8) -> Self {
        use Action::*;
        match self {
            Ask(b) => Ask(other(b)),
            AskAtRest(b) => AskAtRest(other(b)),
            StopWaiting(b) => StopWaiting(other(b)),
            FindOrder(b) => FindOrder(other(b)),
            LearnOutcome(b) => LearnOutcome(other(b)),
            Leave(b) => Leave(other(b)),
            ClaimKey(b, r) => ClaimKey(other(b), r),
            Take(b, r) => Take(other(b), r),
            TakeWithoutReply(b, r, says) => TakeWithoutReply(other(b), r, says),
            TakeTwice(b, r) => TakeTwice(other(b), r),
            PlaceOrders(b, r) => PlaceOrders(other(b), r),
            PlaceOrdersThenDie(b, r) => PlaceOrdersThenDie(other(b), r),
            PlaceOrdersWithoutReply(b, r) => PlaceOrdersWithoutReply(other(b), r),
            FailToSend(b, r) => FailToSend(other(b), r),
            GiveUpPlacing(b, r) => GiveUpPlacing(other(b), r),
            GiveBack(b, r) => GiveBack(other(b), r),
            GiveBackLost(b, r) => GiveBackLost(other(b), r),
            KeepAnswer(b, r) => KeepAnswer(other(b), r),
            Die(b, r) => Die(other(b), r),
            ClaimLapses(b) => ClaimLapses(other(b)),
            LateCallArrives(b) => LateCallArrives(other(b)),
            LateCallIsLost(b) => LateCallIsLost(other(b)),
            LateCommandArrives(b) => LateCommandArrives(other(b)),
            LateCommandIsLost(b) => LateCommandIsLost(other(b)),
            DeliverAgain(b, order) => DeliverAgain(other(b), order),
            Flush
            | SetBack
            | TakeMessages
            | SettleOrders(_)
            | DeadLetter(_)
            | WorkerDies(_)
            | ReadGate
            | ReadOrders
            | ReadOrdersAfterFreeze
            | ApplyRepair
            | ReconcileAtRest
            | EndSale
            | RaiseQuantity
            | LowerQuantity => self,
        }
    }
}
