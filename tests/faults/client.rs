//! A shopper's browser: one keep-alive connection that moves to the next API process when it breaks. Whatever it sends
//! and hears is in the history before anybody acts on it.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::harness::history::Answer;
use crate::harness::{Connection, Http, Reply, Request, User};
use crate::record::{Ask, Buy, Record, Recorder, Told, now_us};

const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// The code of a purchase whose connection was refused: nothing can have been taken.
pub const UNREACHABLE: &str = "unreachable";

/// Who wants what, and how.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub user: User,
    pub product_id: Uuid,
    pub key: Option<String>,
    pub wait_s: Option<u32>,
}

impl Purchase {
    pub const fn plain(user: User, product_id: Uuid) -> Self {
        Self { user, product_id, key: None, wait_s: None }
    }

    fn request(&self, address: SocketAddr) -> Request {
        let body = format!(r#"{{"product_id":"{}"}}"#, self.product_id);
        let mut request = Http { address }.post("/orders").bearer(&self.user.token);
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(seconds) = self.wait_s {
            request = request.header("prefer", &format!("wait={seconds}"));
        }
        request.body("application/json", body)
    }

    fn record(&self, due_us: Option<i64>, sent_us: i64, answer: &Answer) -> Record {
        Record::Buy(Buy {
            user_id: self.user.id,
            product_id: self.product_id,
            key: self.key.clone(),
            waits: self.wait_s.is_some(),
            due_us,
            sent_us,
            answered_us: now_us(),
            answer: answer.clone(),
        })
    }
}

pub struct Client {
    addresses: Arc<[SocketAddr]>,
    at: usize,
    connection: Option<Connection>,
    recorder: Recorder,
    /// When its first purchase is to be sent, if the latency counts from there.
    pub due_us: Option<i64>,
}

impl Client {
    /// `at` chooses the API process to begin with.
    pub const fn new(addresses: Arc<[SocketAddr]>, at: usize, recorder: Recorder) -> Self {
        Self { addresses, at, connection: None, recorder, due_us: None }
    }

    /// Another browser of the same person.
    pub fn second(&self) -> Self {
        Self::new(Arc::clone(&self.addresses), self.at + 1, self.recorder.clone())
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses[self.at % self.addresses.len()]
    }

    /// Sends one purchase and waits for its answer.
    pub async fn buy(&mut self, purchase: &Purchase) -> Answer {
        let sent_us = now_us();
        let answer = match self.connect().await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Answer::Refused { status: 0, code: UNREACHABLE.to_owned() }
            }
            Err(error) => Answer::Unknown(error.to_string()),
            Ok(()) => Answer::of(self.exchange(&purchase.request(self.address())).await),
        };
        let due_us = self.due_us.take();
        self.recorder.write(&purchase.record(due_us, sent_us, &answer));
        answer
    }

    /// Sends one purchase and hangs up without reading an answer.
    pub async fn buy_and_hang_up(&mut self, purchase: &Purchase) {
        let sent_us = now_us();
        if self.connect().await.is_ok()
            && let Some(mut connection) = self.connection.take()
        {
            let _ = connection.stream.write_all(&purchase.request(self.address()).bytes()).await;
        }
        self.recorder.write(&purchase.record(None, sent_us, &Answer::Unknown("hung up".to_owned())));
    }

    /// Asks what became of a purchase.
    pub async fn ask(&mut self, user: &User, product_id: Uuid) -> Told {
        let sent_us = now_us();
        let path = format!("/orders?product_id={product_id}");
        let told = match self.send(|address| Http { address }.get(&path).bearer(&user.token)).await {
            Ok(reply) => told(&reply),
            Err(error) => Told::Unknown(error.to_string()),
        };
        self.recorder.write(&Record::Ask(Ask { user_id: user.id, product_id, sent_us, told: told.clone() }));
        told
    }

    /// Sends any other request.
    pub async fn send(&mut self, request: impl FnOnce(SocketAddr) -> Request) -> std::io::Result<Reply> {
        self.connect().await?;
        let request = request(self.address());
        self.exchange(&request).await
    }

    async fn connect(&mut self) -> std::io::Result<()> {
        if self.connection.is_none() {
            match Connection::open(self.address()).await {
                Ok(open) => self.connection = Some(open),
                Err(error) => {
                    self.at += 1;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, request: &Request) -> std::io::Result<Reply> {
        let Some(mut connection) = self.connection.take() else { return Err(Error::from(ErrorKind::NotConnected)) };
        let reply = tokio::time::timeout(ANSWER_WITHIN, connection.exchange(&request.bytes()))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, format!("no answer within {ANSWER_WITHIN:?}"))));
        match &reply {
            Ok(reply) if reply.closes => {}
            Ok(_) => self.connection = Some(connection),
            Err(_) => self.at += 1,
        }
        reply
    }
}

fn told(reply: &Reply) -> Told {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let order_id = text("order_id").and_then(|id| id.parse().ok());
    match (reply.status, order_id, text("status"), text("reason"), text("code")) {
        (200, Some(order_id), Some(status), None, _) => Told::Order { order_id, status },
        (200, Some(order_id), None, Some(reason), _) => Told::Failed { order_id, reason },
        (404, _, _, _, Some(code)) if code == "order_not_found" => Told::NotFound,
        (status @ (400..=499 | 503), _, _, _, Some(code)) => Told::Refused { status, code },
        (status, ..) if status >= 500 => Told::Unknown(format!("{status} {}", reply.text())),
        _ => panic!("GET /orders answered {} {}", reply.status, reply.text()),
    }
}
