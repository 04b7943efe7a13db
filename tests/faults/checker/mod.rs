//! The checker: reads the history of a run and the database, and nothing else. Every invariant it finds broken is a line
//! that begins with the invariant's number. A file for each group of invariants.

mod fairness;
mod orders;
mod promises;
mod stock;
mod strangers;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::books::{Invariant, WHEN_DRAINED, violations_of};
use crate::harness::history::Answer;
use crate::record::{self, Ask, Buy, Record, SaleRecord};

pub use stock::at_every_moment;

/// What has no answer may still be done for so long after its client has given up.
const ON_ITS_WAY_US: i64 = 10_000_000;
/// What is around a blow.
const BUSY_BEFORE_US: i64 = 700_000;
const BUSY_AFTER_US: i64 = 500_000;
const BUSY_PURCHASES: usize = 5;

/// What the checker found, with the figures that are published.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    pub operations: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub unknown: usize,
    pub lost_acknowledgements: usize,
    pub oversells: usize,
    pub duplicates: usize,
    pub unsold_units: i64,
    /// Invariant 10, see `fairness`.
    pub ordered_pairs: usize,
    pub overtaken_pairs: usize,
    pub largest_displacement: usize,
    /// Blows, and how many of them met nothing.
    pub strikes: usize,
    pub missed: usize,
    /// Purchases that were sent with a key that had an order already.
    pub keys_sent_again: usize,
    /// Measured by the strike, each by its name.
    pub figures: BTreeMap<String, i64>,
    pub violations: Vec<String>,
}

#[derive(Debug)]
struct Order {
    user_id: Uuid,
    product_id: Uuid,
    status: String,
    reason: Option<String>,
}

struct Books {
    sales: Vec<SaleRecord>,
    buys: Vec<Buy>,
    asks: Vec<Ask>,
    records: Vec<Record>,
    orders: HashMap<Uuid, Order>,
    /// By sale: quantity now, and units sold by the rows of its orders.
    stock: HashMap<Uuid, (i64, i64)>,
}

/// Checks a run that has been drained. `at_every_moment` is what the monitor looked for too, and `seen` what it found.
pub async fn check(
    history: &Path,
    database: &Client,
    at_every_moment: &[Invariant],
    seen: Vec<String>,
    is_graceful: bool,
) -> Verdict {
    let books = Books::open(record::read(history), database).await;
    let mut verdict = books.figures();
    verdict.violations.extend(seen);
    for invariant in at_every_moment.iter().chain(WHEN_DRAINED) {
        if invariant.name.starts_with("nothing was set aside") {
            continue; // counted below: what was put in as poison has to be there
        }
        verdict.violations.extend(violations_of(database, invariant).await.expect(invariant.name));
    }
    // What the monitor saw and is gone again counts too.
    let count = |begin: &str| verdict.violations.iter().filter(|line| line.starts_with(begin)).count();
    (verdict.oversells, verdict.duplicates) = (count("1 no oversell"), count("2 "));
    verdict.lost_acknowledgements = count("3 settled order ") + count("3 a settled order changed");
    let lost = books.lost_acknowledgements();
    verdict.lost_acknowledgements += lost.len();
    let two_orders = books.keys_with_two_orders();
    verdict.duplicates += two_orders.len();
    let (unsold_units, unsold) = books.unsold();
    verdict.unsold_units = unsold_units;
    let further = [
        lost,
        two_orders,
        books.keys_refused_after_their_order(),
        unsold,
        books.orders_nobody_asked_for(),
        books.refused_for_their_own_order(),
        books.wrong_refusals_of_the_window(),
        books.accepted_outside_the_window(),
        books.lost_changes(),
        books.strangers_who_got_through(),
        books.ended_sessions_that_work(),
        books.guesses_that_got_through(),
        books.broken_promises(),
    ];
    verdict.violations.extend(further.into_iter().flatten());
    verdict.violations.extend(books.wrongly_set_aside(database).await);
    if is_graceful {
        verdict.violations.extend(books.cut_off());
    }
    verdict
}

impl Books {
    async fn open(records: Vec<Record>, database: &Client) -> Self {
        let read = "select order_id, user_id, product_id, status, failure_reason from flashsale.orders";
        let rows = database.query(read, &[]).await.expect("read the orders");
        let order = |row: &tokio_postgres::Row| Order {
            user_id: row.get(1),
            product_id: row.get(2),
            status: row.get(3),
            reason: row.get(4),
        };
        let orders = rows.iter().map(|row| (row.get(0), order(row))).collect();
        let read = "select flash_sale_id, quantity::bigint,
                           (select count(*) from flashsale.orders o
                            where o.flash_sale_id = s.flash_sale_id and o.status = 'success')
                    from flashsale.flash_sales s";
        let rows = database.query(read, &[]).await.expect("read the sales");
        let stock = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let mut books = Self { sales: vec![], buys: vec![], asks: vec![], records: vec![], orders, stock };
        for record in records {
            match record {
                Record::Sale(sale) => books.sales.push(sale),
                Record::Buy(buy) => books.buys.push(buy),
                Record::Ask(ask) => books.asks.push(ask),
                other => books.records.push(other),
            }
        }
        books
    }

    /// Whether purchases were under way around a blow: a blow at a system that does nothing hits nothing.
    fn was_busy_at(&self, at_us: i64) -> bool {
        let around = at_us - BUSY_BEFORE_US..=at_us + BUSY_AFTER_US;
        let taken = |buy: &&Buy| buy.answer.is_unknown() || buy.answer.order_id().is_some();
        self.buys.iter().filter(taken).filter(|buy| around.contains(&buy.sent_us)).count() >= BUSY_PURCHASES
    }

    /// From when a purchase was to be sent to its answer, so that a system that holds up its clients does not look fast.
    fn herd_p99_ms(&self) -> Option<i64> {
        let mut took: Vec<i64> =
            self.buys.iter().filter_map(|buy| Some((buy.answered_us - buy.due_us?) / 1000)).collect();
        took.sort_unstable();
        took.get(took.len() * 99 / 100).copied()
    }

    fn figures(&self) -> Verdict {
        let count = |wanted: fn(&Answer) -> bool| self.buys.iter().filter(|buy| wanted(&buy.answer)).count();
        let fairness = self.fairness();
        let mut verdict = Verdict {
            operations: self.buys.len() + self.asks.len() + self.guesses().count(),
            acknowledged: count(|answer| matches!(answer, Answer::Ok { .. })),
            refused: count(|answer| matches!(answer, Answer::Refused { .. })),
            unknown: count(Answer::is_unknown),
            ordered_pairs: fairness.ordered_pairs,
            overtaken_pairs: fairness.overtaken_pairs,
            largest_displacement: fairness.largest_displacement,
            ..Verdict::default()
        };
        for record in &self.records {
            match record {
                Record::Strike { at_us, hit, needs_purchases, .. } => {
                    verdict.strikes += 1;
                    let is_hit = *hit && (!needs_purchases || self.was_busy_at(*at_us));
                    verdict.missed += usize::from(!is_hit);
                }
                Record::Figure { name, value } => {
                    let known = verdict.figures.entry(name.clone()).or_insert(*value);
                    *known = (*known).max(*value);
                }
                _ => {}
            }
        }
        verdict.figures.extend(self.herd_p99_ms().map(|ms| ("herd_p99_ms".to_owned(), ms)));
        verdict.keys_sent_again = self.bought_again_with_a_key().len();
        if verdict.acknowledged == 0 {
            verdict.violations.push("0 nothing was bought: a history of nothing proves nothing".to_owned());
        }
        verdict
    }
}
