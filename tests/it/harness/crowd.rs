//! Many users who press the button at once, over keep-alive connections, each remembering what they were answered.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use uuid::Uuid;

use super::history::{Answer, Attempt, History};
use super::http::Connection;
use super::stack::{Sale, Stack};
use super::users::User;

const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Users who ask again together.
const WAVE: usize = 200;

#[derive(Clone, Debug)]
pub struct Crowd {
    pub addresses: Vec<SocketAddr>,
    pub product_id: Uuid,
    pub users: Vec<User>,
    /// Requests of each user in flight at the same time.
    pub times_each: usize,
    pub connections: usize,
    /// One Idempotency-Key a user, sent with every attempt.
    pub with_keys: bool,
    /// `Prefer: wait=N`.
    pub wait_s: Option<u32>,
    /// Time-outs, resets and 503 are tried again until this is over.
    pub keep_trying_for: Duration,
    pub seed: u64,
}

impl Crowd {
    pub fn new(stack: &Stack, sale: &Sale, users: &[User]) -> Self {
        Self {
            addresses: stack.addresses(),
            product_id: sale.product_id,
            users: users.to_vec(),
            times_each: 1,
            connections: 300,
            with_keys: false,
            wait_s: None,
            keep_trying_for: Duration::ZERO,
            seed: 1,
        }
    }

    pub fn twice_in_parallel(mut self) -> Self {
        self.times_each = 2;
        self
    }

    pub fn with_keys(mut self) -> Self {
        self.with_keys = true;
        self
    }

    pub fn keep_trying_for(mut self, time: Duration) -> Self {
        self.keep_trying_for = time;
        self
    }

    pub fn over(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Everybody at once; returns when everybody has been answered.
    pub async fn rush(self) -> History {
        self.start().finish().await
    }

    /// For runs with faults: those without a unit ask again, all together, until every unit is sold. Fails when units
    /// stay unsold: a token that does not come back shows here.
    pub async fn until_sold(self, stack: &Stack, sale: &Sale, deadline: Duration) -> History {
        let started = Instant::now();
        let database = stack.database().await;
        let wanted = sale.quantity.min(i64::try_from(self.users.len()).expect("a number of users"));
        let mut history = History::default();
        loop {
            stack.wait_until_drained(deadline).await;
            let rows = database
                .query(
                    "select user_id from flashsale.orders where flash_sale_id = $1 and status = 'success'",
                    &[&sale.flash_sale_id],
                )
                .await
                .expect("read who has a unit");
            let served: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            if i64::try_from(served.len()).expect("a number of orders") >= wanted {
                eprintln!("all sold {:.1?} after the faults: {:?}", started.elapsed(), history.summary());
                return history;
            }
            assert!(
                started.elapsed() < deadline,
                "9 undersell: {} of {wanted} sold, {deadline:?} after the faults ended, though {} users kept asking: {:#?}",
                served.len(),
                self.users.len() - served.len(),
                history.summary()
            );
            let waiting = self.users.iter().filter(|user| !served.contains(&user.id));
            let wave = Self {
                users: waiting.take(WAVE).cloned().collect(),
                times_each: 1,
                with_keys: false,
                seed: self.seed + 1,
                ..self.clone()
            };
            history.extend(wave.start().collect().await);
        }
    }

    /// Starts the rush and lets the test do something meanwhile.
    pub fn start(self) -> Rush {
        let mut order: Vec<usize> = (0..self.users.len()).collect();
        order.shuffle(&mut SmallRng::seed_from_u64(self.seed));
        let plan: Vec<usize> = order.into_iter().flat_map(|user| vec![user; self.times_each]).collect();
        let shared = Arc::new(Shared {
            next: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            started: Instant::now(),
            plan,
            crowd: self,
        });
        let connections = shared.crowd.connections.min(shared.plan.len());
        let tasks = (0..connections).map(|number| tokio::spawn(press(number, Arc::clone(&shared)))).collect();
        Rush { shared, tasks }
    }
}

/// A crowd that is pressing the button.
pub struct Rush {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Attempt>>>,
}

impl Rush {
    /// How many requests have their last answer.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    pub fn is_over(&self) -> bool {
        self.tasks.iter().all(tokio::task::JoinHandle::is_finished)
    }

    /// Waits until this share of the requests is answered, or all are.
    pub async fn wait_for_share(&self, share: f64) {
        let wanted = (self.shared.plan.len() as f64 * share) as usize;
        while self.answered() < wanted && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until everybody has been answered, and says how it went.
    pub async fn finish(self) -> History {
        let history = self.collect().await;
        eprintln!("crowd: {:?} in {:.1?}", history.summary(), history.took());
        history
    }

    async fn collect(self) -> History {
        let mut history = History::default();
        for task in self.tasks {
            history.attempts.extend(task.await.expect("a client of the crowd"));
        }
        history
    }
}

struct Shared {
    crowd: Crowd,
    /// Indices of users, those of one user side by side so that they are in flight together.
    plan: Vec<usize>,
    next: AtomicUsize,
    answered: AtomicUsize,
    started: Instant,
}

async fn press(number: usize, shared: Arc<Shared>) -> Vec<Attempt> {
    let crowd = &shared.crowd;
    let mut client = Client { addresses: crowd.addresses.clone(), at: number, connection: None };
    let mut attempts = Vec::new();
    while let Some(&index) = shared.plan.get(shared.next.fetch_add(1, Ordering::Relaxed)) {
        let user = &crowd.users[index];
        let key = crowd.with_keys.then(|| format!("key-of-{}", user.id));
        let give_up_at = Instant::now() + crowd.keep_trying_for;
        loop {
            let sent_at = shared.started.elapsed();
            let answer = client.buy(crowd, user, key.as_deref()).await;
            let again = answer.asks_for_another_try() && Instant::now() < give_up_at;
            let answered_at = shared.started.elapsed();
            attempts.push(Attempt { user_id: user.id, key: key.clone(), sent_at, answered_at, answer });
            if !again {
                break;
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    attempts
}

/// One connection that is opened again when it breaks, to the next API process in turn.
struct Client {
    addresses: Vec<SocketAddr>,
    at: usize,
    connection: Option<Connection>,
}

impl Client {
    async fn buy(&mut self, crowd: &Crowd, user: &User, key: Option<&str>) -> Answer {
        let exchange = async {
            let address = self.addresses[self.at % self.addresses.len()];
            let mut connection = match self.connection.take() {
                Some(open) => open,
                None => Connection::open(address).await?,
            };
            let reply = connection.exchange(&request(crowd, user, key)).await?;
            if !reply.closes {
                self.connection = Some(connection);
            }
            Ok(reply)
        };
        let reply = tokio::time::timeout(ANSWER_WITHIN, exchange).await.unwrap_or_else(|_| {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {ANSWER_WITHIN:?}")))
        });
        if reply.is_err() {
            self.at += 1;
        }
        Answer::of(reply)
    }
}

fn request(crowd: &Crowd, user: &User, key: Option<&str>) -> Vec<u8> {
    let body = format!(r#"{{"product_id":"{}"}}"#, crowd.product_id);
    let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
    let prefer = crowd.wait_s.map(|seconds| format!("prefer: wait={seconds}\r\n")).unwrap_or_default();
    format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{key}{prefer}\r\n{body}",
        user.token,
        body.len()
    )
    .into_bytes()
}
