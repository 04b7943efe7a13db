//! Messages that no API has sent, among those of good orders, on a real PostgreSQL: the worker never stops, every good order
//! is settled, every bad message is set aside once, and the books hold.
#![no_main]

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

use arbitrary::{Arbitrary, Unstructured};
use flashsale_fuzz::accepted;
use flashsale_fuzz::queue::Queue;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use uuid::Uuid;

#[derive(Arbitrary, Debug)]
struct Batch<'a> {
    /// Whether the first of the orders cannot be settled.
    poison: bool,
    messages: Vec<Message<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Message<'a> {
    /// JSON as it comes.
    Text(&'a str),
    /// Almost a message: `order_id` is this, with one more member.
    OrderId { id: Id<'a>, name: &'a str, member: Odd<'a> },
    /// A text of this many KiB in the place of the id.
    Long(u8),
    /// Arrays in arrays.
    Deep(u16),
}

#[derive(Arbitrary, Debug)]
enum Id<'a> {
    Order(u8),
    UpperCase(u8),
    Braced(u8),
    Spaced(u8),
    Stranger,
    Odd(Odd<'a>),
}

#[derive(Arbitrary, Debug)]
enum Odd<'a> {
    Null,
    Bool(bool),
    Number(i64),
    Float(f64),
    Exponent(i16),
    Text(&'a str),
    Escape(u16),
    List(Vec<Odd<'a>>),
    Object(Vec<(&'a str, Odd<'a>)>),
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(batch) = Batch::arbitrary(&mut Unstructured::new(bytes)) else { return Corpus::Reject };
    static QUEUE: OnceLock<Mutex<Queue>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| Mutex::new(Queue::start())).lock().expect("one at a time");
    queue.forget();
    let orders = queue.place_orders(&[batch.poison, false, false, false]);
    let good = &orders[usize::from(batch.poison)..];
    let mut bad: BTreeSet<_> =
        orders.iter().filter(|id| !good.contains(id)).flat_map(|id| queue.messages_of(*id)).collect();
    for message in batch.messages.iter().take(32) {
        if let Some((sent, id)) = queue.send(&text_of(message, &orders))
            && !id.is_some_and(|id| names_one_of(good, &id))
        {
            bad.insert(sent);
        }
    }
    queue.settle();
    assert_eq!(queue.dead(), bad, "set aside on the left, bad on the right: {batch:?}");
    queue.check_books();
    accepted()
});

/// Whether this is the id of one of these orders: then the message is one more delivery of it, whatever else is in it.
fn names_one_of(orders: &[Uuid], id: &str) -> bool {
    id.len() == 36 && Uuid::parse_str(id).is_ok_and(|id| orders.contains(&id))
}

fn text_of(message: &Message<'_>, orders: &[Uuid]) -> String {
    match message {
        Message::Text(text) => (*text).to_owned(),
        Message::OrderId { id, name, member } => {
            format!("{{{}: {}, \"order_id\": {}}}", quoted(name), json(member), json_id(id, orders))
        }
        Message::Long(kib) => format!("{{\"order_id\": \"{}\"}}", "x".repeat(usize::from(*kib) * 1024)),
        Message::Deep(depth) => format!("{}{}", "[".repeat(usize::from(*depth)), "]".repeat(usize::from(*depth))),
    }
}

fn json_id(id: &Id<'_>, orders: &[Uuid]) -> String {
    let order = |number: &u8| orders[usize::from(*number) % orders.len()].to_string();
    match id {
        Id::Order(number) => quoted(&order(number)),
        Id::UpperCase(number) => quoted(&order(number).to_uppercase()),
        Id::Braced(number) => quoted(&format!("{{{}}}", order(number))),
        Id::Spaced(number) => quoted(&format!("{}\n", order(number))),
        Id::Stranger => quoted(&Uuid::from_u128(7).to_string()),
        Id::Odd(odd) => json(odd),
    }
}

fn json(odd: &Odd<'_>) -> String {
    match odd {
        Odd::Null => "null".to_owned(),
        Odd::Bool(value) => value.to_string(),
        Odd::Number(value) => value.to_string(),
        Odd::Float(value) => Value::from(*value).to_string(),
        Odd::Exponent(exponent) => format!("-1.5e{exponent}"),
        Odd::Text(text) => quoted(text),
        Odd::Escape(unit) => format!("\"\\u{unit:04x}\""),
        Odd::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Odd::Object(members) => {
            let members: Vec<_> = members.iter().map(|(name, odd)| format!("{}:{}", quoted(name), json(odd))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
