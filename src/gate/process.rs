//! The token gate in the memory of one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Admission, GateRepair, GateState};
use crate::domain::{OrderId, SaleId, UserId};

/// Gates by sale, bounded by the sales that are reconciled and by their capacities.
#[derive(Debug, Default)]
pub struct ProcessGate {
    sales: Mutex<HashMap<SaleId, GateState>>,
}

impl ProcessGate {
    /// Takes a token for `order`, or says why not.
    pub fn take(&self, sale: SaleId, user: UserId, order: OrderId) -> Admission {
        let mut sales = self.lock();
        let Some(gate) = sales.get_mut(&sale) else { return Admission::Unknown };
        match gate.holders.get(&user) {
            Some(held) if *held == order => return Admission::Admitted,
            Some(held) => return Admission::Held(*held),
            None => {}
        }
        if i64::try_from(gate.holders.len()).unwrap_or(i64::MAX) >= gate.capacity {
            return Admission::SoldOut;
        }
        gate.holders.insert(user, order);
        Admission::Admitted
    }

    /// Capacity and number of holders, cheaply; `None` when the gate is unknown.
    pub fn size(&self, sale: SaleId) -> Option<(i64, i64)> {
        self.lock().get(&sale).map(|gate| (gate.capacity, i64::try_from(gate.holders.len()).unwrap_or(i64::MAX)))
    }

    /// A sale's gate as it is now; `None` when it is unknown.
    pub fn state(&self, sale: SaleId) -> Option<GateState> {
        self.lock().get(&sale).cloned()
    }

    /// Applies a repair. A gate comes into being with its first capacity.
    pub fn apply(&self, sale: SaleId, repair: &GateRepair) {
        let mut sales = self.lock();
        let gate = match repair.capacity {
            Some(capacity) => {
                let gate = sales.entry(sale).or_default();
                gate.capacity = capacity;
                gate
            }
            None => match sales.get_mut(&sale) {
                Some(gate) => gate,
                None => return,
            },
        };
        for (user, order) in &repair.remove {
            if gate.holders.get(user) == Some(order) {
                gate.holders.remove(user);
            }
        }
        gate.holders.extend(repair.put.iter().copied());
    }

    /// Free tokens by sale.
    pub fn free_tokens(&self) -> Vec<(SaleId, i64)> {
        let sales = self.lock();
        sales
            .iter()
            .map(|(sale, gate)| (*sale, gate.capacity - i64::try_from(gate.holders.len()).unwrap_or(i64::MAX)))
            .collect()
    }

    /// Forgets every gate but those of `sales`.
    pub fn retain(&self, sales: &[SaleId]) {
        self.lock().retain(|sale, _| sales.contains(sale));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SaleId, GateState>> {
        // Every critical section leaves the map whole, so a panic elsewhere does not spoil it.
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::ProcessGate;
    use crate::gate::{Admission, GateRepair, GateState};

    const SALE: Uuid = Uuid::from_u128(1);

    fn user(n: u128) -> Uuid {
        Uuid::from_u128(100 + n)
    }

    fn order(n: u128) -> Uuid {
        Uuid::from_u128(1000 + n)
    }

    fn give_back(gate: &ProcessGate, user: Uuid, order: Uuid) {
        gate.apply(SALE, &GateRepair { remove: vec![(user, order)], ..GateRepair::default() });
    }

    fn gate_of(capacity: i64) -> ProcessGate {
        let gate = ProcessGate::default();
        gate.apply(SALE, &GateRepair { capacity: Some(capacity), ..GateRepair::default() });
        gate
    }

    #[test]
    fn a_gate_without_capacity_is_unknown() {
        let gate = ProcessGate::default();
        assert_eq!(gate.take(SALE, user(1), order(1)), Admission::Unknown);
        gate.apply(SALE, &GateRepair { put: vec![(user(1), order(1))], ..GateRepair::default() });
        assert_eq!((gate.state(SALE), gate.size(SALE)), (None, None));
    }

    #[test]
    fn every_token_is_given_once_and_returned_once() {
        let gate = gate_of(2);
        assert_eq!(gate.take(SALE, user(1), order(1)), Admission::Admitted);
        assert_eq!(gate.take(SALE, user(1), order(1)), Admission::Admitted, "the same order again");
        assert_eq!(gate.take(SALE, user(1), order(9)), Admission::Held(order(1)), "another order of the user");
        assert_eq!(gate.take(SALE, user(2), order(2)), Admission::Admitted);
        assert_eq!(gate.take(SALE, user(3), order(3)), Admission::SoldOut);
        assert_eq!(gate.size(SALE), Some((2, 2)));
        give_back(&gate, user(1), order(9));
        assert_eq!(gate.take(SALE, user(3), order(3)), Admission::SoldOut, "only its holder returns a token");
        give_back(&gate, user(1), order(1));
        give_back(&gate, user(1), order(1));
        assert_eq!(gate.size(SALE), Some((2, 1)));
        assert_eq!(gate.state(SALE), Some(GateState { capacity: 2, holders: [(user(2), order(2))].into() }));
        assert_eq!(gate.take(SALE, user(3), order(3)), Admission::Admitted);
        assert_eq!(gate.take(SALE, user(4), order(4)), Admission::SoldOut);
    }

    #[test]
    fn a_repair_removes_only_what_it_saw() {
        let gate = gate_of(2);
        gate.take(SALE, user(1), order(1));
        gate.apply(
            SALE,
            &GateRepair { put: vec![(user(2), order(2))], remove: vec![(user(1), order(7))], capacity: Some(3) },
        );
        assert_eq!(gate.free_tokens(), [(SALE, 1)]);
    }

    #[test]
    fn a_gate_is_forgotten_unless_its_sale_is_named() {
        let gate = gate_of(2);
        gate.retain(&[SALE, user(1)]);
        assert_eq!(gate.size(SALE), Some((2, 0)));
        gate.retain(&[user(1)]);
        assert_eq!(gate.size(SALE), None);
    }
}
