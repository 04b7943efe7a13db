//! Outcomes on their way back to those who wait for them, in whichever process they wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::domain::{OrderId, Outcome, UserId};

/// A settled order as its owner's event stream shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledEvent {
    pub order_id: OrderId,
    pub outcome: Outcome,
}

/// Outcomes a stream may lag behind before it is ended (its reader asks `GET /orders` on reconnecting).
const STREAM_BUFFER: usize = 16;

#[derive(Default)]
struct Waiting {
    requests: HashMap<OrderId, Vec<(Instant, oneshot::Sender<Outcome>)>>,
    streams: HashMap<UserId, Vec<OutcomeStream>>,
}

/// One event stream of a user, which ends with its session.
struct OutcomeStream {
    session_id: Uuid,
    events: mpsc::Sender<SettledEvent>,
}

/// Who waits in this process: requests with `Prefer: wait`, and event streams. Bounded by the requests in progress.
#[derive(Default)]
pub struct Outcomes {
    waiting: Mutex<Waiting>,
}

impl Outcomes {
    /// Starts waiting for an order; to be called before the order can be settled.
    pub fn wait_for(&self, order_id: OrderId) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.lock().requests.entry(order_id).or_default().push((Instant::now(), sender));
        receiver
    }

    /// A stream of a user's outcomes from now on, until its session ends.
    pub fn follow(&self, user_id: UserId, session_id: Uuid) -> mpsc::Receiver<SettledEvent> {
        let (events, receiver) = mpsc::channel(STREAM_BUFFER);
        self.lock().streams.entry(user_id).or_default().push(OutcomeStream { session_id, events });
        receiver
    }

    /// Ends the streams of a session.
    pub fn end_session(&self, session_id: Uuid) {
        self.lock().streams.retain(|_, streams| {
            streams.retain(|stream| stream.session_id != session_id);
            !streams.is_empty()
        });
    }

    /// Ends the streams of a user.
    pub fn end_user(&self, user_id: UserId) {
        self.lock().streams.remove(&user_id);
    }

    /// Tells everybody who waits for these orders what became of them.
    pub fn announce(&self, settled: &[(OrderId, UserId, Outcome)]) {
        let mut waiting = self.lock();
        if waiting.requests.is_empty() && waiting.streams.is_empty() {
            return;
        }
        for (order_id, user_id, outcome) in settled.iter().copied() {
            for (_, sender) in waiting.requests.remove(&order_id).unwrap_or_default() {
                // The request may have given up waiting.
                let _ = sender.send(outcome);
            }
            if let Some(streams) = waiting.streams.get_mut(&user_id) {
                streams.retain(|stream| stream.events.try_send(SettledEvent { order_id, outcome }).is_ok());
                if streams.is_empty() {
                    waiting.streams.remove(&user_id);
                }
            }
        }
    }

    /// Ends every stream: outcomes may have been missed, and who reads one asks `GET /orders` on coming back.
    pub fn end_streams(&self) {
        self.lock().streams.clear();
    }

    /// The orders somebody has waited for longer than `patience`, after forgetting those nobody waits for any more:
    /// their notifications may have been lost.
    pub fn overdue(&self, patience: Duration) -> Vec<OrderId> {
        let mut waiting = self.lock();
        waiting.requests.retain(|_, senders| {
            senders.retain(|(_, sender)| !sender.is_closed());
            !senders.is_empty()
        });
        waiting.streams.retain(|_, streams| {
            streams.retain(|stream| !stream.events.is_closed());
            !streams.is_empty()
        });
        waiting
            .requests
            .iter()
            .filter(|(_, senders)| senders.iter().any(|(since, _)| since.elapsed() > patience))
            .map(|(order_id, _)| *order_id)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every critical section leaves the maps whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::error::TryRecvError;
    use uuid::Uuid;

    use super::{Outcomes, SettledEvent};
    use crate::domain::Outcome;

    #[tokio::test]
    async fn everybody_who_waits_for_an_order_is_told_once() {
        let outcomes = Outcomes::default();
        let (order, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, second) = (outcomes.wait_for(order), outcomes.wait_for(order));
        let mut stream = outcomes.follow(user, Uuid::from_u128(9));
        outcomes
            .announce(&[(order, user, Outcome::Success), (Uuid::from_u128(3), Uuid::from_u128(4), Outcome::Success)]);
        assert_eq!(first.await, Ok(Outcome::Success));
        assert_eq!(second.await, Ok(Outcome::Success));
        assert_eq!(stream.recv().await, Some(SettledEvent { order_id: order, outcome: Outcome::Success }));
        assert!(stream.try_recv().is_err());
        assert!(outcomes.overdue(Duration::ZERO).is_empty());
    }

    #[tokio::test]
    async fn streams_end_with_their_session_and_others_go_on() {
        let outcomes = Outcomes::default();
        let (ann, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (phone, desk) = (Uuid::from_u128(3), Uuid::from_u128(4));
        let [mut anns_phone, mut anns_desk] = [phone, desk].map(|session| outcomes.follow(ann, session));
        let mut bobs = outcomes.follow(bob, Uuid::from_u128(5));
        outcomes.end_session(phone);
        assert_eq!(anns_phone.recv().await, None);
        assert!(anns_desk.try_recv().is_err_and(|error| error == TryRecvError::Empty));
        outcomes.end_user(ann);
        assert_eq!(anns_desk.recv().await, None);
        assert!(bobs.try_recv().is_err_and(|error| error == TryRecvError::Empty));
    }

    #[tokio::test]
    async fn overdue_forgets_those_who_left() {
        let outcomes = Outcomes::default();
        let (left, stayed) = (Uuid::from_u128(1), Uuid::from_u128(2));
        drop(outcomes.wait_for(left));
        let _waiting = outcomes.wait_for(stayed);
        assert_eq!(outcomes.overdue(Duration::ZERO), [stayed]);
        assert!(outcomes.overdue(Duration::from_secs(60)).is_empty());
    }
}
