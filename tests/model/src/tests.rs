//! The protocol in smaller bounds than `cargo run` has, the planted bugs, and the model itself: that every path ends, and
//! that nothing is lost by exploring one state for all that differ only in who is who.

use std::collections::{HashMap, HashSet};

use stateright::Model;

use crate::bugs::Plant;
use crate::explore::{Catch, catch, explore};
use crate::model::Purchases;
use crate::scenario::{SMALL, Scenario};
use crate::state::State;
use crate::{bugs, report, symmetry, words};

/// What `cargo run` explores, with fewer faults.
const QUICK: [Scenario; 4] = [
    Scenario { name: "crowd", buyers: 3, units: 2, faults: 1, rounds: 1, ..SMALL },
    Scenario { name: "keys", has_keys: true, ..SMALL },
    Scenario { name: "administrator", has_administrator: true, ..SMALL },
    Scenario { name: "stubborn", asks: 2, ..SMALL },
];

fn assert_ok(scenario: Scenario) {
    let exploration = explore(scenario, 2);
    report::print_exploration(&exploration);
    assert!(exploration.is_ok(), "{}: see above", scenario.name);
}

#[test]
fn a_crowd_keeps_every_promise() {
    assert_ok(QUICK[0]);
}

#[test]
fn retries_with_a_key_keep_every_promise() {
    assert_ok(QUICK[1]);
}

#[test]
fn an_administrator_breaks_no_promise() {
    assert_ok(QUICK[2]);
}

#[test]
fn stubborn_buyers_are_kept_every_promise() {
    assert_ok(QUICK[3]);
}

#[test]
fn every_planted_bug_is_found_by_its_property_and_by_that_first() {
    let (harmful, harmless): (Vec<Plant>, Vec<Plant>) =
        bugs::plants().into_iter().partition(|plant| plant.found_by.is_some());
    assert!(harmful.len() >= 12 && !harmless.is_empty());
    let catches: Vec<Catch> = harmful.into_iter().chain(harmless).map(catch).collect();
    assert!(report::print_catches(&catches, false), "see UNEXPECTED above");
}

#[test]
fn every_path_ends() {
    for scenario in QUICK {
        assert_eq!(steps_of_a_circle(&Purchases::new(scenario, None)), None, "{}", scenario.name);
    }
}

#[test]
fn one_state_stands_for_all_that_differ_in_who_is_who() {
    let scenario = Scenario { buyers: 3, faults: 1, rounds: 0, ..SMALL };
    let model = Purchases::new(scenario, None);
    let each = reachable(&Purchases { is_symmetric: false, ..model });
    let represented: HashSet<State> = each.iter().map(|state| symmetry::representative(state).0).collect();
    assert_eq!(reachable(&model), represented);
    assert!(each.len() > 3 * represented.len());
}

#[test]
fn a_path_is_told_with_one_name_for_each_buyer() {
    let plant = bugs::plants().remove(0);
    let model = Purchases::new(plant.scenario, Some(plant.bug));
    let (_, path) = catch(plant).caught.expect("the first bug is harmful");
    let told = words::tell(&model, &path);
    assert_eq!(told.len(), path.len());
    for buyer in ["A asks", "B asks", "C asks"] {
        assert_eq!(told.iter().filter(|line| line.contains(buyer)).count(), 1, "{told:#?}");
    }
}

fn next_states(model: &Purchases, state: &State) -> Vec<State> {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    actions.into_iter().filter_map(|action| model.next_state(state, action)).collect()
}

fn reachable(model: &Purchases) -> HashSet<State> {
    let mut known: HashSet<State> = model.init_states().into_iter().collect();
    let mut pending: Vec<State> = known.iter().cloned().collect();
    while let Some(state) = pending.pop() {
        for next in next_states(model, &state) {
            if known.insert(next.clone()) {
                pending.push(next);
            }
        }
    }
    known
}

/// Walks every path by depth; a state met again while it is still on the path walked closes a circle.
fn steps_of_a_circle(model: &Purchases) -> Option<usize> {
    let mut is_on_path: HashMap<State, bool> = HashMap::new();
    let mut path: Vec<(State, Vec<State>)> = Vec::new();
    for first in model.init_states() {
        is_on_path.insert(first.clone(), true);
        path.push((first.clone(), next_states(model, &first)));
    }
    while let Some((state, pending)) = path.last_mut() {
        let Some(next) = pending.pop() else {
            is_on_path.insert(state.clone(), false);
            path.pop();
            continue;
        };
        match is_on_path.get(&next) {
            Some(true) => return Some(path.len()),
            Some(false) => {}
            None => {
                is_on_path.insert(next.clone(), true);
                let after = next_states(model, &next);
                path.push((next, after));
            }
        }
    }
    None
}
