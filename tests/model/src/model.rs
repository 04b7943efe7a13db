//! The protocol of a purchase (ARCHITECTURE.md, "A purchase, step by step") as a model that is explored whole.
//!
//! # What is modelled
//!
//! One action is one step that the product takes at once, so that anything may happen between any two:
//!
//! | part | its steps | in the product |
//! |---|---|---|
//! | buyer | ask, stop waiting, ask again, look up, learn the outcome | `http::orders`, the page |
//! | API | claim the key, take, place_orders, give_back, keep the answer | `app::place_order`, `http::idempotency` |
//! | gate | take, give_back, apply a repair | `gate/take.lua`, `gate/repair.lua` |
//! | database | place_orders: order, message and intake; settle_orders | `sql/functions` |
//! | worker | take messages (SKIP LOCKED), then settle them and COMMIT | `settle_orders.sql`, `settle_messages.sql` |
//! | reconciler | read the gate, read the orders and compare, apply | `app::reconcile_gate` |
//!
//! Faults cost one of [`Scenario::faults`] each and come at any moment: an API process dies between two steps, or is
//! frozen for longer than its buyer waits (its request goes on later, beside the next one); the reply of `take` or of
//! `place_orders` is lost, and the command or transaction takes effect at once, much later, or never; a command to Redis
//! runs again; Redis forgets everything, or is set back to before the sale; a worker dies before its COMMIT; a message is
//! delivered again, or cannot be settled and is set aside; a buyer goes away for good; the administrator ends the sale,
//! raises the quantity or lowers it, down to what is sold.
//!
//! What is not promised is there too: after a 504 the buyer asks again, and that later request may be refused while the
//! call of the first is still under way and makes its order afterwards. Nobody was told "no" by the request that made it,
//! and GET /orders shows it (`properties.rs`: `NOT_AFTER_NO`, and a situation that must be seen).
//!
//! # What is left out, and why nothing is missed
//!
//! - **Batches of purchases.** A batch is one transaction of several requests, and `place_orders` decides them in turn
//!   under the lock of the intake: what others see is what they see of the requests one by one, at one moment. Messages
//!   are taken in batches (two), because a batch is held while others take theirs.
//! - **API processes.** Each request has one of its own; that of several in one process is the same fault several times.
//! - **The lock of the sale's row** (`settle_messages`). Nothing that a worker reads after it got the lock can change
//!   before its COMMIT, so reading, deciding and COMMIT are one step. The lost reply of that COMMIT is no step either:
//!   whatever it hears, a settle loop begins anew.
//! - **Several reconcilers, chunks of a repair.** Their steps are of the same kinds, and a repair is checked against what
//!   is there (removals) or against the database (holders to put).
//! - **The gate in a process's memory** is the same protocol as Redis's, reconciled in the same way; one gate stands for
//!   whichever answers. It has no state here: where Redis gave no reply it is asked next, and may say anything that a gate
//!   apart from Redis can say: unknown, admitted, sold out, or held under any order of this buyer, live or failed, or that
//!   of a request beside (`faults::in_process`). Each such answer costs the fault of the lost reply. That it is wrong for
//!   ever is left out: it is reconciled like the other, so a buyer's last try, at the end, is made where no fault decides.
//! - **Two lost calls of one buyer at once.** Of two of one request, which have the same order id, the one that a sale's end
//!   does not stop is kept: the other does nothing that it does not. While a call of one request is under way, the reply
//!   to another request's is not lost.
//! - **A lowered quantity that a purchase has not seen.** A purchase that read the quantity before it was lowered and
//!   COMMITs afterwards is one that came before: nobody can tell, since lowering reads nothing of what a purchase writes.
//! - **The sold-out latch and the board.** While they follow the database they say earlier what it would, and only to who
//!   holds nothing. A latch that stays closed when units are free again would leave them unsold, and nothing here can show
//!   that. It is tested where it is: `src/app/sale_board.rs`, `tests/it/gate.rs` (a raised quantity sells at once on every
//!   API), the faults campaign (`quantity`), and `tests/planted/latch-sticks.patch` sees that these notice.
//! - **Time.** Whatever has a deadline may happen at any moment before or after it, with one exception: the reconciler
//!   takes a token from an admitted purchase still on its way only where a fault is spent on it (its process was frozen
//!   for longer than `TOKEN_GRACE`). A call of `place_orders` that got no answer may take effect even after the call made
//!   in its stead was answered: a backend whose client is gone may still wait for the intake's lock.
//!
//! # Why it ends
//!
//! Faults, tries and rounds during the run are bounded, and every other step brings somebody further. So every path ends,
//! and what must happen eventually is asked of the states where nothing can happen any more (`properties.rs`). Where more
//! faults are explored than a test walks every path with (`tests.rs`: one for three buyers, two for two buyers), that no
//! path goes round in circles rests on this argument: a fault is never given back, and without one the steps are the same.

use stateright::{Model, Property};

use crate::action::Action;
use crate::bugs::Bug;
use crate::buyer::Stage;
use crate::faults;
use crate::properties;
use crate::scenario::Scenario;
use crate::state::{ABANDONED, BUYERS_MAX, KeyRow, Round, State, Status, Step, WAITED_FOR};
use crate::symmetry;

/// The protocol within its bounds, with at most one bug planted.
#[derive(Clone, Copy, Debug)]
pub struct Purchases {
    pub scenario: Scenario,
    pub bug: Option<Bug>,
    /// Whether states that differ only in who is who are one.
    pub is_symmetric: bool,
}

impl Purchases {
    pub fn new(scenario: Scenario, bug: Option<Bug>) -> Self {
        Self { scenario, bug, is_symmetric: true }
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether nothing happens any more by itself: all that is left are faults that did not occur.
    pub fn is_over(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.protocol_actions(state, &mut actions);
        if actions.is_empty() {
            self.actions_at_rest(state, &mut actions);
        }
        actions.is_empty()
    }

    /// What happens by itself, sooner or later.
    fn protocol_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for b in 0..BUYERS_MAX {
            self.buyer_actions(state, b, actions);
            for r in [WAITED_FOR, ABANDONED] {
                self.request_actions(state, b, r, actions);
            }
            self.late_actions(state, b, actions);
        }
        self.worker_actions(state, actions);
        reconciler_actions(state, actions);
    }

    /// What happens once nothing else does: the gate is reconciled, and who was refused makes a last try.
    fn actions_at_rest(&self, state: &State, actions: &mut Vec<Action>) {
        if self.reconciled_at_rest(state) != *state {
            actions.push(Action::ReconcileAtRest);
            return;
        }
        for (b, buyer) in (0..).zip(&state.buyers) {
            if buyer.stage == Stage::Refused && !buyer.asked_at_rest {
                actions.push(Action::AskAtRest(b));
            }
        }
    }

    fn buyer_actions(&self, state: &State, b: usize, actions: &mut Vec<Action>) {
        let (buyer, b) = (&state.buyers[b], b as u8);
        match buyer.stage {
            Stage::Idle => actions.push(Action::Ask(b)),
            Stage::Unsure | Stage::Refused if buyer.live_order().is_some() => actions.push(Action::FindOrder(b)),
            _ => {}
        }
        match buyer.stage {
            Stage::Unsure => actions.push(Action::Ask(b)),
            Stage::Refused if buyer.asks_left > 0 => actions.push(Action::Ask(b)),
            Stage::Accepted(order) if buyer.order(order).is_some_and(|o| o.status != Status::InProgress) => {
                actions.push(Action::LearnOutcome(b));
            }
            _ => {}
        }
    }

    fn request_actions(&self, state: &State, b: usize, r: usize, actions: &mut Vec<Action>) {
        let Some(request) = state.buyers[b].requests[r] else { return };
        let (key, b, r) = (state.buyers[b].key, b as u8, r as u8);
        match request.step {
            // While another request runs with this key the answer is 409, and the buyer asks again.
            Step::ClaimKey if matches!(key, KeyRow::Running(_)) && request.has_key => {}
            Step::ClaimKey => actions.push(Action::ClaimKey(b, r)),
            Step::Take => actions.push(Action::Take(b, r)),
            Step::PlaceOrders => {
                actions.push(Action::PlaceOrders(b, r));
                if request.may_be_placed {
                    actions.push(Action::GiveUpPlacing(b, r));
                }
            }
            Step::GiveBack(_) => actions.push(Action::GiveBack(b, r)),
            Step::KeepAnswer(_) => actions.push(Action::KeepAnswer(b, r)),
        }
    }

    fn worker_actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.queue.iter().any(|m| m.worker.is_none()) && state.idle_worker(self.scenario.workers).is_some() {
            actions.push(Action::TakeMessages);
        }
        for worker in (0..self.scenario.workers).filter(|worker| state.is_busy(*worker)) {
            actions.push(Action::SettleOrders(worker));
        }
    }

    /// A call or a command whose answer nobody gets arrives, or never does.
    fn late_actions(&self, state: &State, b: usize, actions: &mut Vec<Action>) {
        let (buyer, b) = (&state.buyers[b], b as u8);
        if buyer.late_call.is_some() {
            actions.extend([Action::LateCallArrives(b), Action::LateCallIsLost(b)]);
        }
        if buyer.late_command.is_some() {
            actions.extend([Action::LateCommandArrives(b), Action::LateCommandIsLost(b)]);
        }
        // Its process died: at no cost, unlike the lapse of a claim whose process is only slow.
        if buyer.key == KeyRow::Running(None) && !self.has(Bug::ClaimsNeverLapse) {
            actions.push(Action::ClaimLapses(b));
        }
    }

    /// What may happen or not: rounds of the reconciler, and faults while any are left.
    fn optional_actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.round == Round::Idle && state.rounds_left > 0 && !self.has(Bug::NoReconciler) {
            actions.push(Action::ReadGate);
        }
        if state.faults_left > 0 {
            faults::actions(&self.scenario, state, actions);
        }
    }

    /// The state after a step, with who is who left as it is.
    pub fn step(&self, last: &State, action: Action) -> State {
        let mut next = last.clone();
        self.apply(&mut next, action);
        symmetry::number_workers(&mut next);
        next
    }
}

fn reconciler_actions(state: &State, actions: &mut Vec<Action>) {
    match state.round {
        Round::Idle => {}
        Round::GateRead(_) => actions.push(Action::ReadOrders),
        Round::Compared(_) => actions.push(Action::ApplyRepair),
    }
}

impl Model for Purchases {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![symmetry::representative(&State::new(&self.scenario)).0]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.protocol_actions(state, actions);
        if actions.is_empty() {
            self.actions_at_rest(state, actions);
        }
        self.optional_actions(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let next = self.step(last, action);
        Some(if self.is_symmetric { symmetry::representative(&next).0 } else { next })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.scenario)
    }
}
