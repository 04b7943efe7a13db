//! Invariant 7 as the clients saw it, by the database's clock, which may be set forward and back while they buy.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Books, ON_ITS_WAY_US};
use crate::harness::history::Answer;
use crate::record::{Buy, Record, SaleRecord};

/// How long an API process may go by the clock the database had before it was set: it asks for the time every 2 s.
const FOLLOWED_WITHIN_US: i64 = 3_000_000;

/// How far the database's clock was ahead of this machine's, over the run.
pub struct Clock {
    /// From when, until when at the latest, and how far.
    spans: Vec<(i64, i64, i64)>,
}

impl Clock {
    pub fn of(records: &[Record]) -> Self {
        let mut spans = vec![(i64::MIN, i64::MAX, 0)];
        for record in records {
            if let Record::Clock { from_us, until_us, offset_s } = record {
                if let Some(last) = spans.last_mut() {
                    last.1 = *until_us;
                }
                spans.push((*from_us, i64::MAX, offset_s * 1_000_000));
            }
        }
        Self { spans }
    }

    fn was_set(&self) -> bool {
        self.spans.len() > 1
    }

    /// The earliest and the latest that the database's clock can have shown between two moments, to one who follows it so
    /// much later.
    pub fn between(&self, from_us: i64, until_us: i64, followed_us: i64) -> (i64, i64) {
        let is_met = |from: i64, until: i64| from <= until_us && until.saturating_add(followed_us) >= from_us;
        let met = self.spans.iter().filter(|(from, until, _)| is_met(*from, *until));
        let (earliest, latest) = met.fold((i64::MAX, i64::MIN), |(earliest, latest), (.., offset)| {
            (earliest.min(from_us + offset), latest.max(until_us + offset))
        });
        (earliest, latest)
    }
}

impl Books {
    /// Who was told that a sale has not started or has ended was told the truth.
    pub fn wrong_refusals_of_the_window(&self) -> Vec<String> {
        let sales: HashMap<Uuid, &SaleRecord> = self.sales.iter().map(|sale| (sale.product_id, sale)).collect();
        let clock = Clock::of(&self.records);
        let is_wrong = |buy: &&Buy| {
            let (Some(sale), Answer::Refused { code, .. }) = (sales.get(&buy.product_id), &buy.answer) else {
                return false;
            };
            let (earliest, latest) = clock.between(buy.sent_us, buy.answered_us, FOLLOWED_WITHIN_US);
            // An answer to a key may be an earlier one given again.
            match code.as_str() {
                "sale_not_started" => buy.key.is_none() && earliest >= sale.start_us,
                "sale_ended" => (buy.key.is_none() || !clock.was_set()) && latest < sale.end_us,
                "product_not_found" => true,
                _ => false,
            }
        };
        self.buys.iter().filter(is_wrong).map(|buy| format!("7 told wrong about the window: {buy:?}")).collect()
    }

    /// Who got an order asked for it, at least once, while the window was open.
    pub fn accepted_outside_the_window(&self) -> Vec<String> {
        let sales: HashMap<Uuid, &SaleRecord> = self.sales.iter().map(|sale| (sale.product_id, sale)).collect();
        let clock = Clock::of(&self.records);
        let mut asked: HashMap<(Uuid, Uuid), bool> = HashMap::new();
        for buy in &self.buys {
            let Some(sale) = sales.get(&buy.product_id) else { continue };
            let late_us = if buy.answer.is_unknown() { ON_ITS_WAY_US } else { 0 };
            let (earliest, latest) = clock.between(buy.sent_us, buy.answered_us + late_us, 0);
            let could_be = latest >= sale.start_us && earliest < sale.end_us;
            *asked.entry((buy.user_id, buy.product_id)).or_default() |= could_be;
        }
        let accepted =
            self.orders.iter().filter(|(_, order)| asked.get(&(order.user_id, order.product_id)) == Some(&false));
        accepted
            .map(|(id, order)| {
                format!("7 order {id} was accepted, though its user only asked outside the window: {order:?}")
            })
            .collect()
    }
}
