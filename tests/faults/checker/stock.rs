//! Invariants 1, 2, 5 and 9: what every look at the database must find, and that nothing is left on the shelf.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Books, ON_ITS_WAY_US};
use crate::harness::books::{AT_EVERY_MOMENT, Invariant};
use crate::record::Record;

/// Instead of invariant 5 where copies of messages are sent on purpose.
const WITH_DUPLICATES: &[Invariant] = &[
    AT_EVERY_MOMENT[0],
    AT_EVERY_MOMENT[1],
    Invariant {
        name: "5 every order in progress has a queue message at least",
        sql: "select concat_ws(' ', 'order', o.order_id) from flashsale.orders o
              where o.status = 'in_progress' and not exists (
                  select from pgmq.q_purchases m where m.message ->> 'order_id' = o.order_id::text
              )",
    },
    AT_EVERY_MOMENT[3],
];

/// Instead of invariant 1 where a quantity is lowered: orders in progress may then be more than there are units.
const WITH_LOWERED_QUANTITY: &[Invariant] = &[
    Invariant {
        name: "1 no oversell: successful orders <= quantity, and the counter equals the rows",
        sql: "select concat_ws(' ', 'sale', s.flash_sale_id, 'quantity', s.quantity, 'sold', s.sold, 'success', o.success)
              from flashsale.flash_sales s
              cross join lateral (
                  select count(*) as success from flashsale.orders o
                  where o.flash_sale_id = s.flash_sale_id and o.status = 'success'
              ) o
              where o.success > s.quantity or o.success <> s.sold",
    },
    AT_EVERY_MOMENT[1],
    AT_EVERY_MOMENT[2],
    AT_EVERY_MOMENT[3],
];

/// What every look at the database must find, in a run of this kind.
pub const fn at_every_moment(has_duplicates: bool, is_lowered: bool) -> &'static [Invariant] {
    match (has_duplicates, is_lowered) {
        (true, _) => WITH_DUPLICATES,
        (false, true) => WITH_LOWERED_QUANTITY,
        (false, false) => AT_EVERY_MOMENT,
    }
}

impl Books {
    /// The quantities an administrator asked for, and whether the answer was 200.
    pub fn changes_of(&self, sale: Uuid) -> impl Iterator<Item = (i64, bool)> {
        self.timed_changes_of(sale).map(|(to, acknowledged, _)| (to, acknowledged))
    }

    fn timed_changes_of(&self, sale: Uuid) -> impl Iterator<Item = (i64, bool, i64)> {
        self.records.iter().filter_map(move |record| match record {
            Record::Quantity { flash_sale_id, to, acknowledged, answered_us } if *flash_sale_id == sale => {
                Some((*to, *acknowledged, *answered_us))
            }
            _ => None,
        })
    }

    /// Until when the quantity of a product was being lowered: an order that was asked for later has its unit.
    pub fn lowered_until(&self, product_id: Uuid) -> Option<i64> {
        let mut until = None;
        for sale in self.sales.iter().filter(|sale| sale.product_id == product_id) {
            let mut highest = sale.quantity;
            for (to, acknowledged, answered_us) in self.timed_changes_of(sale.flash_sale_id) {
                if to < highest {
                    let late_us = if acknowledged { 0 } else { ON_ITS_WAY_US };
                    until = until.max(Some(answered_us + late_us));
                }
                // A change without an answer may or may not have been made.
                highest = if acknowledged { to } else { highest.max(to) };
            }
        }
        until
    }

    /// Invariant 9: a sale that is open to the end sells all it has, or one unit to everybody who kept trying.
    pub fn unsold(&self) -> (i64, Vec<String>) {
        let gave_up: HashSet<(Uuid, Uuid)> = self
            .records
            .iter()
            .filter_map(|record| match record {
                Record::GaveUp { user_id, product_id } => Some((*user_id, *product_id)),
                _ => None,
            })
            .collect();
        let (mut units, mut wrong) = (0, Vec::new());
        for sale in self.sales.iter().filter(|sale| !sale.ends_in_run) {
            let of_sale = self.buys.iter().filter(|buy| buy.product_id == sale.product_id);
            let tried = of_sale.map(|buy| (buy.user_id, buy.product_id));
            let kept: HashSet<(Uuid, Uuid)> = tried.filter(|who| !gave_up.contains(who)).collect();
            let (quantity, sold) = self.stock.get(&sale.flash_sale_id).copied().unwrap_or_default();
            let wanted = i64::try_from(kept.len()).expect("a number").min(quantity);
            if sold < wanted {
                units += wanted - sold;
                let (id, kept) = (sale.flash_sale_id, kept.len());
                wrong.push(format!("9 sale {id}: {sold} sold of {quantity}, though {kept} people kept trying"));
            }
        }
        (units, wrong)
    }
}
