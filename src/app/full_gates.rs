//! Holding a crowd back for a moment: a gate that has just become full belongs to a sale that is about to be sold out.
//! Whoever asks now would be turned away one by one by the same cores that serve those who were admitted. So they wait
//! here, those just turned away too, until the sale is known to be sold out, which is then answered from memory, or for
//! `HOLD`. docs/decisions/0010 has the figures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::domain::SaleId;

/// How long a request waits at most. What was admitted before the gate was full is placed and settled in less.
const HOLD: Duration = Duration::from_millis(250);
/// Requests of a sale are held again no sooner than this after the last time: a gate that stays full, because orders
/// are not settled, costs its users a wait now and then, not each of them one.
const HOLD_AGAIN: Duration = Duration::from_secs(2);

/// The sales whose gate was lately found full.
#[derive(Default)]
pub struct FullGates {
    full: ArcSwap<HashMap<SaleId, Arc<Full>>>,
}

struct Full {
    since: Instant,
    sold_out: CancellationToken,
}

impl FullGates {
    /// Somebody was just told that this sale has no unit free.
    pub fn note(&self, sale: SaleId) {
        if self.full.load().get(&sale).is_some_and(|full| full.since.elapsed() < HOLD_AGAIN) {
            return;
        }
        let noted = Arc::new(Full { since: Instant::now(), sold_out: CancellationToken::new() });
        self.full.rcu(|full| {
            let mut full = HashMap::clone(full);
            full.retain(|_, full| full.since.elapsed() < HOLD_AGAIN);
            full.insert(sale, Arc::clone(&noted));
            full
        });
    }

    /// Whether somebody was lately told that this sale has no unit free.
    pub fn contains(&self, sale: SaleId) -> bool {
        self.full.load().contains_key(&sale)
    }

    /// Waits while requests for this sale are to be held back. Answers whether it is now known to be sold out.
    pub async fn hold(&self, sale: SaleId) -> bool {
        let Some(full) = self.full.load().get(&sale).cloned() else { return false };
        let left = HOLD.saturating_sub(full.since.elapsed());
        !left.is_zero() && tokio::time::timeout(left, full.sold_out.cancelled()).await.is_ok()
    }

    /// The sale is known to be sold out: nobody is held any longer.
    pub fn release(&self, sale: SaleId) {
        if let Some(full) = self.full.load().get(&sale) {
            full.sold_out.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use uuid::Uuid;

    use super::{FullGates, HOLD};

    const SALE: Uuid = Uuid::from_u128(1);
    const ANOTHER: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn requests_are_held_while_a_gate_has_just_become_full() {
        let gates = FullGates::default();
        assert!(!gates.hold(SALE).await, "nothing is known of it");
        let before = Instant::now();
        gates.note(SALE);
        assert!(!gates.hold(ANOTHER).await && before.elapsed() < HOLD, "another sale");
        assert!(!gates.hold(SALE).await && before.elapsed() >= HOLD, "held, and not known to be sold out");
        let before = Instant::now();
        gates.note(SALE);
        assert!(!gates.hold(SALE).await && before.elapsed() < HOLD, "not again and again");
        assert!(gates.contains(SALE) && !gates.contains(ANOTHER));
    }

    #[tokio::test]
    async fn a_sale_that_is_sold_out_holds_nobody() {
        let gates = FullGates::default();
        let before = Instant::now();
        gates.note(SALE);
        let (is_sold_out, ()) = tokio::join!(gates.hold(SALE), async { gates.release(SALE) });
        assert!(is_sold_out && gates.hold(SALE).await);
        assert!(before.elapsed() < HOLD);
    }
}
