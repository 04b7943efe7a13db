//! Invariant 3: what was promised is there, is its user's, and stays as it was told.

use std::collections::HashMap;

use tokio_postgres::Client;
use uuid::Uuid;

use super::{Books, Order};
use crate::harness::history::Answer;
use crate::record::{Ask, Record, Told};

impl Books {
    /// What was answered with 200 exists, is its user's, and is sold. Only an order in progress may fail, and only when
    /// its sale's quantity was lowered.
    pub fn lost_acknowledgements(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let asked = self.first_asked();
        for buy in &self.buys {
            let Answer::Ok { order_id, status } = &buy.answer else { continue };
            let order = self.orders.get(order_id);
            let is_so = order.is_some_and(|order| {
                order.user_id == buy.user_id
                    && (order.status == "success"
                        || (status == "in_progress" && self.may_have_failed(order, asked.get(order_id).copied())))
            });
            if !is_so {
                let (user, found) = (buy.user_id, describe(order));
                wrong.push(format!("3 user {user} was answered 200 {status} with order {order_id}, which is {found}"));
            }
        }
        wrong.extend(self.asks.iter().filter_map(|ask| self.wrong_answer_to_a_question(ask)));
        wrong
    }

    /// Where processes are only stopped gracefully, nobody's order is accepted without an answer.
    pub fn cut_off(&self) -> Vec<String> {
        let mut answers: HashMap<(Uuid, Uuid), Vec<&Answer>> = HashMap::new();
        for buy in &self.buys {
            answers.entry((buy.user_id, buy.product_id)).or_default().push(&buy.answer);
        }
        let is_cut_off = |answer: &&Answer| matches!(answer, Answer::Unknown(why) if why != "hung up");
        let cut_off = self.orders.values().filter_map(|order| {
            let of_order = answers.get(&(order.user_id, order.product_id))?;
            of_order.iter().all(is_cut_off).then(|| format!("3 cut off by a graceful stop: {order:?}, {of_order:?}"))
        });
        cut_off.collect()
    }

    /// When each order that was answered was first asked for.
    fn first_asked(&self) -> HashMap<Uuid, i64> {
        let mut asked = HashMap::new();
        for buy in &self.buys {
            if let Some(order_id) = buy.answer.order_id() {
                let first = asked.entry(order_id).or_insert(buy.sent_us);
                *first = (*first).min(buy.sent_us);
            }
        }
        asked
    }

    fn may_have_failed(&self, order: &Order, asked_us: Option<i64>) -> bool {
        let is_earlier = asked_us.zip(self.lowered_until(order.product_id)).is_some_and(|(asked, until)| asked < until);
        order.status == "failed" && order.reason.as_deref() == Some("sold_out") && is_earlier
    }

    /// `GET /orders` tells what is so: an order that exists, its final state, and never "none" after a 200.
    fn wrong_answer_to_a_question(&self, ask: &Ask) -> Option<String> {
        let (user, told) = (ask.user_id, &ask.told);
        match told {
            Told::Order { order_id, status } => {
                let order = self.orders.get(order_id);
                let is_so = order
                    .is_some_and(|order| order.user_id == user && (status == "in_progress" || order.status == *status));
                (!is_so).then(|| format!("3 user {user} asked and was told {told:?}, the order is {}", describe(order)))
            }
            Told::Failed { order_id, .. } => {
                let order = self.orders.get(order_id);
                let is_so = order.is_some_and(|order| order.user_id == user && order.status == "failed");
                (!is_so).then(|| format!("3 user {user} asked and was told {told:?}, the order is {}", describe(order)))
            }
            Told::NotFound => {
                let promised = self.buys.iter().find(|buy| {
                    buy.user_id == user
                        && buy.product_id == ask.product_id
                        && buy.answered_us < ask.sent_us
                        && buy.answer.order_id().is_some()
                })?;
                Some(format!("3 user {user} asked and was told there is no order, after {:?}", promised.answer))
            }
            Told::Refused { .. } | Told::Unknown(_) => None,
        }
    }

    /// The last change of a quantity that an administrator was answered with 200 is the quantity, unless a later one may
    /// have taken effect too.
    pub fn lost_changes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for sale in &self.sales {
            let changes: Vec<(i64, bool)> = self.changes_of(sale.flash_sale_id).collect();
            let Some(last) = changes.iter().rposition(|(_, acknowledged)| *acknowledged) else { continue };
            let found = self.stock.get(&sale.flash_sale_id).map(|(quantity, _)| *quantity);
            if !changes[last..].iter().any(|(to, _)| Some(*to) == found) {
                let id = sale.flash_sale_id;
                wrong.push(format!(
                    "3 an acknowledged change of sale {id} is lost: {:?}, it has {found:?}",
                    changes[last]
                ));
            }
        }
        wrong
    }

    /// What was sent as poison is among the dead letters, each once; nothing else is.
    pub async fn wrongly_set_aside(&self, database: &Client) -> Option<String> {
        let sent: i64 = self
            .records
            .iter()
            .map(|record| match record {
                Record::Poison { messages } => *messages,
                _ => 0,
            })
            .sum();
        let read = "select count(*), (array_agg(left(message::text, 200)))[:10] from pgmq.q_purchases_dead";
        let row = database.query_one(read, &[]).await.expect("read the dead letters");
        let (dead, shown): (i64, Option<Vec<String>>) = (row.get(0), row.get(1));
        (dead != sent).then(|| format!("3 {dead} messages were set aside, {sent} should have been: {shown:?}"))
    }
}

fn describe(order: Option<&Order>) -> String {
    match order {
        None => "not there".to_owned(),
        Some(order) => format!("{} {} of user {}", order.status, order.reason.as_deref().unwrap_or(""), order.user_id),
    }
}
