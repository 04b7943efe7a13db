//! The world in lines of text, as `database.rs` asks the tables for them.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use super::{Message, Sale, Settled, World};
use crate::oracle::program::POISON;

impl World {
    /// Everything that can be seen, a line each.
    pub fn state(&self) -> Vec<String> {
        let mut lines = vec![format!("settled in all: {}", self.recorded)];
        for (number, sale) in &self.sales {
            let live = if sale.has_intake { self.live(*number).to_string() } else { "-".to_owned() };
            let Sale { product, window, quantity, .. } = sale;
            let sold = self.sold(*number);
            lines.push(format!(
                "sale {number} of product {product}: {window} {quantity} units, {sold} sold, {live} live"
            ));
        }
        for sale in 0..self.sales_ever {
            let (succeeded, failed) = (self.sold(sale), self.count(sale, "failed"));
            if succeeded + failed > 0 {
                lines.push(format!("settlements of sale {sale}: {succeeded} succeeded, {failed} failed"));
            }
        }
        lines.extend(self.orders.iter().map(|(number, order)| format!("order {number}: {}", order.status)));
        for (place, queued) in self.queue.iter().enumerate() {
            let hidden = if queued.is_hidden { " (hidden)" } else { "" };
            lines.push(format!("queue {}: {}{hidden}", place + 1, queued.message));
        }
        let mut dead = BTreeMap::new();
        self.dead.iter().for_each(|letter| *dead.entry(letter).or_insert(0) += 1);
        lines.extend(dead.iter().map(|((reason, message), count)| format!("dead: {reason}: {message}: {count}")));
        lines
    }
}

impl Display for Settled {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { messages, succeeded, failed, duplicates, dead_lettered } = self;
        write!(f, "{messages} {succeeded} {failed} {duplicates} {dead_lettered}")
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Order(number) => write!(f, "order {number}"),
            Self::Poison(which) => f.write_str(POISON[*which]),
        }
    }
}
