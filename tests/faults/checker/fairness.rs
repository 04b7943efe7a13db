//! Invariant 10, measured and not judged: pairs where A was answered before B asked, both were accepted, B won and A lost.

use std::collections::HashMap;

use uuid::Uuid;

use super::Books;

/// What overtaking there was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fairness {
    /// Pairs of accepted purchases of one product where one was answered before the other was sent.
    pub ordered_pairs: usize,
    pub overtaken_pairs: usize,
    /// How many overtook the one who was overtaken most.
    pub largest_displacement: usize,
}

#[derive(Default)]
struct Queue {
    /// When the accepted were sent, and those of them who won.
    sent: Vec<i64>,
    won: Vec<i64>,
    answered: Vec<i64>,
    lost: Vec<i64>,
}

impl Books {
    pub fn fairness(&self) -> Fairness {
        let mut queues: HashMap<Uuid, Queue> = HashMap::new();
        for buy in &self.buys {
            let Some(order) = buy.answer.order_id().and_then(|id| self.orders.get(&id)) else { continue };
            let queue = queues.entry(order.product_id).or_default();
            queue.sent.push(buy.sent_us);
            queue.answered.push(buy.answered_us);
            match order.status.as_str() {
                "success" => queue.won.push(buy.sent_us),
                _ => queue.lost.push(buy.answered_us),
            }
        }
        let mut fairness = Fairness::default();
        for queue in queues.values_mut() {
            queue.measure(&mut fairness);
        }
        fairness
    }
}

impl Queue {
    fn measure(&mut self, fairness: &mut Fairness) {
        self.sent.sort_unstable();
        self.won.sort_unstable();
        let later = |times: &[i64], than: i64| times.len() - times.partition_point(|time| *time <= than);
        fairness.ordered_pairs += self.answered.iter().map(|answered| later(&self.sent, *answered)).sum::<usize>();
        for answered in &self.lost {
            let overtook = later(&self.won, *answered);
            fairness.overtaken_pairs += overtook;
            fairness.largest_displacement = fairness.largest_displacement.max(overtook);
        }
    }
}
