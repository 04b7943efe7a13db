//! Exploring a model whole, and finding the shortest way to a violation.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::action::Action;
use crate::bugs::{Plant, plants};
use crate::model::Purchases;
use crate::scenario::Scenario;

/// A property and what the exploration says of it.
pub struct Verdict {
    pub name: &'static str,
    pub kind: Kind,
    /// A property that must hold and does not, or a situation that must be seen and is not, is a failure.
    pub is_ok: bool,
    /// The steps to a violation.
    pub path: Option<Vec<Action>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Holds,
    IsSeen,
}

/// An exploration come to its end.
pub struct Exploration {
    pub model: Purchases,
    pub unique_states: usize,
    pub generated_states: usize,
    pub max_depth: usize,
    pub took: Duration,
    pub verdicts: Vec<Verdict>,
}

impl Exploration {
    pub fn is_ok(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.is_ok)
    }
}

/// What became of a planted bug.
pub struct Catch {
    pub plant: Plant,
    /// The property that found it first and the steps of the shortest way there.
    pub caught: Option<(&'static str, Vec<Action>)>,
}

impl Catch {
    pub fn is_as_expected(&self) -> bool {
        self.caught.as_ref().map(|(name, _)| *name) == self.plant.found_by
    }
}

/// Visits every state of a scenario.
pub fn explore(scenario: Scenario, threads: usize) -> Exploration {
    let model = Purchases::new(scenario, None);
    let began = Instant::now();
    let checker = model.checker().threads(threads).spawn_bfs().join();
    let took = began.elapsed();
    let found: BTreeSet<&str> = checker.discoveries().into_keys().collect();
    let verdicts = model
        .properties()
        .iter()
        .map(|property| {
            let is_found = found.contains(property.name);
            let kind = match property.expectation {
                Expectation::Sometimes => Kind::IsSeen,
                Expectation::Always | Expectation::Eventually => Kind::Holds,
            };
            let is_ok = is_found == (kind == Kind::IsSeen);
            let path = if is_found && !is_ok { shortest_way(model, BTreeSet::from([property.name])) } else { None };
            Verdict { name: property.name, kind, is_ok, path: path.map(|(_, path)| path) }
        })
        .collect();
    Exploration {
        model,
        unique_states: checker.unique_state_count(),
        generated_states: checker.state_count(),
        max_depth: checker.max_depth(),
        took,
        verdicts,
    }
}

/// Plants every bug in turn.
pub fn hunt() -> Vec<Catch> {
    plants().into_iter().map(catch).collect()
}

/// Explores by breadth, so what is found first is found by the fewest steps.
pub fn catch(plant: Plant) -> Catch {
    let model = Purchases::new(plant.scenario, Some(plant.bug));
    Catch { caught: shortest_violation(model), plant }
}

/// The shortest way to a violation of any property that must hold.
fn shortest_violation(model: Purchases) -> Option<(&'static str, Vec<Action>)> {
    let properties = model.properties().into_iter().filter(|property| property.expectation.discovery_is_failure());
    shortest_way(model, properties.map(|property| property.name).collect())
}

/// The checker looks on for a while after its first discovery and keeps the last; so it is asked again for a shorter way
/// until there is none.
fn shortest_way(model: Purchases, to: BTreeSet<&'static str>) -> Option<(&'static str, Vec<Action>)> {
    let mut shortest: Option<(&'static str, Vec<Action>)> = None;
    loop {
        // Depths count states, of which a way has one more than steps.
        let limit = shortest.as_ref().map_or(usize::MAX, |(_, way)| way.len() + 1);
        let checker = model.checker().finish_when(HasDiscoveries::AnyOf(to.clone())).target_max_depth(limit);
        let found = checker.spawn_bfs().join().discoveries();
        let ways =
            found.into_iter().filter(|(name, _)| to.contains(name)).map(|(name, way)| (name, way.into_actions()));
        let known = shortest.as_ref().map_or(usize::MAX, |(_, way)| way.len());
        match ways.min_by_key(|(name, way)| (way.len(), *name)) {
            Some(shorter) if shorter.1.len() < known => shortest = Some(shorter),
            _ => return shortest,
        }
    }
}
