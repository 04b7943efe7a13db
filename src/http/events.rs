//! Server-sent events: the sales as they change, and the outcomes of the caller's own orders.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};

use super::auth::{self, Caller};
use super::problem::Problem;
use super::state::Api;
use crate::app::outcomes::SettledEvent;
use crate::app::sessions::Session;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Events = BoxStream<'static, Result<Event, Infallible>>;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// With the outcomes of the caller's own orders, so that a page needs one connection.
    #[serde(default)]
    orders: bool,
}

/// The sales, now and whenever something in them changes: events `sales` with the body of `GET /sales`. With `orders=true`
/// the events of `GET /orders/events` too, for who is signed in.
#[utoipa::path(get, path = "/sales/events", tag = "sales", params(EventsQuery),
    security((), ("bearer" = []), ("cookie" = [])), responses(
        (status = 200, description = "a stream of events", content(("text/event-stream"))),
    ))]
pub async fn follow_sales(
    State(api): State<Api>,
    Query(query): Query<EventsQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    if !api.board.is_ready() {
        return Err(Problem::unavailable());
    }
    if !query.orders {
        return Ok(until_stopped(&api, sales(&api)));
    }
    let session = auth::session(&method, &headers, &api)?;
    Ok(until_stopped(&api, both(sales(&api), orders(&api, &session))))
}

/// The outcomes of the caller's orders from now on: events `order` with `{order_id, outcome}`.
#[utoipa::path(get, path = "/orders/events", tag = "orders", security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "a stream of events", content(("text/event-stream"))),
    ))]
pub async fn follow_orders(
    State(api): State<Api>,
    Caller(session): Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    until_stopped(&api, orders(&api, &session))
}

fn sales(api: &Api) -> Events {
    let mut changes = api.board.changes();
    // The stream begins with what is on the board now, however old the last change is.
    changes.mark_changed();
    let api = api.clone();
    let events = WatchStream::from_changes(changes).map(move |_| {
        // As it was rendered last, not as of the change: readers set their clocks by its time.
        let board = api.board.current();
        Ok(sales_event(&board.body))
    });
    events.boxed()
}

fn orders(api: &Api, session: &Session) -> Events {
    let following = api.outcomes.follow(session.user_id, session.session_id);
    ReceiverStream::new(following).map(|settled| Ok(order_event(settled))).boxed()
}

/// `body` is that of `GET /sales`.
pub fn sales_event(body: &[u8]) -> Event {
    Event::default().event("sales").data(String::from_utf8_lossy(body))
}

pub fn order_event(settled: SettledEvent) -> Event {
    let data = serde_json::json!({ "order_id": settled.order_id, "outcome": settled.outcome.code() });
    Event::default().event("order").data(data.to_string())
}

/// Both streams as one that ends with the first of them: an end of the outcomes says that some may have been missed, and
/// the reader has to come back to ask for them.
fn both(one: Events, other: Events) -> Events {
    let with_end = |events: Events| events.map(Some).chain(stream::once(ready(None)));
    let joined = stream::select(with_end(one), with_end(other));
    joined.take_while(|event| ready(event.is_some())).filter_map(ready).boxed()
}

fn until_stopped(api: &Api, events: Events) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let stopping = api.stopping.clone();
    Sse::new(events.take_until(async move { stopping.cancelled().await })).keep_alive(keep_alive())
}

fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(KEEP_ALIVE)
}
