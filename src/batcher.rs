//! Floor 1: micro-batches: what arrives while the batch before is under way is sent as one call. There is no timer: a lone
//! request leaves at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};

/// How a batcher is bounded.
#[derive(Debug, Clone, Copy)]
pub struct BatchBounds {
    /// Items of one call.
    pub batch_max: usize,
    /// Calls under way at once.
    pub in_flight_max: usize,
    /// Items waiting; one more is refused.
    pub queue_max: usize,
    /// An item's wait for its batch; one that waited longer is refused unsent.
    pub queue_wait_max: Duration,
}

/// Why an item has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitError {
    /// The item was not sent: the queue is full, or it waited too long.
    NotSent,
    /// The item was sent, and its call broke off without an answer.
    AnswerLost,
}

struct Waiting<I, O> {
    item: I,
    since: Instant,
    answer: oneshot::Sender<Result<O, SubmitError>>,
}

/// A handle to a task that gathers items into calls. Dropping the last handle lets it finish what it holds.
pub struct Batcher<I, O> {
    queue: mpsc::Sender<Waiting<I, O>>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts the task. `call` answers its items in their order; an item it leaves unanswered has lost its answer.
    pub fn start<F, R>(bounds: BatchBounds, call: F) -> Self
    where
        F: Fn(Vec<I>) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<O>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(bounds.queue_max);
        tokio::spawn(gather(bounds, waiting, Arc::new(call)));
        Self { queue }
    }

    /// Sends an item with the next batch and waits for its answer. An item whose caller has gone away is still sent.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, item: I) -> Result<O, SubmitError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiting { item, since: Instant::now(), answer }).map_err(|_| SubmitError::NotSent)?;
        answered.await.unwrap_or(Err(SubmitError::AnswerLost))
    }
}

async fn gather<I, O, F, R>(bounds: BatchBounds, mut waiting: mpsc::Receiver<Waiting<I, O>>, call: Arc<F>)
where
    I: Send + 'static,
    O: Send + 'static,
    F: Fn(Vec<I>) -> R + Send + Sync + 'static,
    R: Future<Output = Vec<O>> + Send + 'static,
{
    let calls = Arc::new(Semaphore::new(bounds.in_flight_max));
    let mut gathered = Vec::with_capacity(bounds.batch_max);
    loop {
        // While every call is under way, items gather in the queue.
        let Ok(permit) = Arc::clone(&calls).acquire_owned().await else { return };
        if waiting.recv_many(&mut gathered, bounds.batch_max).await == 0 {
            return;
        }
        let (items, answers) = take_fresh(&mut gathered, bounds.queue_wait_max);
        if items.is_empty() {
            continue;
        }
        let call = Arc::clone(&call);
        tokio::spawn(async move {
            let outputs = call(items).await;
            drop(permit);
            for (answer, output) in answers.into_iter().zip(outputs) {
                // A caller who went away needs no answer.
                let _ = answer.send(Ok(output));
            }
        });
    }
}

/// Empties `gathered` into items to be sent and their answers; those that waited too long are answered [`SubmitError::NotSent`].
fn take_fresh<I, O>(
    gathered: &mut Vec<Waiting<I, O>>,
    queue_wait_max: Duration,
) -> (Vec<I>, Vec<oneshot::Sender<Result<O, SubmitError>>>) {
    let mut items = Vec::with_capacity(gathered.len());
    let mut answers = Vec::with_capacity(gathered.len());
    for waiting in gathered.drain(..) {
        if waiting.since.elapsed() > queue_wait_max {
            let _ = waiting.answer.send(Err(SubmitError::NotSent));
        } else {
            items.push(waiting.item);
            answers.push(waiting.answer);
        }
    }
    (items, answers)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::{BatchBounds, Batcher, SubmitError};

    const BOUNDS: BatchBounds =
        BatchBounds { batch_max: 3, in_flight_max: 1, queue_max: 4, queue_wait_max: Duration::from_secs(60) };

    /// The batches that were sent.
    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    /// A batcher that doubles numbers, one call for each permit, and records its batches.
    fn doubling(bounds: BatchBounds) -> (Batcher<u32, u32>, Arc<Semaphore>, Batches) {
        let permits = Arc::new(Semaphore::new(0));
        let batches = Arc::new(Mutex::new(Vec::new()));
        let (gate, record) = (Arc::clone(&permits), Arc::clone(&batches));
        let batcher = Batcher::start(bounds, move |items: Vec<u32>| {
            record.lock().unwrap().push(items.clone());
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                items.iter().map(|n| n * 2).collect()
            }
        });
        (batcher, permits, batches)
    }

    #[tokio::test]
    async fn a_lone_item_leaves_at_once_and_later_ones_gather_behind_it() {
        let (batcher, permits, batches) = doubling(BOUNDS);
        let submit = |n| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.submit(n).await })
        };
        let first = submit(1);
        while batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (2..=5).map(submit).collect();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        permits.add_permits(3);
        assert_eq!(first.await.unwrap(), Ok(2));
        for (n, answer) in (2..=5).zip(later) {
            assert_eq!(answer.await.unwrap(), Ok(n * 2));
        }
        assert_eq!(*batches.lock().unwrap(), [vec![1], vec![2, 3, 4], vec![5]]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let (batcher, _permits, batches) = doubling(BOUNDS);
        let mut waiting = Vec::new();
        for n in 0..9 {
            let batcher = batcher.clone();
            waiting.push(tokio::spawn(async move { batcher.submit(n).await }));
            while n == 0 && batches.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        // 1 under way, 4 queued, 4 refused.
        for answer in waiting.drain(5..) {
            assert_eq!(answer.await.unwrap(), Err(SubmitError::NotSent));
        }
    }

    #[tokio::test]
    async fn an_item_that_waited_too_long_is_not_sent() {
        let (batcher, permits, batches) = doubling(BatchBounds { queue_wait_max: Duration::ZERO, ..BOUNDS });
        permits.add_permits(10);
        assert_eq!(batcher.submit(1).await, Err(SubmitError::NotSent));
        assert!(batches.lock().unwrap().is_empty());
    }
}
