//! One shopper, a small state machine with habits drawn from the seed: some sign up first, some wait for the outcome,
//! press twice, ask again, retry with the same key, give up, or hang up in the middle.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::SmallRng;
use serde_json::json;
use uuid::Uuid;

use crate::client::{Client, Purchase};
use crate::harness::User;
use crate::harness::history::Answer;
use crate::record::{Record, Recorder, Told};

const PAUSE_MS: std::ops::Range<u64> = 40..160;
const QUESTIONS_MAX: u32 = 6;

/// What a shopper does besides buying.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub has_key: bool,
    pub wait_s: Option<u32>,
    pub presses_twice: bool,
    pub asks: bool,
    pub buys_again: bool,
    pub gives_up: bool,
    pub hangs_up: bool,
}

impl Habits {
    pub fn drawn(dice: &mut SmallRng, hang_up_share: f64) -> Self {
        Self {
            has_key: dice.random_bool(0.4),
            wait_s: dice.random_bool(0.2).then(|| dice.random_range(1..5)),
            presses_twice: dice.random_bool(0.15),
            asks: dice.random_bool(0.3),
            buys_again: dice.random_bool(0.2),
            gives_up: dice.random_bool(0.05),
            hangs_up: dice.random_bool(hang_up_share),
        }
    }
}

/// Who a shopper is: known already, or somebody who has to sign up first.
#[derive(Clone, Debug)]
pub enum Who {
    Known(User),
    New { email: String },
}

pub struct Shopper {
    pub who: Who,
    pub product_id: Uuid,
    pub habits: Habits,
    pub client: Client,
    pub recorder: Recorder,
    pub dice: SmallRng,
    /// When the shop closes: nobody tries again after it.
    pub until: Instant,
}

enum State {
    Buying,
    Asking { questions: u32, if_not_found: Next },
    Leaving,
}

#[derive(Clone, Copy)]
enum Next {
    Buy,
    Leave,
}

impl Shopper {
    /// Goes shopping. Returns who it was, when that is somebody who keeps trying.
    pub async fn go(mut self) -> Option<Purchase> {
        let user = match self.who.clone() {
            Who::Known(user) => user,
            Who::New { email } => self.sign_up(&email).await?,
        };
        let key = self.habits.has_key.then(|| format!("key-of-{}", user.id));
        let purchase = Purchase { user, product_id: self.product_id, key, wait_s: self.habits.wait_s };
        if self.habits.hangs_up {
            self.client.buy_and_hang_up(&purchase).await;
            return self.give_up(&purchase);
        }
        let mut state = State::Buying;
        loop {
            state = match state {
                State::Buying => self.buy(&purchase).await,
                State::Asking { questions, if_not_found } => self.ask(&purchase, questions, if_not_found).await,
                State::Leaving if self.habits.gives_up => return self.give_up(&purchase),
                State::Leaving => return Some(purchase),
            }
        }
    }

    async fn buy(&mut self, purchase: &Purchase) -> State {
        let answer = if std::mem::take(&mut self.habits.presses_twice) {
            let mut second = self.client.second();
            tokio::join!(self.client.buy(purchase), second.buy(purchase)).0
        } else {
            self.client.buy(purchase).await
        };
        match answer {
            Answer::Ok { .. } if std::mem::take(&mut self.habits.buys_again) => State::Buying,
            Answer::Ok { .. } if self.habits.asks => State::Asking { questions: 0, if_not_found: Next::Leave },
            Answer::Ok { .. } => State::Leaving,
            Answer::Refused { status: 0 | 409 | 429 | 503, .. } => self.try_again(State::Buying).await,
            Answer::Refused { code, .. } if code == "sale_not_started" => self.try_again(State::Buying).await,
            Answer::Refused { .. } => State::Leaving,
            Answer::Unknown(_) if self.habits.asks => {
                self.try_again(State::Asking { questions: 0, if_not_found: Next::Buy }).await
            }
            Answer::Unknown(_) => self.try_again(State::Buying).await,
        }
    }

    async fn ask(&mut self, purchase: &Purchase, questions: u32, if_not_found: Next) -> State {
        let told = self.client.ask(&purchase.user, purchase.product_id).await;
        match (told, if_not_found) {
            (Told::NotFound, Next::Buy) => self.try_again(State::Buying).await,
            (Told::Order { status, .. }, _) if status == "success" => State::Leaving,
            (Told::Failed { .. } | Told::NotFound, _) => State::Leaving,
            _ if questions + 1 >= QUESTIONS_MAX => match if_not_found {
                Next::Buy => State::Buying,
                Next::Leave => State::Leaving,
            },
            _ => self.try_again(State::Asking { questions: questions + 1, if_not_found }).await,
        }
    }

    /// A pause, then `next`; or home, when the shop closes or patience ends.
    async fn try_again(&mut self, next: State) -> State {
        if Instant::now() >= self.until || self.habits.gives_up {
            return State::Leaving;
        }
        tokio::time::sleep(Duration::from_millis(self.dice.random_range(PAUSE_MS))).await;
        next
    }

    fn give_up(&self, purchase: &Purchase) -> Option<Purchase> {
        self.recorder.write(&Record::GaveUp { user_id: purchase.user.id, product_id: purchase.product_id });
        None
    }

    /// Makes an account and signs in, trying again while the answer is no answer. An address that is taken is ours.
    async fn sign_up(&mut self, email: &str) -> Option<User> {
        let body = json!({ "email": email, "password": "correct horse battery staple" });
        let mut has_account = false;
        while Instant::now() < self.until {
            let path = if has_account { "/users/authenticate" } else { "/users" };
            let reply = self.client.send(|address| crate::harness::Http { address }.post(path).json(&body)).await;
            match reply {
                Ok(reply) if !has_account && [201, 409].contains(&reply.status) => has_account = true,
                Ok(reply) if has_account && reply.status == 200 => {
                    let value = reply.value();
                    let id: Uuid = value["user_id"].as_str().and_then(|id| id.parse().ok())?;
                    self.recorder.write(&Record::SignedUp { user_id: id });
                    return Some(User { id, token: value["token"].as_str()?.to_owned() });
                }
                Ok(reply) if reply.status < 500 && reply.status != 429 => {
                    panic!("{path} answered {} {}", reply.status, reply.text())
                }
                _ => tokio::time::sleep(Duration::from_millis(self.dice.random_range(PAUSE_MS))).await,
            }
        }
        None
    }
}
