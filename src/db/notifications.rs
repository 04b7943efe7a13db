//! LISTEN: what other processes' transactions announce when they commit.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_postgres::AsyncMessage;
use uuid::Uuid;

use super::DbError;
use super::primary::Servers;
use crate::config::deadlines;
use crate::domain::{OrderId, Outcome, SaleId, UserId};

/// What was announced. Announcements are hints: a lost one is made up for by asking the database.
#[derive(Debug)]
pub enum Notification {
    /// Listening (again): announcements may have been missed until now.
    Listening,
    /// The database's clock and when it was read, from the regular check that the connection is alive.
    Clock(DateTime<Utc>, Instant),
    /// Orders of one sale were settled; `sold` of its units are sold.
    Settled { flash_sale_id: SaleId, sold: i32, outcomes: Vec<(OrderId, UserId, Outcome)> },
    /// A sale was created or changed.
    SaleChanged,
    /// A session was ended by logout.
    SessionEnded(Uuid),
    /// All sessions of a user that began until then were ended.
    UserEnded(UserId, DateTime<Utc>),
}

/// What the channel flashsale_sessions carries: the id of a session, or the end of all of a user.
#[derive(Deserialize)]
struct UserEndedPayload {
    user_id: UserId,
    ended_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct SettledPayload<'a> {
    flash_sale_id: SaleId,
    sold: i32,
    #[serde(borrow)]
    outcomes: Vec<(OrderId, UserId, &'a str)>,
}

/// Listens on a connection of its own and passes on what is announced, until the connection breaks or nobody receives
/// any more. Calls `on_listening` once it listens. One of several servers that are listened to `tells_time`.
///
/// # Errors
/// [`DbError`] that ended it; the caller tries again.
pub async fn listen(
    url: &str,
    application: &str,
    tells_time: bool,
    to: &mpsc::Sender<Notification>,
    on_listening: impl FnOnce(),
) -> Result<(), DbError> {
    let (client, mut connection) = Servers::new(url, application, deadlines::STATEMENT)?.connect().await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let (raw, mut received) = mpsc::channel(1024);
    let pump = tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(notification)) => {
                    if raw.send(notification).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the listening connection broke");
                    return;
                }
            }
        }
    });
    let _abort_pump = AbortOnDrop(pump.abort_handle());
    client
        .batch_execute("listen flashsale_outcomes; listen flashsale_sales; listen flashsale_sessions")
        .await
        .map_err(DbError::not_sent)?;
    on_listening();
    if to.send(Notification::Listening).await.is_err() {
        return Ok(());
    }
    let mut alive = tokio::spawn(keep_alive(client, tells_time, to.clone()));
    let _abort_alive = AbortOnDrop(alive.abort_handle());
    loop {
        let notification = tokio::select! {
            notification = received.recv() => match notification {
                Some(notification) => parse(notification.channel(), notification.payload()),
                None => return Err(DbError::Lost("the listening connection was closed".into())),
            },
            broken = &mut alive => {
                return broken.unwrap_or(Err(DbError::Unexpected("the check of the listening connection broke off")));
            }
        };
        if let Some(notification) = notification
            && to.send(notification).await.is_err()
        {
            return Ok(());
        }
    }
}

/// Asks the listening connection for the time, regularly: a connection that died silently is noticed, and our estimate
/// of the database's clock stays fresh. A task of its own, so that it does not wait behind announcements.
async fn keep_alive(
    client: tokio_postgres::Client,
    tells_time: bool,
    to: mpsc::Sender<Notification>,
) -> Result<(), DbError> {
    let mut tick = tokio::time::interval(Duration::from_secs(2));
    loop {
        tick.tick().await;
        let check = client.query_one("select clock_timestamp()", &[]);
        let row = tokio::time::timeout(deadlines::STATEMENT_CLIENT, check)
            .await
            .map_err(|_| DbError::TimedOut(deadlines::STATEMENT_CLIENT))?
            .map_err(DbError::sent)?;
        if tells_time && to.send(Notification::Clock(row.get(0), Instant::now())).await.is_err() {
            return Ok(());
        }
    }
}

fn parse(channel: &str, payload: &str) -> Option<Notification> {
    let parsed = match channel {
        "flashsale_outcomes" => serde_json::from_str::<SettledPayload>(payload).ok().map(|p| Notification::Settled {
            flash_sale_id: p.flash_sale_id,
            sold: p.sold,
            outcomes: p
                .outcomes
                .into_iter()
                .filter_map(|(order_id, user_id, code)| Some((order_id, user_id, Outcome::from_code(code)?)))
                .collect(),
        }),
        "flashsale_sales" => Some(Notification::SaleChanged),
        "flashsale_sessions" if payload.starts_with('{') => serde_json::from_str::<UserEndedPayload>(payload)
            .ok()
            .map(|payload| Notification::UserEnded(payload.user_id, payload.ended_at)),
        "flashsale_sessions" => payload.parse().ok().map(Notification::SessionEnded),
        _ => None,
    };
    if parsed.is_none() {
        tracing::warn!(channel, "a notification that cannot be read was passed over");
    }
    parsed
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
