//! Invariants 4 and 6: every order was asked for, and one key names one order.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Books;
use crate::harness::history::Answer;
use crate::record::Buy;

/// Refusals that nobody hears whose key has an order already.
const NOT_WITH_A_KEY: [&str; 4] = ["already_purchased", "sold_out", "sale_ended", "sale_not_started"];

impl Books {
    /// Invariant 4: an order was promised, or its user has a purchase of unknown fate. 503 is none: it promises that
    /// nothing was taken. One who waited and was refused with its outcome has a failed order.
    pub fn orders_nobody_asked_for(&self) -> Vec<String> {
        let promised: HashSet<Uuid> = self.buys.iter().filter_map(|buy| buy.answer.order_id()).collect();
        let in_doubt = self.buys.iter().filter(|buy| buy.answer.is_unknown());
        let in_doubt: HashSet<(Uuid, Uuid)> = in_doubt.map(|buy| (buy.user_id, buy.product_id)).collect();
        let is_sold_out = |answer: &Answer| matches!(answer, Answer::Refused { code, .. } if code == "sold_out");
        let told_to_fail = self.buys.iter().filter(|buy| buy.waits && is_sold_out(&buy.answer));
        let told_to_fail: HashSet<(Uuid, Uuid)> = told_to_fail.map(|buy| (buy.user_id, buy.product_id)).collect();
        let unasked = self.orders.iter().filter(|(order_id, order)| {
            let who = (order.user_id, order.product_id);
            let was_refused = order.status == "failed" && told_to_fail.contains(&who);
            !promised.contains(order_id) && !in_doubt.contains(&who) && !was_refused
        });
        unasked
            .map(|(order_id, order)| {
                let answers: Vec<&Answer> =
                    self.buys.iter().filter(|buy| buy.user_id == order.user_id).map(|buy| &buy.answer).collect();
                format!("4 order {order_id} was never answered with 200 and nobody is in doubt: {order:?}, {answers:?}")
            })
            .collect()
    }

    /// Invariant 4 from the other side: nobody is told that they have bought already who has only this one purchase.
    pub fn refused_for_their_own_order(&self) -> Vec<String> {
        let mut others: HashMap<(Uuid, Uuid), Vec<i64>> = HashMap::new();
        for buy in self.buys.iter().filter(|buy| buy.answer.is_unknown() || buy.answer.order_id().is_some()) {
            others.entry((buy.user_id, buy.product_id)).or_default().push(buy.sent_us);
        }
        let is_second = |buy: &Buy| {
            let of_user = others.get(&(buy.user_id, buy.product_id)).into_iter().flatten();
            of_user.copied().any(|sent_us| sent_us < buy.answered_us)
        };
        let told = |buy: &&Buy| matches!(&buy.answer, Answer::Refused { code, .. } if code == "already_purchased");
        let wrong = self.buys.iter().filter(told).filter(|buy| !is_second(buy));
        wrong.map(|buy| format!("4 told that they have bought already, and have not: {buy:?}")).collect()
    }

    /// Invariant 6, the second half: who was answered 200 is not refused when the same key is sent again. An order that
    /// has failed since may be refused as it did.
    pub fn keys_refused_after_their_order(&self) -> Vec<String> {
        let is_wrong = |buy: &&&Buy| matches!(&buy.answer, Answer::Refused { code, .. } if NOT_WITH_A_KEY.contains(&code.as_str()));
        let again = self.bought_again_with_a_key();
        let wrong = again.iter().filter(is_wrong);
        wrong.map(|buy| format!("6 a key that has an order was refused: {buy:?}")).collect()
    }

    /// Purchases that were sent when their key had an order already.
    pub fn bought_again_with_a_key(&self) -> Vec<&Buy> {
        let mut answered: HashMap<(Uuid, Uuid, &str), i64> = HashMap::new();
        for buy in &self.buys {
            let (Some(key), Some(order_id)) = (&buy.key, buy.answer.order_id()) else { continue };
            if self.orders.get(&order_id).is_some_and(|order| order.status != "failed") {
                let first = answered.entry((buy.user_id, buy.product_id, key)).or_insert(buy.answered_us);
                *first = (*first).min(buy.answered_us);
            }
        }
        let is_again = |buy: &&Buy| {
            let of_key = buy.key.as_ref().and_then(|key| answered.get(&(buy.user_id, buy.product_id, key.as_str())));
            of_key.is_some_and(|answered| buy.sent_us > *answered)
        };
        self.buys.iter().filter(is_again).collect()
    }

    /// Invariant 6.
    pub fn keys_with_two_orders(&self) -> Vec<String> {
        let mut orders: HashMap<(Uuid, &str), HashSet<Uuid>> = HashMap::new();
        for buy in &self.buys {
            if let (Some(key), Some(order_id)) = (&buy.key, buy.answer.order_id()) {
                orders.entry((buy.user_id, key)).or_default().insert(order_id);
            }
        }
        let several = orders.into_iter().filter(|(_, ids)| ids.len() > 1);
        several.map(|((user, key), ids)| format!("6 user {user}, key {key}: orders {ids:?}")).collect()
    }
}
