//! Where Redis failed lately. In a cluster one server can be gone while the others answer: Redis counts as available again
//! once it answers where it did not, not once it answers somewhere. With one server all places are the same.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

const PROBE_KEY: &str = "flashsale:probe";
/// Places remembered, each written to by every probe while Redis is away.
const PLACES_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Suspects(Mutex<BTreeSet<String>>);

impl Suspects {
    /// A command on this key failed.
    pub fn note(&self, key: &str) {
        let mut places = self.places();
        if places.len() < PLACES_MAX {
            places.insert(place(key).to_owned());
        }
    }

    /// They all answer.
    pub fn clear(&self) {
        self.places().clear();
    }

    /// The keys to be written to find out whether Redis can be used: one anywhere, and one in the slot of each that failed.
    pub fn probe_keys(&self) -> Vec<String> {
        let places = self.places();
        let at = places.iter().map(|place| format!("{PROBE_KEY}:{{{place}}}"));
        std::iter::once(PROBE_KEY.to_owned()).chain(at).collect()
    }

    fn places(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What decides on a key's slot in a cluster: what is in its braces, or all of it.
fn place(key: &str) -> &str {
    let in_braces = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    in_braces.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::{PLACES_MAX, Suspects};

    #[test]
    fn a_probe_goes_to_the_slots_that_failed() {
        let suspects = Suspects::default();
        assert_eq!(suspects.probe_keys(), ["flashsale:probe"]);
        let failed = ["flashsale:{sale}:holders", "flashsale:{sale}:capacity", "flashsale:bucket:orders:7"];
        for key in failed {
            suspects.note(key);
        }
        let keys = suspects.probe_keys();
        assert_eq!(keys.len(), 3, "one anywhere, one a slot: {keys:?}");
        for key in failed {
            assert!(keys[1..].iter().any(|probe| Slot::for_key(probe) == Slot::for_key(key)), "{key}: {keys:?}");
        }
        for n in 0..100 {
            suspects.note(&format!("flashsale:bucket:orders:{n}"));
        }
        assert_eq!(suspects.probe_keys().len(), 1 + PLACES_MAX);
        suspects.clear();
        assert_eq!(suspects.probe_keys().len(), 1);
    }

    #[test]
    fn the_keys_of_a_sale_are_in_one_slot() {
        let (capacity, holders) = super::super::redis::keys(uuid::Uuid::from_u128(7));
        assert_eq!(Slot::for_key(capacity), Slot::for_key(holders));
    }
}
