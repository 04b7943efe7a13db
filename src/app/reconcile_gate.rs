//! Reconciling: a gate's holders are made equal to the live orders in the database, and its capacity to the quantity.
//! This is how tokens come back whatever was lost: a crash between gate and queue, a reply, Redis itself.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use crate::config::{deadlines, intervals};
use crate::db::{Database, DbError};
use crate::domain::{OrderId, SaleId, SaleSnapshot, UserId};
use crate::gate::{GateRepair, GateState, ProcessGate, RedisError, RedisGate};

/// Gates are made ready this long before their sale starts, and kept as long after it ended.
const AROUND_WINDOW: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// A gate is compared again after this many times the time the last comparison took: at most a twentieth of a core.
const COST_FACTOR: u32 = 20;
/// All gates together are compared for this long in a round, which is every [`intervals::RECONCILE`]: at most a tenth of
/// a core, and a gate that is not there yet waits no longer than that.
const ROUND_BUDGET: Duration = Duration::from_millis(50);
/// What a comparison takes at most, and more for each live order. The rest was waiting, for a lock or a network that
/// stood still, and must not keep the gate from being compared as soon as that is over.
const COST_MAX: Duration = Duration::from_millis(100);
const COST_MAX_PER_ORDER: Duration = Duration::from_micros(10);
/// A gate whose numbers give no hint that anything is wrong is compared again after the first of these; one that was
/// found right and has not moved since after twice as long each time, up to the second.
const CALM_PAUSE: Duration = Duration::from_secs(5);
const CALM_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What reconciling needs failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// Remembers, from one round to the next, which holders no order accounts for: a purchase on its way looks the same as
/// one that was lost, until it has had the time to arrive.
#[derive(Default)]
pub struct GateReconciler {
    suspects: HashMap<(SaleId, UserId, OrderId), Instant>,
    turns: HashMap<SaleId, Turn>,
    /// What this round's comparisons took.
    spent: Duration,
}

/// When a gate is to be compared again.
#[derive(Debug, Clone, Copy)]
struct Turn {
    compared_at: Instant,
    /// At the earliest, for what it costs.
    pause: Duration,
    /// While there is no hint that anything is wrong.
    calm_pause: Duration,
    /// How many live orders there were, when each was accounted for and the gate held nobody else.
    right_with: Option<usize>,
}

/// The sales whose gates must be there at `now`.
pub fn sales_with_gate(
    sales: &[SaleSnapshot],
    now: chrono::DateTime<chrono::Utc>,
) -> impl Iterator<Item = &SaleSnapshot> {
    sales.iter().filter(move |sale| sale.start_date - now <= AROUND_WINDOW && now - sale.end_date <= AROUND_WINDOW)
}

impl GateReconciler {
    /// Begins a round over these sales, which are put in the order of their turn: new ones first, then those that have
    /// waited longest. A gate that is there is left for the next round once this one's time is spent.
    pub fn begin_round(&mut self, sales: &mut [&SaleSnapshot]) {
        self.spent = Duration::ZERO;
        let ids: HashSet<SaleId> = sales.iter().map(|sale| sale.flash_sale_id).collect();
        self.turns.retain(|id, _| ids.contains(id));
        sales.sort_by_key(|sale| self.turns.get(&sale.flash_sale_id).map(|turn| turn.compared_at));
    }

    /// Reconciles one sale's gate in Redis, if it is unknown, has another capacity, or is due. Answers the number of
    /// holders repaired.
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn reconcile_redis(
        &mut self,
        redis: &RedisGate,
        database: &Database,
        sale: &SaleSnapshot,
    ) -> Result<usize, ReconcileError> {
        let known = match redis.size(sale.flash_sale_id).await {
            Err(error) if error.is_foreign_value() => {
                tracing::warn!(flash_sale_id = %sale.flash_sale_id, %error, "the gate's keys hold something else: rebuilt");
                redis.forget(sale.flash_sale_id).await?;
                None
            }
            known => known?,
        };
        if self.can_wait(sale, known) {
            return Ok(0);
        }
        let started = Instant::now();
        let state = match known {
            Some(_) => redis.state(sale.flash_sale_id).await?,
            None => None,
        };
        let (repair, live) = self.repair(database, sale, state).await?;
        // Also without a change: it keeps the gate alive.
        redis.apply(sale.flash_sale_id, &repair).await?;
        Ok(self.done(sale, &repair, live, started.elapsed()))
    }

    /// Reconciles one sale's gate in this process. Answers the number of holders repaired.
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn reconcile_process(
        &mut self,
        gate: &ProcessGate,
        database: &Database,
        sale: &SaleSnapshot,
    ) -> Result<usize, ReconcileError> {
        if self.can_wait(sale, gate.size(sale.flash_sale_id)) {
            return Ok(0);
        }
        let started = Instant::now();
        let state = gate.state(sale.flash_sale_id);
        let (repair, live) = self.repair(database, sale, state).await?;
        gate.apply(sale.flash_sale_id, &repair);
        Ok(self.done(sale, &repair, live, started.elapsed()))
    }

    /// Whether a gate of this capacity and number of holders need not be compared with the database now.
    fn can_wait(&self, sale: &SaleSnapshot, size: Option<(i64, i64)>) -> bool {
        let Some((capacity, holders)) = size else { return false };
        if capacity != i64::from(sale.quantity) {
            return false;
        }
        let Some(turn) = self.turns.get(&sale.flash_sale_id) else { return self.spent >= ROUND_BUDGET };
        let live = i64::from(sale.live);
        // Holders without an order are on their way or lost, and nobody misses their tokens before the gate is full.
        let is_calm = holders == live || (live..capacity).contains(&holders);
        let pause = match turn.right_with {
            Some(then) if usize::try_from(live) == Ok(then) && holders == live => turn.calm_pause,
            _ if is_calm => turn.pause.max(CALM_PAUSE),
            _ => turn.pause,
        };
        turn.compared_at.elapsed() < pause || self.spent >= ROUND_BUDGET
    }

    /// The repair, and the number of live orders.
    async fn repair(
        &mut self,
        database: &Database,
        sale: &SaleSnapshot,
        state: Option<GateState>,
    ) -> Result<(GateRepair, usize), DbError> {
        let live: HashMap<UserId, OrderId> =
            database.live_orders(sale.product_id, sale.flash_sale_id).await?.into_iter().collect();
        let mut suspects: HashMap<(UserId, OrderId), Instant> = self
            .suspects
            .extract_if(|(of, _, _), _| *of == sale.flash_sale_id)
            .map(|((_, user, order), since)| ((user, order), since))
            .collect();
        let repair = compare(
            state.as_ref(),
            &live,
            i64::from(sale.quantity),
            &mut suspects,
            Instant::now(),
            deadlines::TOKEN_GRACE,
        );
        self.suspects
            .extend(suspects.into_iter().map(|((user, order), since)| ((sale.flash_sale_id, user, order), since)));
        Ok((repair, live.len()))
    }

    fn done(&mut self, sale: &SaleSnapshot, repair: &GateRepair, live: usize, took: Duration) -> usize {
        self.spent += took;
        let is_right = repair.is_empty() && !self.suspects.keys().any(|(of, _, _)| *of == sale.flash_sale_id);
        let right_with = is_right.then_some(live);
        let calm_pause = match self.turns.get(&sale.flash_sale_id) {
            Some(turn) if is_right && turn.right_with == right_with => (turn.calm_pause * 2).min(CALM_PAUSE_MAX),
            _ => CALM_PAUSE,
        };
        let pause = pause(took, live);
        let turn = Turn { compared_at: Instant::now(), pause, calm_pause: calm_pause.max(pause), right_with };
        self.turns.insert(sale.flash_sale_id, turn);
        let repaired = repair.put.len() + repair.remove.len();
        gauge!("flashsale_gate_drift", "flash_sale_id" => sale.flash_sale_id.to_string()).set(repaired as f64);
        if !repair.is_empty() {
            counter!("flashsale_gate_repairs_total").increment(repaired as u64);
            tracing::info!(
                flash_sale_id = %sale.flash_sale_id, put = repair.put.len(), removed = repair.remove.len(),
                capacity = ?repair.capacity, "the gate was reconciled with the database"
            );
        }
        repaired
    }
}

/// How long to wait after a comparison with so many live orders that took so long.
fn pause(took: Duration, live: usize) -> Duration {
    let cost_max = COST_MAX + COST_MAX_PER_ORDER * u32::try_from(live).unwrap_or(u32::MAX);
    (took.min(cost_max) * COST_FACTOR).max(intervals::RECONCILE)
}

/// What brings a gate to the live orders. A holder that no live order accounts for is removed once it has been a
/// suspect for `grace`.
fn compare(
    state: Option<&GateState>,
    live: &HashMap<UserId, OrderId>,
    capacity: i64,
    suspects: &mut HashMap<(UserId, OrderId), Instant>,
    now: Instant,
    grace: Duration,
) -> GateRepair {
    let Some(state) = state else {
        suspects.clear();
        return GateRepair {
            put: live.iter().map(|(user, order)| (*user, *order)).collect(),
            remove: Vec::new(),
            capacity: Some(capacity),
        };
    };
    let put = live
        .iter()
        .filter(|(user, order)| state.holders.get(user) != Some(order))
        .map(|(user, order)| (*user, *order))
        .collect();
    let unaccounted = state.holders.iter().filter(|(user, _)| !live.contains_key(user));
    let seen: HashMap<_, _> = unaccounted
        .map(|(user, order)| {
            let holder = (*user, *order);
            (holder, suspects.get(&holder).copied().unwrap_or(now))
        })
        .collect();
    let remove = seen.iter().filter(|(_, since)| now.duration_since(**since) >= grace).map(|(h, _)| *h).collect();
    *suspects = seen;
    GateRepair { put, remove, capacity: (state.capacity != capacity).then_some(capacity) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::{Duration, Instant};

    use uuid::Uuid;

    use super::{CALM_PAUSE, CALM_PAUSE_MAX, GateReconciler, compare, pause};
    use crate::domain::SaleSnapshot;
    use crate::gate::{GateRepair, GateState};

    const GRACE: Duration = Duration::from_secs(7);

    #[test]
    fn a_comparison_that_waited_does_not_put_the_next_one_off() {
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(4));
        assert_eq!(pause(short, 10), Duration::from_millis(500), "no more often than that");
        assert_eq!(pause(Duration::from_millis(80), 10), Duration::from_millis(1600), "a twentieth of the time");
        assert_eq!(pause(long, 0), Duration::from_secs(2), "nothing to compare takes no 4 s");
        assert_eq!(pause(long, 1_000_000), Duration::from_secs(80), "a million may");
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn sale(n: u128) -> SaleSnapshot {
        let at = chrono::DateTime::UNIX_EPOCH;
        SaleSnapshot {
            flash_sale_id: id(n),
            product_id: id(n),
            name: String::new(),
            description: String::new(),
            price_in_cents: 1,
            quantity: 10,
            sold: 0,
            live: 0,
            start_date: at,
            end_date: at,
        }
    }

    const NOTHING: GateRepair = GateRepair { put: vec![], remove: vec![], capacity: None };

    /// A reconciler that compared this gate `ago`, which took no time, and found nothing to repair, so many times.
    fn compared(sale: &SaleSnapshot, times: usize, ago: Duration) -> GateReconciler {
        let mut reconciler = GateReconciler::default();
        for _ in 0..times {
            reconciler.done(sale, &NOTHING, usize::try_from(sale.live).unwrap(), Duration::ZERO);
        }
        let turn = reconciler.turns.get_mut(&sale.flash_sale_id).unwrap();
        turn.compared_at = turn.compared_at.checked_sub(ago).unwrap();
        reconciler
    }

    #[test]
    fn a_round_takes_turns_and_new_gates_never_wait() {
        let (first, second, new, ended) = (sale(1), sale(2), sale(3), sale(4));
        let mut reconciler = GateReconciler::default();
        for compared in [&ended, &second, &first] {
            reconciler.done(compared, &NOTHING, 3, Duration::from_millis(1));
        }
        let mut turns = [&first, &new, &second];
        reconciler.begin_round(&mut turns);
        assert_eq!(
            turns.map(|sale| sale.flash_sale_id),
            [new.flash_sale_id, second.flash_sale_id, first.flash_sale_id]
        );
        assert!(!reconciler.turns.contains_key(&ended.flash_sale_id), "an ended sale is forgotten");

        let known = Some((10, 3));
        assert!(!reconciler.can_wait(&new, known), "nobody has compared it yet");
        reconciler.done(&first, &NOTHING, 3, Duration::from_millis(60));
        assert!(reconciler.can_wait(&new, known), "this round's time is spent");
        assert!(!reconciler.can_wait(&new, None), "a gate that is not there is loaded whatever it takes");
        assert!(!reconciler.can_wait(&new, Some((9, 3))), "and so is a changed quantity");
        reconciler.begin_round(&mut turns);
        assert!(!reconciler.can_wait(&new, known), "the next round has time again");
    }

    #[test]
    fn a_gate_is_compared_as_often_as_its_numbers_hint_at_a_difference() {
        let sale = SaleSnapshot { live: 3, ..sale(1) };
        let can_wait = |times, ago, holders| compared(&sale, times, ago).can_wait(&sale, Some((10, holders)));
        let (second, pause) = (Duration::from_secs(1), CALM_PAUSE);
        assert!(!can_wait(1, second, 2), "an order without a token");
        assert!(!can_wait(1, second, 10), "tokens without an order, and the gate is full");
        assert!(can_wait(1, second, 9), "no matter while tokens are free");
        assert!(!can_wait(1, pause, 9), "but not for ever");
        assert!(can_wait(1, second, 3) && !can_wait(1, pause, 3), "as many as there should be");
        assert!(can_wait(2, pause, 3) && !can_wait(2, pause * 2, 3), "found right twice");
        assert!(can_wait(99, CALM_PAUSE_MAX - second, 3) && !can_wait(99, CALM_PAUSE_MAX, 3), "not for ever either");
        let moved = SaleSnapshot { live: 4, ..sale.clone() };
        assert!(!compared(&sale, 9, pause).can_wait(&moved, Some((10, 4))), "it has moved since");
        let mut reconciler = compared(&sale, 9, pause);
        let repair = GateRepair { put: vec![(id(1), id(2))], ..NOTHING };
        reconciler.done(&sale, &repair, 3, Duration::from_millis(1));
        assert_eq!(reconciler.turns[&sale.flash_sale_id].calm_pause, CALM_PAUSE, "it was wrong");
    }

    #[test]
    fn an_unknown_gate_is_loaded_whole() {
        let live = HashMap::from([(id(1), id(11))]);
        let repair = compare(None, &live, 5, &mut HashMap::new(), Instant::now(), GRACE);
        assert_eq!(repair, GateRepair { put: vec![(id(1), id(11))], remove: vec![], capacity: Some(5) });
    }

    #[test]
    fn a_gate_that_equals_the_orders_is_left_alone() {
        let live = HashMap::from([(id(1), id(11))]);
        let state = GateState { capacity: 5, holders: live.clone() };
        assert!(compare(Some(&state), &live, 5, &mut HashMap::new(), Instant::now(), GRACE).is_empty());
    }

    #[test]
    fn a_missing_or_wrong_holder_is_put_at_once() {
        let live = HashMap::from([(id(1), id(11)), (id(2), id(12))]);
        let state = GateState { capacity: 5, holders: HashMap::from([(id(1), id(99))]) };
        let mut repair = compare(Some(&state), &live, 6, &mut HashMap::new(), Instant::now(), GRACE);
        repair.put.sort();
        assert_eq!(
            repair,
            GateRepair { put: vec![(id(1), id(11)), (id(2), id(12))], remove: vec![], capacity: Some(6) }
        );
    }

    #[test]
    fn a_holder_without_order_has_the_grace_to_arrive() {
        let state = GateState { capacity: 5, holders: HashMap::from([(id(1), id(11))]) };
        let (live, mut suspects, start) = (HashMap::new(), HashMap::new(), Instant::now());
        let mut at =
            |after, live: &HashMap<_, _>| compare(Some(&state), live, 5, &mut suspects, start + after, GRACE).remove;
        assert!(at(Duration::ZERO, &live).is_empty());
        assert!(at(GRACE / 2, &live).is_empty());
        assert_eq!(at(GRACE, &live), [(id(1), id(11))]);
    }

    #[test]
    fn a_holder_that_arrived_is_no_suspect_any_more() {
        let state = GateState { capacity: 5, holders: HashMap::from([(id(1), id(11))]) };
        let (mut suspects, start) = (HashMap::new(), Instant::now());
        let arrived = HashMap::from([(id(1), id(11))]);
        for (after, live) in [(Duration::ZERO, HashMap::new()), (GRACE / 2, arrived), (GRACE, HashMap::new())] {
            let repair = compare(Some(&state), &live, 5, &mut suspects, start + after, GRACE);
            assert!(repair.is_empty(), "{repair:?}");
        }
    }
}
