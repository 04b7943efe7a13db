//! Server-sent events: the sales as they change, and the outcomes of the caller's own orders.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::{ReceiverStream, WatchStream};

use super::auth::Caller;
use super::problem::{Problem, ProblemBody};
use super::state::Api;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The sales, now and whenever something in them changes: events `sales` with the body of `GET /sales`.
#[utoipa::path(get, path = "/sales/events", tag = "sales",
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub async fn follow_sales(State(api): State<Api>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = api.board.changes();
    // The stream begins with what is on the board now, however old the last change is.
    changes.mark_changed();
    let events = WatchStream::from_changes(changes).map(|board| {
        let body = String::from_utf8_lossy(&board.body);
        Ok(Event::default().event("sales").data(body))
    });
    let stopping = api.stopping.clone();
    Sse::new(events.take_until(async move { stopping.cancelled().await })).keep_alive(keep_alive())
}

/// The outcomes of the caller's orders from now on: events `order` with `{order_id, outcome}`.
#[utoipa::path(get, path = "/orders/events", tag = "orders", security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 401, body = ProblemBody),
    ))]
pub async fn follow_orders(
    State(api): State<Api>,
    Caller(session): Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let events = ReceiverStream::new(api.outcomes.follow(session.user_id)).map(|settled| {
        let data = serde_json::json!({ "order_id": settled.order_id, "outcome": settled.outcome.code() });
        Ok(Event::default().event("order").data(data.to_string()))
    });
    let stopping = api.stopping.clone();
    Ok(Sse::new(events.take_until(async move { stopping.cancelled().await })).keep_alive(keep_alive()))
}

fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(KEEP_ALIVE)
}
