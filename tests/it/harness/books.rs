//! The books: the invariants every run must keep, each a query that returns the offending rows. They know the tables a
//! DBA may rely on and what the clients saw; they call no function and no view of the product.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use tokio_postgres::Client;
use uuid::Uuid;

use super::history::{Answer, History};
use super::http::Http;
use super::stack::{Sale, Stack};
use super::wait::eventually;

const DRAINED_WITHIN: Duration = Duration::from_secs(30);
const GATE_REPAIRED_WITHIN: Duration = Duration::from_secs(30);
const ROWS_SHOWN: usize = 10;

/// A statement that returns no row while the invariant holds.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Invariants 1, 2 and 5: they hold at every moment, whatever is broken. New ones go to the end: others are named by their
/// place.
pub const AT_EVERY_MOMENT: &[Invariant] = &[
    Invariant {
        name: "1 no oversell: orders that are not failed <= quantity, and the counter equals the rows",
        sql: "select concat_ws(' ', 'sale', s.flash_sale_id, 'quantity', s.quantity, 'sold', s.sold,
                               'success', o.success, 'in progress', o.live - o.success)
              from flashsale.flash_sales s
              cross join lateral (
                  select count(*) filter (where o.status = 'success') as success, count(*) as live
                  from flashsale.orders o where o.flash_sale_id = s.flash_sale_id and o.status <> 'failed'
              ) o
              where o.live > s.quantity or o.success <> s.sold",
    },
    Invariant {
        name: "2 one order of a user and product that is not failed",
        sql: "select concat_ws(' ', 'user', user_id, 'product', product_id, 'orders', string_agg(order_id::text, ' '))
              from flashsale.orders where status <> 'failed'
              group by user_id, product_id having count(*) > 1",
    },
    Invariant {
        name: "5 orders in progress and queue messages match one to one",
        sql: "select concat_ws(' ', 'order', coalesce(o.order_id::text, 'none'), 'messages', coalesce(m.messages, 0),
                               'for', m.order_id)
              from (select order_id from flashsale.orders where status = 'in_progress') o
              full join (
                  select message ->> 'order_id' as order_id, count(*) as messages from pgmq.q_purchases group by 1
              ) m on m.order_id = o.order_id::text
              where o.order_id is null or m.messages is distinct from 1",
    },
    Invariant {
        name: "1 the intake counts the orders that are not failed",
        sql: "select concat_ws(' ', 'sale', i.flash_sale_id, 'live', i.live, 'orders', o.live)
              from flashsale.sale_intakes i
              cross join lateral (
                  select count(*) as live from flashsale.orders o
                  where o.flash_sale_id = i.flash_sale_id and o.status <> 'failed'
              ) o
              where i.live <> o.live",
    },
];

/// What holds in addition once the queue is empty.
pub const WHEN_DRAINED: &[Invariant] = &[
    Invariant {
        name: "3 every order is settled, a failed one with a reason",
        sql: "select concat_ws(' ', 'order', order_id, status, coalesce(failure_reason, 'no reason'), settled_at)
              from flashsale.orders
              where status not in ('success', 'failed') or settled_at is null
                  or (status = 'failed') <> (failure_reason is not null)",
    },
    Invariant {
        name: "7 no order was accepted outside the window of its sale",
        sql: "select concat_ws(' ', 'order', o.order_id, 'accepted', o.accepted_at, 'window', s.start_date, s.end_date)
              from flashsale.orders o left join flashsale.flash_sales s on s.flash_sale_id = o.flash_sale_id
              where s.flash_sale_id is null or o.accepted_at < s.start_date or o.accepted_at >= s.end_date",
    },
    Invariant {
        name: "every order is of a user and a sale of its product that exist",
        sql: "select concat_ws(' ', 'order', o.order_id, 'user', o.user_id, 'sale', o.flash_sale_id)
              from flashsale.orders o
              left join flashsale.users u on u.user_id = o.user_id
              left join flashsale.flash_sales s on s.flash_sale_id = o.flash_sale_id and s.product_id = o.product_id
              where u.user_id is null or s.flash_sale_id is null",
    },
    Invariant { name: "nothing was set aside", sql: "select left(message::text, 300) from pgmq.q_purchases_dead" },
];

/// The offending rows of one invariant, each as a line.
pub async fn violations_of(client: &Client, invariant: &Invariant) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = client.query(invariant.sql, &[]).await?;
    Ok(rows.iter().map(|row| format!("{}: {}", invariant.name, row.get::<_, &str>(0))).collect())
}

/// One sale, what its clients saw, and the database.
pub struct Books<'a> {
    pub stack: &'a Stack,
    pub sale: &'a Sale,
    pub history: &'a History,
    /// Whether the quantity was lowered below what was queued: only then may an accepted order fail.
    pub was_lowered: bool,
}

impl<'a> Books<'a> {
    pub const fn new(stack: &'a Stack, sale: &'a Sale, history: &'a History) -> Self {
        Self { stack, sale, history, was_lowered: false }
    }

    /// Waits until the queue is drained, then checks every invariant. One failure prints all that is wrong.
    pub async fn check(&self) {
        self.stack.wait_until_drained(DRAINED_WITHIN).await;
        let database = self.stack.database().await;
        assert!(!self.history.attempts.is_empty(), "a history of nothing proves nothing");
        let mut wrong = Vec::new();
        for invariant in AT_EVERY_MOMENT.iter().chain(WHEN_DRAINED) {
            wrong.extend(violations_of(&database, invariant).await.expect(invariant.name));
        }
        let orders = Orders::of(&database, self.sale).await;
        wrong.extend(self.broken_promises(&orders));
        wrong.extend(self.orders_nobody_asked_for(&orders));
        wrong.extend(
            self.history.keys_with_two_orders().into_iter().map(|line| format!("6 one key, one order: {line}")),
        );
        wrong.extend(self.unsold(&orders));
        eprintln!("fairness: {}", self.fairness(&orders));
        assert!(wrong.is_empty(), "{}", self.report(&wrong, &orders));
        self.wait_until_gate_is_balanced(&database).await;
    }

    /// Invariant 3: every id that was answered with 200 is an order of that user, and settled.
    fn broken_promises(&self, orders: &Orders) -> Vec<String> {
        let mut wrong = Vec::new();
        for attempt in &self.history.attempts {
            let Answer::Ok { order_id, status } = &attempt.answer else { continue };
            match orders.by_id.get(order_id) {
                None => wrong.push(format!("3 order {order_id} was answered with 200 and does not exist")),
                Some(order) if order.user_id != attempt.user_id => {
                    wrong.push(format!("3 order {order_id} was promised to {} and is {order:?}", attempt.user_id));
                }
                Some(order) if status == "success" && order.status != "success" => {
                    wrong.push(format!("3 order {order_id} was answered with success and is {order:?}"));
                }
                Some(order) if order.status == "failed" && !self.was_lowered => {
                    wrong.push(format!(
                        "3 order {order_id} was accepted and failed, though no unit was withdrawn: {order:?}"
                    ));
                }
                Some(order) if order.status == "failed" && order.reason.as_deref() != Some("sold_out") => {
                    wrong.push(format!(
                        "3 order {order_id} failed for another reason than its user was told: {order:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        wrong
    }

    /// Invariant 4: an order was promised, or its user has a request whose fate is unknown. A 503 is no such request:
    /// it promises that nothing was taken.
    fn orders_nobody_asked_for(&self, orders: &Orders) -> Vec<String> {
        let promised: HashSet<Uuid> = self.history.promised().into_iter().collect();
        let in_doubt = self.history.users_with(Answer::is_unknown);
        let unasked = orders
            .by_id
            .iter()
            .filter(|(order_id, order)| !promised.contains(order_id) && !in_doubt.contains(&order.user_id));
        unasked
            .map(|(order_id, order)| {
                let attempts = self.history.attempts.iter().filter(|attempt| attempt.user_id == order.user_id);
                let answers: Vec<_> = attempts.map(|attempt| &attempt.answer).collect();
                format!("4 order {order_id} has no request answered 200 or unanswered: {order:?}, answers {answers:?}")
            })
            .collect()
    }

    /// Invariant 9: when drained, sold = min(quantity, users that tried).
    fn unsold(&self, orders: &Orders) -> Option<String> {
        let sold = orders.by_id.values().filter(|order| order.status == "success").count();
        let wanted = self.history.users().len().min(usize::try_from(self.sale.quantity).expect("a quantity"));
        (sold != wanted).then(|| format!("9 undersell: {sold} sold, {wanted} could have been"))
    }

    /// Invariant 10, measured: pairs where A was answered before B asked, both were accepted, B won and A lost.
    fn fairness(&self, orders: &Orders) -> String {
        let mut won = Vec::new();
        let mut lost = Vec::new();
        for attempt in &self.history.attempts {
            let Some(order) = attempt.answer.order_id().and_then(|id| orders.by_id.get(&id)) else { continue };
            match order.status.as_str() {
                "success" => won.push(attempt.sent_at),
                _ => lost.push(attempt.answered_at),
            }
        }
        won.sort_unstable();
        let overtaken = |answered_at: &Duration| won.len() - won.partition_point(|sent_at| sent_at <= answered_at);
        let pairs: usize = lost.iter().map(overtaken).sum();
        let largest = lost.iter().map(overtaken).max().unwrap_or_default();
        format!(
            "{} won, {} lost after a 200; {pairs} pairs overtaken, largest displacement {largest}",
            won.len(),
            lost.len()
        )
    }

    fn report(&self, wrong: &[String], orders: &Orders) -> String {
        let mut kinds: HashMap<&str, usize> = HashMap::new();
        let mut text = format!("the books of {:?} do not balance, {} findings:\n", self.sale, wrong.len());
        for line in wrong {
            let shown = kinds.entry(line.split(' ').next().unwrap_or_default()).or_default();
            *shown += 1;
            if *shown <= ROWS_SHOWN {
                writeln!(text, "  {line}").expect("write to a string");
            }
        }
        let mut by_status: HashMap<String, usize> = HashMap::new();
        for order in orders.by_id.values() {
            *by_status.entry(format!("{} {}", order.status, order.reason.as_deref().unwrap_or(""))).or_default() += 1;
        }
        format!("{text}orders: {by_status:?}\nanswers: {:#?}", self.history.summary())
    }

    /// Invariant 8, with the queue empty: gate + sold = quantity, once the reconciler has been by.
    async fn wait_until_gate_is_balanced(&self, database: &Client) {
        eventually("8 the gate is balanced: its tokens + queued + sold = quantity", GATE_REPAIRED_WITHIN, async || {
            let row = database
                .query_one(
                    "select (select count(*) from pgmq.q_purchases where message ->> 'flash_sale_id' = $1::uuid::text),
                            (select count(*) from flashsale.orders where flash_sale_id = $1 and status = 'success')",
                    &[&self.sale.flash_sale_id],
                )
                .await
                .map_err(|error| error.to_string())?;
            let (queued, sold): (i64, i64) = (row.get(0), row.get(1));
            for (gate, tokens) in tokens_in_gates(self.stack, self.sale).await? {
                if tokens + queued + sold != self.sale.quantity {
                    let quantity = self.sale.quantity;
                    return Err(format!(
                        "{gate}: {tokens} tokens + {queued} queued + {sold} sold, quantity {quantity}"
                    ));
                }
            }
            Ok::<_, String>(())
        })
        .await;
    }
}

/// The free tokens of every gate there is: the one in Redis, or one in each API process.
pub async fn tokens_in_gates(stack: &Stack, sale: &Sale) -> Result<Vec<(String, i64)>, String> {
    if let Some(redis) = &stack.redis {
        return Ok(vec![("redis".to_owned(), tokens_in_redis(redis, sale).await?)]);
    }
    if let Some(set) = &stack.redis_set {
        let mut master = set.connect_to_master_of(&capacity_key(sale)).await?;
        return Ok(vec![("the master".to_owned(), tokens_behind(&mut master, sale).await?)]);
    }
    let mut gates = Vec::new();
    for api in &stack.apis {
        gates.push((api.process.name.clone(), tokens_in_process(api.http, sale).await?));
    }
    Ok(gates)
}

/// What a sale's gate in Redis has left: its capacity without its holders.
pub async fn tokens_in_redis(redis: &super::redis::RedisServer, sale: &Sale) -> Result<i64, String> {
    let mut connection = redis.try_connect().await.map_err(|error| error.to_string())?;
    tokens_behind(&mut connection, sale).await
}

pub fn capacity_key(sale: &Sale) -> String {
    format!("flashsale:{{{}}}:capacity", sale.flash_sale_id)
}

async fn tokens_behind(connection: &mut MultiplexedConnection, sale: &Sale) -> Result<i64, String> {
    let key = capacity_key(sale);
    let capacity: Option<i64> = connection.get(&key).await.map_err(|error| error.to_string())?;
    let holders = format!("flashsale:{{{}}}:holders", sale.flash_sale_id);
    let holders: i64 = connection.hlen(holders).await.map_err(|error| error.to_string())?;
    capacity.map(|capacity| capacity - holders).ok_or_else(|| format!("redis has no key {key}"))
}

/// What the gate inside an API process has left, by its metrics.
pub async fn tokens_in_process(http: Http, sale: &Sale) -> Result<i64, String> {
    let metrics = http.get("/metrics").try_send().await.map_err(|error| error.to_string())?.text();
    let wanted = format!("flashsale_gate_tokens{{flash_sale_id=\"{}\"}} ", sale.flash_sale_id);
    let line =
        metrics.lines().find_map(|line| line.strip_prefix(&wanted)).ok_or_else(|| format!("no metric {wanted}"))?;
    line.trim().parse::<f64>().map(|tokens| tokens as i64).map_err(|error| format!("{line}: {error}"))
}

/// How many purchases the API processes have put to the database. The rest was answered by the gate and the sold-out latch.
pub async fn purchases_the_database_was_asked(stack: &Stack) -> u64 {
    let mut asked = 0;
    for api in &stack.apis {
        let metrics = api.http.get("/metrics").send().await.expect(200).text();
        let sum = metrics.lines().find_map(|line| line.strip_prefix("flashsale_place_orders_batch_size_sum "));
        asked += sum.and_then(|sum| sum.parse::<f64>().ok()).map_or(0, |sum| sum as u64);
    }
    assert!(asked > 0, "the metrics tell of no purchase");
    asked
}

#[derive(Debug)]
struct Order {
    user_id: Uuid,
    status: String,
    reason: Option<String>,
}

struct Orders {
    by_id: HashMap<Uuid, Order>,
}

impl Orders {
    async fn of(database: &Client, sale: &Sale) -> Self {
        let rows = database
            .query(
                "select order_id, user_id, status, failure_reason from flashsale.orders where flash_sale_id = $1",
                &[&sale.flash_sale_id],
            )
            .await
            .expect("read the orders of the sale");
        let order = |row: &tokio_postgres::Row| Order { user_id: row.get(1), status: row.get(2), reason: row.get(3) };
        Self { by_id: rows.iter().map(|row| (row.get(0), order(row))).collect() }
    }
}
