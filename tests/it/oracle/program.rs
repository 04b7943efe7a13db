//! Programs: random sequences of what customers, administrators, workers and accidents do to the database. Small numbers
//! name everything, so that requests meet each other and a minimal program can be read.

use proptest::collection::vec;
use proptest::prelude::*;

/// Users 0 to 5 are customers; there are no users from here on.
pub const USERS: u8 = 6;
pub const PRODUCTS: u8 = 3;

/// Messages that name no order, written as `jsonb` writes them. The last two look like the id of an order.
pub const POISON: [&str; 10] = [
    "null",
    "7",
    "\"x\"",
    "[\"order_id\"]",
    "{}",
    "{\"order_id\": null}",
    "{\"order_id\": \"x\"}",
    "{\"order_id\": {\"order_id\": \"0190abcd-0000-7000-8000-000000000000\"}}",
    "{\"order_id\": \"0190abcd00007000800000000000000000\"}",
    "{\"order_id\": \" 0190abcd-0000-7000-8000-000000000000\"}",
];

/// A purchase request. It names its order: the same request once more is the retry of a COMMIT whose reply was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub user: u8,
    /// The idempotency key.
    pub key: Option<u8>,
    pub attempt: u8,
}

impl Request {
    /// The number of the order. Sorted otherwise than users are, so that the two orders cannot be confused.
    pub fn order(self, product: u8) -> u64 {
        let key = self.key.map_or(0, |key| u64::from(key) + 1);
        u64::from(self.attempt) * 1_000_000 + key * 10_000 + (99 - u64::from(self.user)) * 100 + u64::from(product)
    }
}

/// How the order of a message breaks the worker that settles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// It cannot be settled, but it can fail as dead-lettered.
    OfSettling,
    /// It cannot even fail.
    OfEverything,
    /// As the first, but an error of the moment that is no fault of the message.
    Passing,
}

/// Sales are numbered as they are made. `order` counts the orders there are, round and round.
#[derive(Clone, Debug)]
pub enum Op {
    Open { product: u8, units: u32, has_intake: bool },
    Announce { product: u8, units: u32 },
    Place { product: u8, requests: Vec<Request> },
    SetQuantity { sale: u8, units: u32 },
    End { sale: u8 },
    Delete { sale: u8 },
    SetDisabled { user: u8, disabled: bool },
    Deliver { order: usize },
    Poison { which: usize },
    Hide { messages: usize },
    Reveal,
    Break { order: usize, defect: Defect },
    Repair,
    Settle { at_most: usize, singly: bool },
}

#[derive(Clone)]
pub struct Step {
    pub op: Op,
    pub rolled_back: bool,
}

/// A line each, also in a list that is printed with `{:#?}`.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rolled_back = if self.rolled_back { ", rolled back" } else { "" };
        write!(f, "{}{rolled_back}", format_args!("{:?}", self.op))
    }
}

/// Whatever can happen, in one session; now and then a batch is placed once more, as after a COMMIT whose reply was lost.
pub fn programs() -> impl Strategy<Value = Vec<Step>> {
    let retry = prop::option::weighted(0.15, any::<prop::sample::Index>());
    let step = (anything(), prop::bool::weighted(0.12), retry);
    (openings(), vec(step, 1..32)).prop_map(|(mut program, steps)| {
        for (op, rolled_back, retry) in steps {
            let placed: Vec<&Op> =
                program.iter().map(|step| &step.op).filter(|op| matches!(op, Op::Place { .. })).collect();
            let op = match retry {
                Some(which) if !placed.is_empty() => (*which.get(&placed)).clone(),
                _ => op,
            };
            program.push(Step { op, rolled_back });
        }
        program
    })
}

/// A queue to settle: orders of three sales, some of them more than there are units, with duplicates and poison.
pub fn full_queues() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![8 => place(), 2 => deliver(), 1 => poison()];
    let lower = vec(quantity(), 0..4);
    (openings(), vec(step, 2..16), lower, vec(prop_oneof![deliver(), poison()], 0..4)).prop_map(
        |(openings, steps, lower, more)| {
            let steps = steps.into_iter().chain(lower).chain(more).map(|op| Step { op, rolled_back: false });
            openings.into_iter().chain(steps).collect()
        },
    )
}

/// What one of several sessions does while the others do the same: place, settle, change the sale.
pub fn sessions(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let op = prop_oneof![12 => place(), 10 => settle(), 2 => quantity(), 1 => end()];
    let step = (op, prop::bool::weighted(0.2)).prop_map(|(op, rolled_back)| Step { op, rolled_back });
    vec(vec(step, 1..12), count)
}

/// What workers do: batches of any size, some of them rolled back.
pub fn workers(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (settle(), prop::bool::weighted(0.3)).prop_map(|(op, rolled_back)| Step { op, rolled_back });
    vec(vec(step, 0..8), count)
}

/// One running sale of each product.
pub fn openings() -> impl Strategy<Value = Vec<Step>> {
    vec(0..8_u32, usize::from(PRODUCTS)).prop_map(|units| {
        let open = |(product, units)| Op::Open { product, units, has_intake: true };
        (0..PRODUCTS).zip(units).map(open).map(|op| Step { op, rolled_back: false }).collect()
    })
}

fn anything() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => place(),
        10 => settle(),
        5 => quantity(),
        2 => end(),
        2 => (0..5_u8).prop_map(|sale| Op::Delete { sale }),
        3 => deliver(),
        2 => poison(),
        1 => (0..PRODUCTS, 0..6_u32, any::<bool>())
            .prop_map(|(product, units, has_intake)| Op::Open { product, units, has_intake }),
        2 => (0..PRODUCTS, 0..6_u32).prop_map(|(product, units)| Op::Announce { product, units }),
        1 => (0..USERS, any::<bool>()).prop_map(|(user, disabled)| Op::SetDisabled { user, disabled }),
        1 => (1..4_usize).prop_map(|messages| Op::Hide { messages }),
        1 => Just(Op::Reveal),
        3 => (0..40_usize, defect()).prop_map(|(order, defect)| Op::Break { order, defect }),
        1 => Just(Op::Repair),
    ]
}

fn place() -> impl Strategy<Value = Op> {
    // Two more than there are users: strangers.
    let request = (0..USERS + 2, prop::option::weighted(0.3, 0..2_u8), 0..2_u8);
    let request = request.prop_map(|(user, key, attempt)| Request { user, key, attempt });
    (0..PRODUCTS, vec(request, 1..8)).prop_map(|(product, requests)| Op::Place { product, requests })
}

fn settle() -> impl Strategy<Value = Op> {
    (1..10_usize, prop::bool::weighted(0.4)).prop_map(|(at_most, singly)| Op::Settle { at_most, singly })
}

fn quantity() -> impl Strategy<Value = Op> {
    (0..4_u8, 0..6_u32).prop_map(|(sale, units)| Op::SetQuantity { sale, units })
}

fn end() -> impl Strategy<Value = Op> {
    (0..5_u8).prop_map(|sale| Op::End { sale })
}

fn deliver() -> impl Strategy<Value = Op> {
    (0..40_usize).prop_map(|order| Op::Deliver { order })
}

fn poison() -> impl Strategy<Value = Op> {
    (0..POISON.len()).prop_map(|which| Op::Poison { which })
}

fn defect() -> impl Strategy<Value = Defect> {
    prop_oneof![Just(Defect::OfSettling), Just(Defect::OfEverything), Just(Defect::Passing)]
}
