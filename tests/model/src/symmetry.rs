//! Buyers are alike and so are workers: of the states that differ only in who is who, one is explored.
//!
//! All that belongs to a buyer lies in one struct, and only the queue names buyers; so two buyers who are equal there and
//! own no message of the queue can be exchanged, and otherwise the order below is a strict one.

use crate::action::Action;
use crate::state::{BUYERS_MAX, State};

/// For each place of the sorted state, the place in the given one.
pub type Permutation = [u8; BUYERS_MAX];

/// The state that stands for all those like it, and whom it has put where.
pub fn representative(state: &State) -> (State, Permutation) {
    let places = |buyer: usize| -> u32 {
        let own = state.queue.iter().enumerate().filter(|(_, message)| usize::from(message.buyer) == buyer);
        own.map(|(place, _)| 1 << place).sum()
    };
    let mut order: Permutation = [0, 1, 2];
    order.sort_by_key(|buyer| (state.buyers[usize::from(*buyer)], places(usize::from(*buyer))));
    let mut sorted = state.clone();
    for (place, buyer) in order.iter().enumerate() {
        sorted.buyers[place] = state.buyers[usize::from(*buyer)];
    }
    for message in &mut sorted.queue {
        message.buyer = place_of(message.buyer, order);
    }
    (sorted, order)
}

/// Numbers the workers in the order of the messages they hold; a worker that holds none has no state.
pub fn number_workers(state: &mut State) {
    let mut known = Vec::new();
    for message in &mut state.queue {
        if let Some(worker) = message.worker {
            if !known.contains(&worker) {
                known.push(worker);
            }
            message.worker = (0..).zip(&known).find_map(|(number, of)| (*of == worker).then_some(number));
        }
    }
}

fn place_of(buyer: u8, order: Permutation) -> u8 {
    (0..).zip(order).find_map(|(place, of)| (of == buyer).then_some(place)).unwrap_or(buyer)
}

/// An action of the sorted state, said of the state as it was before sorting.
pub fn unsorted(action: Action, order: Permutation) -> Action {
    action.of_buyer(|place| order[usize::from(place)])
}
