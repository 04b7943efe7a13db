//! The checker: reads the history of a run and the database, and nothing else. Every invariant it finds broken is a line
//! that begins with the invariant's number.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::harness::books::{AT_EVERY_MOMENT, Invariant, WHEN_DRAINED, violations_of};
use crate::harness::history::Answer;
use crate::record::{self, Ask, Buy, Record, SaleRecord, Told};

/// Instead of invariant 5 where copies of messages are sent on purpose.
pub const WITH_DUPLICATES: &[Invariant] = &[
    AT_EVERY_MOMENT[0],
    AT_EVERY_MOMENT[1],
    Invariant {
        name: "5 every order in progress has a queue message at least",
        sql: "select concat_ws(' ', 'order', o.order_id) from flashsale.orders o
              where o.status = 'in_progress' and not exists (
                  select from pgmq.q_purchases m where m.message ->> 'order_id' = o.order_id::text
              )",
    },
];

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
    /// Invariant 10, measured: pairs where A was answered before B asked, both were accepted, B won and A lost.
    pub overtaken_pairs: usize,
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

/// Checks a run that has been drained.
pub async fn check(history: &Path, database: &Client, has_duplicates: bool) -> Verdict {
    let books = Books::open(record::read(history), database).await;
    let mut verdict = books.figures();
    let at_every_moment = if has_duplicates { WITH_DUPLICATES } else { AT_EVERY_MOMENT };
    for (number, invariant) in at_every_moment.iter().chain(WHEN_DRAINED).enumerate() {
        if invariant.name.starts_with("nothing was set aside") {
            continue; // counted below: what was put in as poison has to be there
        }
        let found = violations_of(database, invariant).await.expect(invariant.name);
        match number {
            0 => verdict.oversells += found.len(),
            1 => verdict.duplicates += found.len(),
            _ => {}
        }
        verdict.violations.extend(found);
    }
    let lost = books.lost_acknowledgements();
    verdict.lost_acknowledgements = lost.len();
    let two_orders = books.keys_with_two_orders();
    verdict.duplicates += two_orders.len();
    let (unsold_units, unsold) = books.unsold();
    verdict.unsold_units = unsold_units;
    let further = [lost, two_orders, unsold, books.orders_nobody_asked_for(), books.wrong_refusals_of_the_window()];
    verdict.violations.extend(further.into_iter().flatten());
    verdict.violations.extend(books.lost_changes());
    verdict.violations.extend(books.strangers_who_got_through());
    verdict.violations.extend(books.wrongly_set_aside(database).await);
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

    fn figures(&self) -> Verdict {
        let count = |wanted: fn(&Answer) -> bool| self.buys.iter().filter(|buy| wanted(&buy.answer)).count();
        let mut verdict = Verdict {
            operations: self.buys.len() + self.asks.len(),
            acknowledged: count(|answer| matches!(answer, Answer::Ok { .. })),
            refused: count(|answer| matches!(answer, Answer::Refused { .. })),
            unknown: count(Answer::is_unknown),
            overtaken_pairs: self.overtaken_pairs(),
            ..Verdict::default()
        };
        if verdict.acknowledged == 0 {
            verdict.violations.push("0 nothing was bought: a history of nothing proves nothing".to_owned());
        }
        verdict
    }

    /// Invariant 3: what was promised exists, is its user's, and is sold: no quantity is ever lowered here.
    fn lost_acknowledgements(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for buy in &self.buys {
            let Answer::Ok { order_id, status } = &buy.answer else { continue };
            let order = self.orders.get(order_id);
            match order {
                Some(order) if order.user_id == buy.user_id && order.status == "success" => {}
                found => {
                    let (user, found) = (buy.user_id, describe(found));
                    wrong.push(format!(
                        "3 user {user} was answered 200 {status} with order {order_id}, which is {found}"
                    ));
                }
            }
        }
        wrong.extend(self.asks.iter().filter_map(|ask| self.wrong_answer_to_a_question(ask)));
        wrong
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

    /// Invariant 4: an order was promised, or its user has a purchase of unknown fate. 503 is none: it promises that
    /// nothing was taken. One who waited and was refused with its outcome has a failed order.
    fn orders_nobody_asked_for(&self) -> Vec<String> {
        let promised: HashSet<Uuid> = self.buys.iter().filter_map(|buy| buy.answer.order_id()).collect();
        let in_doubt = self.buys.iter().filter(|buy| buy.answer.is_unknown());
        let in_doubt: HashSet<(Uuid, Uuid)> = in_doubt.map(|buy| (buy.user_id, buy.product_id)).collect();
        let told_to_fail = self.buys.iter().filter(|buy| buy.waits && matches!(buy.answer, Answer::Refused { .. }));
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

    /// Invariant 6.
    fn keys_with_two_orders(&self) -> Vec<String> {
        let mut orders: HashMap<(Uuid, &str), HashSet<Uuid>> = HashMap::new();
        for buy in &self.buys {
            if let (Some(key), Some(order_id)) = (&buy.key, buy.answer.order_id()) {
                orders.entry((buy.user_id, key)).or_default().insert(order_id);
            }
        }
        let several = orders.into_iter().filter(|(_, ids)| ids.len() > 1);
        several.map(|((user, key), ids)| format!("6 user {user}, key {key}: orders {ids:?}")).collect()
    }

    /// Invariant 7 as the clients saw it: who was told that a sale has not started or has ended was told the truth. The
    /// clock of this machine is the database's.
    fn wrong_refusals_of_the_window(&self) -> Vec<String> {
        let sales: HashMap<Uuid, &SaleRecord> = self.sales.iter().map(|sale| (sale.product_id, sale)).collect();
        let is_wrong = |buy: &&Buy| {
            let (Some(sale), Answer::Refused { code, .. }) = (sales.get(&buy.product_id), &buy.answer) else {
                return false;
            };
            // An answer to a key may be an earlier one given again.
            match code.as_str() {
                "sale_not_started" => buy.key.is_none() && buy.sent_us >= sale.start_us,
                "sale_ended" => buy.answered_us < sale.end_us,
                "product_not_found" => true,
                _ => false,
            }
        };
        self.buys.iter().filter(is_wrong).map(|buy| format!("7 told wrong about the window: {buy:?}")).collect()
    }

    /// Invariant 9: a sale that is open to the end sells all it has, or one unit to everybody who kept trying.
    fn unsold(&self) -> (i64, Vec<String>) {
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

    /// An administrator's acknowledged change, and an acknowledged account, are there.
    fn lost_changes(&self) -> Vec<String> {
        let is_lost = |record: &&Record| match record {
            Record::Quantity { flash_sale_id, to, acknowledged: true } => {
                self.stock.get(flash_sale_id).is_none_or(|(quantity, _)| quantity != to)
            }
            _ => false,
        };
        self.records
            .iter()
            .filter(is_lost)
            .map(|record| format!("3 an acknowledged change is lost: {record:?}"))
            .collect()
    }

    fn strangers_who_got_through(&self) -> Vec<String> {
        let got_through = |record: &&Record| match record {
            Record::Stranger { status, .. } => !(*status == 0 || *status == 503 || (400..500).contains(status)),
            _ => false,
        };
        let records = self.records.iter().filter(got_through);
        records.map(|record| format!("strangers must be refused: {record:?}")).collect()
    }

    /// What was sent as poison is among the dead letters, each once; nothing else is.
    async fn wrongly_set_aside(&self, database: &Client) -> Option<String> {
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

    fn overtaken_pairs(&self) -> usize {
        let (mut won, mut lost) = (Vec::new(), Vec::new());
        for buy in &self.buys {
            let Some(order) = buy.answer.order_id().and_then(|id| self.orders.get(&id)) else { continue };
            match order.status.as_str() {
                "success" => won.push((order.product_id, buy.sent_us)),
                _ => lost.push((order.product_id, buy.answered_us)),
            }
        }
        let later =
            |(product, answered): &(Uuid, i64)| won.iter().filter(|(p, sent)| p == product && sent > answered).count();
        lost.iter().map(later).sum()
    }
}

fn describe(order: Option<&Order>) -> String {
    match order {
        None => "not there".to_owned(),
        Some(order) => format!("{} {} of user {}", order.status, order.reason.as_deref().unwrap_or(""), order.user_id),
    }
}
