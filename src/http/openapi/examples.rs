//! What is sent and answered when all is well, operation by operation. Answers are made of the handlers' own types by their
//! own functions, so that they cannot go stale; requests are sent to a real API by tests/it/http/document.rs.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, stream};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::Operation;
use uuid::{Uuid, uuid};

use super::JSON;
use crate::app::outcomes::SettledEvent;
use crate::app::sale_board::{SaleView, SalesView};
use crate::app::sessions::SESSION_TIME;
use crate::app::watch_sales::{SaleActivity, SaleReport};
use crate::db::SettledOrder;
use crate::domain::{
    ActivityMinute, ActivitySecond, Attempts, FailureReason, Fairness, OrderStatus, Outcome, PastOrder, QueueState,
    RefusalReason, RefusedAttempts, SaleSnapshot, SaleTally, draw_picture,
};
use crate::http::activity::{SaleActivityView, SaleReportView};
use crate::http::calendar::calendar;
use crate::http::events::{order_event, sales_event};
use crate::http::orders::{FoundOrderView, LiveOrderStatus, OrderHistoryView, OrderView};
use crate::http::report_csv::report_csv;
use crate::http::users::{SessionUserView, SessionView, TokenView, UserView};

const EMAIL: &str = "ada@example.org";
const USER: Uuid = uuid!("0197b3a0-52c4-7d1e-9a64-3f1f0c8e2a10");
const PRODUCT: Uuid = uuid!("0197b3a1-0b7f-7c52-8f0e-6d2b9a41c3d7");
const SALE: Uuid = uuid!("0197b3a1-0b7f-7c52-8f0e-7a90e5b6f412");
const ORDER: Uuid = uuid!("0197b3c8-9e11-7a03-b5d2-41c7f6e80b95");
const NAME: &str = "Brass desk lamp";
const DESCRIPTION: &str = "One of a hundred, numbered.";

/// The examples of an operation, each with what is to be seen in it.
#[derive(Default)]
pub struct Examples {
    requests: Vec<(&'static str, Value)>,
    answers: Vec<(&'static str, Value)>,
}

impl Examples {
    fn request(mut self, summary: &'static str, body: Value) -> Self {
        self.requests.push((summary, body));
        self
    }

    fn answer(mut self, summary: &'static str, body: impl Serialize) -> Self {
        // An example that JSON cannot express would be `null`, which its schema does not allow: tests/openapi.
        self.answers.push((summary, serde_json::to_value(body).unwrap_or_default()));
        self
    }

    /// Answers go to the first media type of the answer that says that all is well.
    pub fn add_to(self, operation: &mut Operation) {
        if let Some(RefOr::T(body)) = &mut operation.request_body
            && let Some(RefOr::T(content)) = body.content.get_mut(JSON)
        {
            content.examples = named(self.requests);
        }
        let mut answers = operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
        if let Some((_, RefOr::T(answer))) = answers.next()
            && let Some(RefOr::T(content)) = answer.content.values_mut().next()
        {
            content.examples = named(self.answers);
        }
    }
}

fn named(examples: Vec<(&'static str, Value)>) -> BTreeMap<String, RefOr<Example>> {
    let named = examples.into_iter().map(|(summary, value)| {
        let example = ExampleBuilder::new().summary(summary).value(Some(value)).build();
        (summary.replace(|character: char| !character.is_alphanumeric(), "_"), example.into())
    });
    named.collect()
}

/// By operation.
pub fn of_handlers() -> BTreeMap<&'static str, Examples> {
    let new = Examples::default;
    let credentials = || new().request("credentials", json!({ "email": EMAIL, "password": "correct horse battery" }));
    let sale_view = || SaleView::at(&sale(0), at(-60));
    BTreeMap::from([
        ("create_user", credentials().answer("registered", UserView { user_id: USER, email: EMAIL.to_owned() })),
        ("authenticate", credentials().answer("signed in", token())),
        ("find_session", session()),
        ("end_session", new()),
        ("list_sales", new().answer("sales", sales())),
        ("find_sale", new().answer("selling", SaleView::at(&sale(37), at(2)))),
        ("create_sale", create_sale().answer("upcoming", sale_view())),
        ("update_sale", update_sale().answer("changed", sale_view())),
        ("end_sale", new().request("sale", json!({ "flash_sale_id": SALE })).answer("ended", ended())),
        ("find_sale_activity", new().answer("selling", activity())),
        ("find_sale_report", new().answer("sold out", report())),
        ("export_sale_report", new().answer("sold out", String::from_utf8_lossy(&report_csv(&report())))),
        ("export_sale_calendar", new().answer("sale", calendar(&sale(0), at(-60)))),
        ("find_picture", new().answer("drawn from the id", draw_picture(PRODUCT))),
        ("put_picture", new()),
        ("delete_picture", new()),
        ("follow_sales", new().answer("first event", sent(sales_event(json!(sales()).to_string().as_bytes())))),
        ("follow_orders", new().answer("settled", sent(order_event(settled())))),
        ("place_order", place_order()),
        ("find_order", find_order()),
        ("list_order_history", new().answer("history", history())),
        ("live", new().answer("alive", "ok\n")),
        ("ready", new().answer("ready", "ready\n")),
        (
            "metrics",
            new().answer("metrics", "# TYPE flashsale_requests_in_flight gauge\nflashsale_requests_in_flight 3\n"),
        ),
    ])
}

/// Minutes after the sale's start.
fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_605) + TimeDelta::hours(12) + TimeDelta::minutes(minutes)
}

fn sale(sold: i32) -> SaleSnapshot {
    SaleSnapshot {
        flash_sale_id: SALE,
        product_id: PRODUCT,
        name: NAME.to_owned(),
        description: DESCRIPTION.to_owned(),
        price_in_cents: 12_900,
        quantity: 100,
        sold,
        live: (sold + 5).min(100),
        start_date: at(0),
        end_date: at(60),
    }
}

fn sales() -> SalesView {
    SalesView { server_time: at(2), sales: vec![SaleView::at(&sale(37), at(2))] }
}

fn ended() -> SaleView {
    SaleView::at(&SaleSnapshot { end_date: at(3), ..sale(37) }, at(3))
}

fn create_sale() -> Examples {
    let of_new_product = json!({
        "name": NAME, "description": DESCRIPTION, "price_in_cents": 12_900,
        "quantity": 100, "start_date": at(0), "end_date": at(60),
    });
    let again = json!({ "product_id": PRODUCT, "quantity": 20, "start_date": at(1440), "end_date": at(1500) });
    Examples::default().request("of a new product", of_new_product).request("of a product that exists", again)
}

fn update_sale() -> Examples {
    let change = json!({ "flash_sale_id": SALE, "quantity": 150, "end_date": at(90) });
    Examples::default().request("more units and time", change)
}

fn token() -> TokenView {
    let token = "header.claims.signature".to_owned();
    TokenView { token, token_type: "Bearer", expires_in: SESSION_TIME.as_secs(), user_id: USER }
}

fn session() -> Examples {
    let user = SessionUserView { user_id: USER, email: EMAIL.to_owned(), is_administrator: false, expires_at: at(60) };
    Examples::default()
        .answer("signed in", SessionView { user: Some(user) })
        .answer("nobody", SessionView { user: None })
}

fn place_order() -> Examples {
    let order = |status| OrderView { order_id: ORDER, user_id: USER, product_id: PRODUCT, status };
    Examples::default()
        .request("one unit", json!({ "product_id": PRODUCT }))
        .answer("in the queue", order(LiveOrderStatus::InProgress))
        .answer("bought, after Prefer: wait", order(LiveOrderStatus::Success))
}

fn find_order() -> Examples {
    let found = |outcome| FoundOrderView::of(&SettledOrder { order_id: ORDER, product_id: PRODUCT, outcome }, USER);
    Examples::default()
        .answer("in the queue", found(None))
        .answer("bought", found(Some(Outcome::Success)))
        .answer("not bought", found(Some(Outcome::Failed(FailureReason::SoldOut))))
}

fn history() -> OrderHistoryView {
    let order = PastOrder {
        order_id: ORDER,
        product_id: PRODUCT,
        flash_sale_id: SALE,
        name: NAME.to_owned(),
        price_in_cents: 12_900,
        status: OrderStatus::Success,
        reason: None,
        accepted_at: at(1),
        settled_at: Some(at(1) + TimeDelta::milliseconds(180)),
    };
    OrderHistoryView { orders: vec![order] }
}

fn settled() -> SettledEvent {
    SettledEvent { order_id: ORDER, outcome: Outcome::Success }
}

/// An event as it stands in its stream.
fn sent(event: Event) -> String {
    let response: Response = Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response();
    // Everything is there already: nothing is waited for.
    let body = response.into_body().collect().now_or_never().and_then(Result::ok);
    body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default()
}

fn attempts(accepted: i64, sold_out: i64) -> Attempts {
    Attempts { accepted, refusals: vec![RefusedAttempts { reason: RefusalReason::SoldOut, attempts: sold_out }] }
}

fn activity() -> SaleActivityView {
    let second = ActivitySecond {
        at: at(2) - TimeDelta::seconds(1),
        attempts: 14,
        accepted: 14,
        refused: 0,
        succeeded: 9,
        failed: 0,
        remaining_stock: 63,
        queue_depth: Some(5),
        queue_oldest_age_s: Some(0.12),
    };
    let queue = QueueState { depth: 5, oldest_age_s: 0.12, drain_rate_per_s: 8.7, dead_letters: 0 };
    let activity = SaleActivity { sale: sale(37), attempts: attempts(42, 0), queue, seconds: vec![second] };
    SaleActivityView::at(activity, at(2))
}

fn report() -> SaleReportView {
    let minute =
        ActivityMinute { minute: at(0), attempts: 640, accepted: 100, refused: 540, succeeded: 100, failed: 0 };
    let fairness = Fairness {
        orders: 100,
        waited_p50_ms: Some(41.0),
        waited_p99_ms: Some(180.5),
        waited_max_ms: Some(212.0),
        overtaken: 3,
        failed_before_later_success: 0,
    };
    let tally =
        SaleTally { balanced: true, sold: 100, in_progress: 0, failed: 0, sold_out_after_ms: Some(4210), fairness };
    let report = SaleReport { sale: sale(100), tally, attempts: attempts(100, 540), minutes: vec![minute] };
    SaleReportView::at(report, at(75))
}
