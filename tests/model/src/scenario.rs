//! The bounds of an exploration: who buys how much, and how much goes wrong.

/// What is explored whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub name: &'static str,
    pub buyers: usize,
    pub units: u8,
    pub workers: u8,
    /// Tries of a buyer who is refused, before the last one that is made when nothing else moves.
    pub asks: u8,
    /// Faults in one run, of any kinds, at any moments.
    pub faults: u8,
    /// Rounds of the reconciler while purchases are under way; afterwards it has as many as it needs.
    pub rounds: u8,
    /// Purchases carry an Idempotency-Key, and a retry carries the same.
    pub has_keys: bool,
    /// The administrator may end the sale, and raise or lower the quantity by one; each counts as a fault.
    pub has_administrator: bool,
}

/// Bugs are planted into this; each may change it.
pub const SMALL: Scenario = Scenario {
    name: "small",
    buyers: 2,
    units: 1,
    workers: 2,
    asks: 1,
    faults: 2,
    rounds: 1,
    has_keys: false,
    has_administrator: false,
};

/// What `cargo run -p flashsale-model` explores.
pub const DEFAULT: [Scenario; 4] = [
    Scenario { name: "crowd", buyers: 3, units: 2, faults: 2, rounds: 2, ..SMALL },
    Scenario { name: "keys", has_keys: true, faults: 3, ..SMALL },
    Scenario { name: "administrator", has_administrator: true, faults: 3, ..SMALL },
    Scenario { name: "stubborn", asks: 2, rounds: 2, ..SMALL },
];
