//! The specification: what placing and settling must do, as a state machine that fits on a few screens and knows no SQL.
//! Nothing is counted here: what is sold and what is live follows from the orders, so a counter has nothing to drift from.
//! Answers and states are lines of text (`lines.rs`); the database is asked for the same lines (`database.rs`).

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use super::program::{Defect, Op, Request, USERS};

#[derive(Clone, Debug, Default)]
pub struct World {
    disabled: BTreeSet<u8>,
    sales: BTreeMap<u8, Sale>,
    pub sales_ever: u8,
    orders: BTreeMap<u64, Order>,
    queue: Vec<Queued>,
    /// Messages set aside, with the reason.
    dead: Vec<(&'static str, Message)>,
    /// What `settled_batches` adds up to.
    recorded: Settled,
}

#[derive(Clone, Debug)]
struct Sale {
    product: u8,
    window: &'static str,
    quantity: u32,
    /// Without an intake nobody is turned away at the door: settling alone decides.
    has_intake: bool,
}

#[derive(Clone, Debug)]
struct Order {
    product: u8,
    request: Request,
    sale: u8,
    status: &'static str,
    defect: Option<Defect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Order(u64),
    Poison(usize),
}

#[derive(Clone, Debug)]
struct Queued {
    message: Message,
    is_hidden: bool,
}

/// What became of messages. The first is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub messages: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub duplicates: i64,
    pub dead_lettered: i64,
}

const IN_PROGRESS: &str = "in_progress";
const SUCCESS: &str = "success";
const SOLD_OUT: &str = "failed sold_out";
const DEAD_LETTERED: &str = "failed dead_lettered";

impl World {
    /// Does what the operation does and says what it answers, a line a row.
    pub fn apply(&mut self, op: &Op) -> Vec<String> {
        let word = match op {
            Op::Place { product, requests } => return self.place(*product, requests),
            Op::Settle { at_most, singly } => match self.settle(*at_most, *singly) {
                Ok(settled) => return vec![settled.to_string()],
                Err(_) => return vec!["refused: a defect".to_owned()],
            },
            Op::Open { product, units, has_intake } => self.create(*product, "open", *units, *has_intake),
            Op::Announce { product, units } => self.create(*product, "upcoming", *units, true),
            Op::SetQuantity { sale, units } => self.set_quantity(*sale, *units),
            Op::End { sale } => self.end(*sale),
            Op::Delete { sale } => self.sales.remove(sale).map_or("sale_not_found", |_| "deleted"),
            Op::SetDisabled { user, disabled: true } => {
                self.disabled.insert(*user);
                "done"
            }
            Op::SetDisabled { user, disabled: false } => {
                self.disabled.remove(user);
                "done"
            }
            Op::Deliver { order } => self.send(Message::Order(self.pick(*order))),
            Op::Poison { which } => self.send(Message::Poison(*which)),
            Op::Hide { messages } => {
                let visible = self.queue.iter_mut().filter(|queued| !queued.is_hidden);
                visible.take(*messages).for_each(|queued| queued.is_hidden = true);
                "done"
            }
            Op::Reveal => {
                self.queue.iter_mut().for_each(|queued| queued.is_hidden = false);
                "done"
            }
            Op::Break { order, defect } => {
                let order = self.pick(*order);
                if let Some(order) = self.orders.get_mut(&order) {
                    order.defect = Some(*defect);
                }
                "done"
            }
            Op::Repair => {
                self.orders.values_mut().for_each(|order| order.defect = None);
                "done"
            }
        };
        vec![word.to_owned()]
    }

    /// The number of an order there is; of none there is while there is none.
    pub fn pick(&self, which: usize) -> u64 {
        let count = self.orders.len().max(1);
        self.orders.keys().nth(which % count).copied().unwrap_or(999_999)
    }

    fn create(&mut self, product: u8, window: &'static str, quantity: u32, has_intake: bool) -> &'static str {
        if self.sales_of(product).any(|sale| sale.window == window) {
            return "refused: no_overlapping_windows_of_one_product";
        }
        self.sales.insert(self.sales_ever, Sale { product, window, quantity, has_intake });
        self.sales_ever += 1;
        "done"
    }

    fn set_quantity(&mut self, number: u8, units: u32) -> &'static str {
        let sold = self.sold(number);
        match self.sales.get_mut(&number) {
            None => "sale_not_found",
            Some(_) if units < sold => "refused: no_oversell",
            Some(sale) => {
                sale.quantity = units;
                "done"
            }
        }
    }

    fn end(&mut self, number: u8) -> &'static str {
        match self.sales.get_mut(&number) {
            None => "sale_not_found",
            Some(sale) if sale.window != "open" => "sale_not_active",
            Some(sale) => {
                sale.window = "ended";
                "ended"
            }
        }
    }

    fn send(&mut self, message: Message) -> &'static str {
        self.queue.push(Queued { message, is_hidden: false });
        "done"
    }

    // Placing: a request becomes an order, or is told why not.

    fn place(&mut self, product: u8, requests: &[Request]) -> Vec<String> {
        let open = self.sales.iter().find(|(_, sale)| sale.product == product && sale.window == "open");
        let open = open.map(|(number, _)| *number);
        let refusal = match open {
            None => Some(self.why_closed(product)),
            Some(sale) if self.free(sale) == 0 => Some("sold_out"),
            Some(_) => None,
        };
        if let (Some(sale), None) = (open, refusal) {
            self.admit(product, sale, requests);
        }
        requests.iter().map(|request| self.answer(product, *request, refusal)).collect()
    }

    /// Of each user the first request of the batch, unless the user has the product or the order was placed before;
    /// as many as there are units, who came first; queued in the order of their numbers.
    fn admit(&mut self, product: u8, sale: u8, requests: &[Request]) {
        let mut users = BTreeSet::new();
        let admitted: Vec<Request> = requests
            .iter()
            .filter(|request| users.insert(request.user))
            .filter(|request| self.is_customer(request.user) && self.live_order(product, request.user).is_none())
            .filter(|request| !self.orders.contains_key(&request.order(product)))
            .take(self.free(sale))
            .copied()
            .collect();
        let placed: BTreeMap<u64, Request> = admitted.into_iter().map(|r| (r.order(product), r)).collect();
        for (number, request) in placed {
            self.orders.insert(number, Order { product, request, sale, status: IN_PROGRESS, defect: None });
            self.send(Message::Order(number));
        }
    }

    /// Told the same however often it is asked: an order that lives comes before any refusal.
    fn answer(&self, product: u8, request: Request, refusal: Option<&str>) -> String {
        let mine = request.order(product);
        match self.live_order(product, request.user) {
            Some((number, order)) if order.status == IN_PROGRESS => format!("in_progress {number}"),
            Some((number, order)) if request.key.is_some() && order.request.key == request.key => {
                format!("success {number}")
            }
            Some((number, _)) => format!("already_purchased {number}"),
            None if self.orders.contains_key(&mine) => format!("in_progress {mine}"),
            None => match refusal {
                Some(refusal) => format!("{refusal} -"),
                None if self.is_customer(request.user) => "sold_out -".to_owned(),
                None => "unknown_user -".to_owned(),
            },
        }
    }

    fn why_closed(&self, product: u8) -> &'static str {
        let windows: Vec<&str> = self.sales_of(product).map(|sale| sale.window).collect();
        match windows.is_empty() {
            true => "product_not_found",
            false if windows.contains(&"upcoming") => "sale_not_started",
            false => "sale_ended",
        }
    }

    // Settling: message by message, in the order of the queue; so it cannot matter how the queue is cut into batches.

    /// Takes up to `at_most` messages and settles all of them, or none. Singly, a message whose order has a defect is
    /// set aside instead.
    pub fn settle(&mut self, at_most: usize, singly: bool) -> Result<Settled, Defect> {
        let mut after = self.clone();
        let visible = after.queue.iter().filter(|queued| !queued.is_hidden).map(|queued| queued.message);
        let messages: Vec<Message> = visible.take(at_most).collect();
        let mut left = messages.len();
        after.queue.retain(|queued| {
            let taken = !queued.is_hidden && left > 0;
            left -= usize::from(taken);
            !taken
        });
        let mut answer = Settled::default();
        for message in messages {
            match after.settle_one(message) {
                Ok(settled) => {
                    answer.add(settled);
                    after.recorded.add(settled);
                }
                Err(defect) if !singly || defect == Defect::Passing => return Err(defect),
                Err(_) => answer.add(after.set_aside(message)),
            }
        }
        *self = after;
        Ok(answer)
    }

    fn settle_one(&mut self, message: Message) -> Result<Settled, Defect> {
        let Message::Order(number) = message else { return Ok(self.bury("malformed_message", message)) };
        let Some(order) = self.orders.get(&number) else { return Ok(self.bury("unknown_order", message)) };
        let Some(sale) = self.sales.get(&order.sale) else {
            self.decide(number, DEAD_LETTERED)?;
            return Ok(self.bury("unknown_sale", message));
        };
        if order.status != IN_PROGRESS {
            return Ok(Settled { messages: 1, duplicates: 1, ..Settled::default() });
        }
        let has_unit = self.sold(order.sale) < sale.quantity;
        self.decide(number, if has_unit { SUCCESS } else { SOLD_OUT })?;
        let succeeded = i64::from(has_unit);
        Ok(Settled { messages: 1, succeeded, failed: 1 - succeeded, ..Settled::default() })
    }

    /// A settled order never changes.
    fn decide(&mut self, number: u64, status: &'static str) -> Result<(), Defect> {
        let Some(order) = self.orders.get_mut(&number).filter(|order| order.status == IN_PROGRESS) else {
            return Ok(());
        };
        match order.defect {
            Some(defect) if defect == Defect::OfEverything || status != DEAD_LETTERED => return Err(defect),
            _ => order.status = status,
        }
        Ok(())
    }

    /// An order that cannot even fail stays in progress for a person to look at.
    fn set_aside(&mut self, message: Message) -> Settled {
        if let Message::Order(number) = message {
            let _stays_in_progress = self.decide(number, DEAD_LETTERED);
        }
        self.bury("settle_failed", message)
    }

    fn bury(&mut self, reason: &'static str, message: Message) -> Settled {
        self.dead.push((reason, message));
        Settled { messages: 1, dead_lettered: 1, ..Settled::default() }
    }

    // What follows from the orders.

    fn sales_of(&self, product: u8) -> impl Iterator<Item = &Sale> {
        self.sales.values().filter(move |sale| sale.product == product)
    }

    fn is_customer(&self, user: u8) -> bool {
        user < USERS && !self.disabled.contains(&user)
    }

    fn live_order(&self, product: u8, user: u8) -> Option<(&u64, &Order)> {
        let is_live = |order: &Order| order.status == IN_PROGRESS || order.status == SUCCESS;
        self.orders.iter().find(|(_, order)| order.product == product && order.request.user == user && is_live(order))
    }

    fn count(&self, sale: u8, status: &str) -> u32 {
        let orders = self.orders.values().filter(|order| order.sale == sale && order.status.starts_with(status));
        u32::try_from(orders.count()).expect("few orders")
    }

    fn sold(&self, sale: u8) -> u32 {
        self.count(sale, SUCCESS)
    }

    fn live(&self, sale: u8) -> u32 {
        self.sold(sale) + self.count(sale, IN_PROGRESS)
    }

    fn free(&self, number: u8) -> usize {
        match self.sales.get(&number) {
            Some(sale) if sale.has_intake => sale.quantity.saturating_sub(self.live(number)) as usize,
            _ => usize::MAX,
        }
    }
}

impl Settled {
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.duplicates += other.duplicates;
        self.dead_lettered += other.dead_lettered;
    }
}
