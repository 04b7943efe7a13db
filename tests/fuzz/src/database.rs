//! The double of the database: says yes to everything but purchases, which it answers as a target wants, and sees to it
//! that nothing reaches it that the tables would refuse. A refusal there is an answer 500 here.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::postgres::{Value, integer, items, now, some, text, time};

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const FLOAT8: u32 = 701;
const BYTEA_ARRAY: u32 = 1001;
const INT2_ARRAY: u32 = 1005;
const TEXT_ARRAY: u32 = 1009;
const TIME: u32 = 1184;
const VOID: u32 = 2278;
const UUID: u32 = 2950;
const UUID_ARRAY: u32 = 2951;

/// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
pub const NOW: i64 = 946_684_800_000_000;
const TIME_MAX: i64 = 7_289_654_400_000_000 - NOW;
const SALE_COLUMNS: &[u32] = &[UUID, UUID, TEXT, TEXT, INT4, INT4, INT4, INT4, TIME, TIME];

/// An SQL function: what it takes, what it gives, and what it answers.
pub struct Function {
    name: &'static str,
    pub parameters: &'static [u32],
    pub columns: &'static [u32],
    pub call: fn(&[Value]) -> Vec<Vec<Value>>,
}

/// What the double was told last, for targets to compare with what they sent.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// The sale that was created or changed, as a row of `find_sale`.
    pub sale: Option<Vec<Value>>,
    pub idempotency_key: Option<String>,
    pub picture: Option<(String, Vec<u8>)>,
    /// What a claim of an idempotency key is answered; `claimed` unless a target says otherwise.
    pub key_state: Option<&'static str>,
    /// What a purchase is answered, as a number of [`PLACINGS`].
    pub placing: usize,
    /// What a purchase was answered, and its order if there is one.
    pub placed: Option<(&'static Placing, Option<Uuid>)>,
}

/// An answer of `place_orders`.
#[derive(Debug)]
pub struct Placing {
    pub outcome: &'static str,
    order: Whose,
    /// What the caller is answered.
    pub status: u16,
    pub code: &'static str,
}

/// The order that an answer names.
#[derive(Debug)]
enum Whose {
    /// The one that was asked for.
    Own,
    /// One that the user had before.
    Earlier,
    Nobody,
}

const fn placing(outcome: &'static str, order: Whose, status: u16, code: &'static str) -> Placing {
    Placing { outcome, order, status, code }
}

/// Every outcome that is documented (`sql/functions/place_orders.sql`).
pub const PLACINGS: [Placing; 11] = [
    placing("success", Whose::Own, 200, ""),
    placing("in_progress", Whose::Own, 200, ""),
    placing("success", Whose::Earlier, 200, ""),
    placing("in_progress", Whose::Earlier, 200, ""),
    placing("already_purchased", Whose::Own, 400, "already_purchased"),
    placing("already_purchased", Whose::Earlier, 400, "already_purchased"),
    placing("sold_out", Whose::Nobody, 400, "sold_out"),
    placing("sale_not_started", Whose::Nobody, 400, "sale_not_started"),
    placing("sale_ended", Whose::Nobody, 400, "sale_ended"),
    placing("product_not_found", Whose::Nobody, 404, "product_not_found"),
    placing("unknown_user", Whose::Nobody, 401, "unauthorized"),
];

static TOLD: Mutex<Told> =
    Mutex::new(Told { sale: None, idempotency_key: None, picture: None, key_state: None, placing: 0, placed: None });

/// Reads or sets what the double was told.
pub fn told<T>(look: impl FnOnce(&mut Told) -> T) -> T {
    look(&mut TOLD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The function that a statement calls, or the table it reads.
pub fn find_function(sql: &str) -> Option<&'static Function> {
    let names = |name: &str| sql.contains(&format!("{name}(")) || sql.contains(&format!(" from {name} "));
    FUNCTIONS.iter().find(|function| names(function.name))
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "flashsale.is_administrator",
        parameters: &[UUID],
        columns: &[BOOL],
        call: |values| one(vec![some([u8::from(values[0].as_deref() == Some(crate::ADMINISTRATOR.as_bytes()))])]),
    },
    Function {
        name: "flashsale.find_session",
        parameters: &[UUID],
        columns: &[TEXT, BOOL],
        call: |_| one(vec![some("ada@example.org"), some([1])]),
    },
    Function {
        name: "flashsale.find_user_by_email",
        parameters: &[TEXT],
        columns: &[UUID, TEXT, BOOL],
        call: |values| {
            let email = text(&values[0]);
            assert!((3..=254).contains(&email.chars().count()), "{email:?}");
            assert!(!email.chars().any(|c| c.is_control() || c.is_whitespace()), "{email:?}");
            Vec::new()
        },
    },
    Function {
        name: "flashsale.create_sale",
        parameters: &[UUID, UUID, TEXT, TEXT, INT4, INT4, TIME, TIME],
        columns: &[VOID],
        call: |values| {
            keep_sale([values[0].clone(), values[1].clone()], &values[2..]);
            one(vec![some("")])
        },
    },
    Function {
        name: "flashsale.update_sale",
        parameters: &[UUID, TEXT, TEXT, INT4, INT4, TIME, TIME],
        columns: &[BOOL],
        call: |values| {
            keep_sale([values[0].clone(), None], &values[1..]);
            one(vec![some([1])])
        },
    },
    Function { name: "flashsale.end_sale", parameters: &[UUID], columns: &[TEXT], call: |_| one(vec![some("ended")]) },
    Function {
        name: "flashsale.find_sale",
        parameters: &[UUID],
        columns: SALE_COLUMNS,
        call: |values| {
            one(told(|told| told.sale.clone()).unwrap_or_else(|| lamp([values[0].clone(), None], &[const { None }; 6])))
        },
    },
    Function {
        name: "flashsale.list_sales",
        parameters: &[],
        columns: &[UUID, UUID, TEXT, TEXT, INT4, INT4, INT4, INT4, TIME, TIME, TIME],
        call: |_| {
            let mut sale = lamp([some(crate::SALE.as_bytes()), None], &[const { None }; 6]);
            sale.push(now());
            one(sale)
        },
    },
    // No migration is there: not ready.
    Function { name: "public._sqlx_migrations", parameters: &[], columns: &[INT8], call: |_| one(vec![some([0; 8])]) },
    Function { name: "flashsale.live_orders", parameters: &[UUID, UUID], columns: &[UUID, UUID], call: |_| Vec::new() },
    Function {
        name: "flashsale.claim_idempotency_keys",
        parameters: &[TEXT_ARRAY, TEXT_ARRAY, BYTEA_ARRAY, UUID_ARRAY, FLOAT8],
        columns: &[TEXT, INT2, BYTEA],
        call: |values| items(&values[1]).iter().map(claim).collect(),
    },
    Function {
        name: "flashsale.finish_idempotency_keys",
        parameters: &[TEXT_ARRAY, TEXT_ARRAY, UUID_ARRAY, INT2_ARRAY, BYTEA_ARRAY],
        columns: &[VOID],
        call: |_| one(vec![some("")]),
    },
    Function {
        name: "flashsale.place_orders",
        parameters: &[UUID, UUID_ARRAY, UUID_ARRAY, TEXT_ARRAY, TEXT_ARRAY],
        columns: &[TEXT, UUID],
        call: |values| items(&values[1]).into_iter().map(place).collect(),
    },
    Function {
        name: "flashsale.find_orders",
        parameters: &[UUID_ARRAY, UUID_ARRAY],
        columns: &[INT4, UUID, UUID, TEXT, TEXT],
        call: |values| {
            let product = some(crate::PRODUCT.as_bytes());
            let asks = 1..=items(&values[0]).len();
            let row = |ordinal| vec![ordinal, product.clone(), product.clone(), some("failed"), some("sold_out")];
            asks.map(|ask| row(some(i32::try_from(ask).expect("few").to_be_bytes()))).collect()
        },
    },
    Function {
        name: "flashsale.list_order_history",
        parameters: &[UUID, INT4],
        columns: &[UUID, UUID, UUID, TEXT, INT4, TEXT, TEXT, TIME, TIME],
        call: |_| Vec::new(),
    },
    Function {
        name: "flashsale.end_session",
        parameters: &[UUID, TIME],
        columns: &[VOID],
        call: |_| one(vec![some("")]),
    },
    Function {
        name: "flashsale.find_picture",
        parameters: &[UUID],
        columns: &[TEXT, BYTEA, BYTEA],
        call: |_| one(vec![None, None, None]),
    },
    Function {
        name: "flashsale.put_picture",
        parameters: &[UUID, TEXT, BYTEA, BYTEA],
        columns: &[BOOL],
        call: |values| {
            let bytes = values[2].clone().expect("a picture");
            assert!((1..=1024 * 1024).contains(&bytes.len()), "a picture of {} bytes", bytes.len());
            told(|told| told.picture = Some((text(&values[1]).to_owned(), bytes)));
            one(vec![some([1])])
        },
    },
    Function {
        name: "flashsale.delete_picture",
        parameters: &[UUID],
        columns: &[BOOL],
        call: |_| one(vec![some([1])]),
    },
    Function {
        name: "flashsale.count_sale_attempts",
        parameters: &[UUID],
        columns: &[TEXT, INT8],
        call: |_| Vec::new(),
    },
    Function {
        name: "flashsale.find_queue_state",
        parameters: &[],
        columns: &[INT8, FLOAT8, FLOAT8, INT8],
        call: |_| one(vec![some([0; 8]), some([0; 8]), some([0; 8]), some([0; 8])]),
    },
    Function {
        name: "flashsale.list_sale_seconds",
        parameters: &[UUID, INT4],
        columns: &[TIME, INT8, INT8, INT8, INT8, INT8, INT8, FLOAT8],
        call: |_| Vec::new(),
    },
    Function {
        name: "flashsale.list_sale_minutes",
        parameters: &[UUID, INT4],
        columns: &[TIME, INT8, INT8, INT8, INT8],
        call: |_| one(std::iter::once(now()).chain((0..4).map(|_| some([0; 8]))).collect()),
    },
    Function {
        name: "flashsale.find_sale_report",
        parameters: &[UUID],
        columns: &[BOOL, INT8, INT8, INT8, INT8, INT8, FLOAT8, FLOAT8, FLOAT8, INT8, INT8],
        call: |_| {
            let zero = || some([0; 8]);
            one(vec![some([1]), zero(), zero(), zero(), None, zero(), None, None, None, zero(), zero()])
        },
    },
    Function { name: "clock_timestamp", parameters: &[], columns: &[TIME], call: |_| one(vec![now()]) },
];

fn one(row: Vec<Value>) -> Vec<Vec<Value>> {
    vec![row]
}

/// Name, description, price, quantity, start and end as the constraints of the tables want them; null is left alone.
fn keep_sale(ids: [Value; 2], fields: &[Value]) {
    let [name, description, price, quantity, start, end] = fields else { panic!("six fields") };
    if name.is_some() {
        assert!((1..=200).contains(&text(name).chars().count()), "name {name:?}");
    }
    if description.is_some() {
        assert!(text(description).chars().count() <= 2000, "a description that is too long");
    }
    assert!(price.is_none() || integer(price) >= 0, "price {price:?}");
    assert!(quantity.is_none() || (0..=10_000_000).contains(&integer(quantity)), "quantity {quantity:?}");
    for date in [start, end] {
        assert!(date.is_none() || (0..TIME_MAX).contains(&time(date)), "date {date:?}");
    }
    told(|told| told.sale = Some(lamp(ids, fields)));
}

/// A sale as a row of `find_sale`, with these fields where they are not null.
fn lamp([sale, product]: [Value; 2], fields: &[Value]) -> Vec<Value> {
    let field = |at: usize, otherwise: &[u8]| fields[at].clone().or_else(|| some(otherwise));
    let number = |at: usize, otherwise: i32| field(at, &otherwise.to_be_bytes());
    vec![
        sale,
        product.or_else(|| some(crate::PRODUCT.as_bytes())),
        field(0, b"lamp"),
        field(1, b""),
        number(2, 1),
        number(3, 10),
        some(0_i32.to_be_bytes()),
        some(0_i32.to_be_bytes()),
        field(4, &0_i64.to_be_bytes()),
        field(5, &(TIME_MAX - 1).to_be_bytes()),
    ]
}

fn claim(key: &Value) -> Vec<Value> {
    let key = text(key);
    assert!((1..=255).contains(&key.len()), "{key:?}");
    let state = told(|told| {
        told.idempotency_key = Some(key.to_owned());
        told.key_state.unwrap_or("claimed")
    });
    let is_finished = state == "finished";
    vec![
        some(state),
        is_finished.then(|| 200_i16.to_be_bytes().to_vec()),
        is_finished.then(|| b"{\"kept\":true}".to_vec()),
    ]
}

fn place(order: Value) -> Vec<Value> {
    told(|told| {
        let placing = &PLACINGS[told.placing % PLACINGS.len()];
        let order = match placing.order {
            Whose::Own => Some(Uuid::from_slice(order.as_deref().expect("an order id")).expect("a uuid")),
            Whose::Earlier => Some(Uuid::from_u128(0xea)),
            Whose::Nobody => None,
        };
        told.placed = Some((placing, order));
        vec![some(placing.outcome), order.and_then(some)]
    })
}
