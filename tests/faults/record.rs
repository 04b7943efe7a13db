//! The history of a run: one JSON line for everything a client, an administrator or the harness did, written as it
//! happens and read again by the checker, which has nothing else to go by but the database.

use std::fs::File;
use std::io::{BufRead as _, BufReader, LineWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::harness::history::Answer;

/// Times are microseconds since 1970 by the clock of this machine. It is the database's too, unless a `Clock` says how far
/// that one is off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    Run {
        fault: String,
        seed: u64,
        redis: bool,
    },
    Sale(SaleRecord),
    /// An administrator's change of a quantity; `acknowledged` when it was answered with 200.
    Quantity {
        flash_sale_id: Uuid,
        to: i64,
        acknowledged: bool,
        answered_us: i64,
    },
    /// An account made through the API and acknowledged with 201 or by signing in.
    SignedUp {
        user_id: Uuid,
    },
    Buy(Buy),
    Ask(Ask),
    /// A shopper who will not come back, whatever it was told.
    GaveUp {
        user_id: Uuid,
        product_id: Uuid,
    },
    /// Something malformed or forged that was sent, and the status it got (0: none).
    Stranger {
        what: String,
        status: u16,
    },
    /// Messages put into the queue by SQL that no order stands for: each must be set aside once.
    Poison {
        messages: i64,
    },
    /// The database's clock was set this far ahead of this machine's, at a moment between the two.
    Clock {
        from_us: i64,
        until_us: i64,
        offset_s: i64,
    },
    /// A session that was ended: from `within_us` after that answer on, no API process takes its token.
    LoggedOut {
        user_id: Uuid,
        answered_us: i64,
        within_us: i64,
    },
    Guess(Guess),
    /// Something the strike itself looked at, and whether it was as promised.
    Promise {
        what: String,
        kept: bool,
    },
    /// Measured, not judged; of several of one name the largest counts.
    Figure {
        name: String,
        value: i64,
    },
    /// What the harness did, for who reads the history.
    Fault {
        at_us: i64,
        what: String,
    },
    /// A blow, and whether it hit: the process was in the place where it was to be killed, a statement met the trick.
    Strike {
        at_us: i64,
        what: String,
        hit: bool,
        /// It hits only where people buy, see the checker.
        needs_purchases: bool,
    },
    Healed {
        at_us: i64,
    },
    Recovered {
        api: String,
        ms: u64,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaleRecord {
    pub flash_sale_id: Uuid,
    pub product_id: Uuid,
    pub quantity: i64,
    pub start_us: i64,
    pub end_us: i64,
    /// Whether its window ends while the load runs: what is left then stays unsold.
    pub ends_in_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Buy {
    pub user_id: Uuid,
    pub product_id: Uuid,
    pub key: Option<String>,
    pub waits: bool,
    /// When it was to be sent, where that is measured.
    #[serde(default)]
    pub due_us: Option<i64>,
    pub sent_us: i64,
    pub answered_us: i64,
    pub answer: Answer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    pub user_id: Uuid,
    pub product_id: Uuid,
    pub sent_us: i64,
    pub told: Told,
}

/// A password tried at one API process from one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guess {
    pub from: Ipv4Addr,
    pub api: String,
    pub sent_us: i64,
    pub is_known_user: bool,
    pub is_right: bool,
    /// 0: no answer.
    pub status: u16,
    pub code: String,
}

/// What `GET /orders` said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Order { order_id: Uuid, status: String },
    Failed { order_id: Uuid, reason: String },
    NotFound,
    Refused { status: u16, code: String },
    Unknown(String),
}

pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(now.as_micros()).expect("a time before the year 294000")
}

/// Writes the history. Clones write to the same file, a line at a time.
#[derive(Clone)]
pub struct Recorder {
    file: Arc<Mutex<LineWriter<File>>>,
    strikes_need_purchases: bool,
}

impl Recorder {
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap_or_else(|error| panic!("create {}: {error}", path.display()));
        Self { file: Arc::new(Mutex::new(LineWriter::new(file))), strikes_need_purchases: true }
    }

    /// For a fault that strikes something else than purchases.
    pub fn whose_strikes_need_no_purchases(self) -> Self {
        Self { strikes_need_purchases: false, ..self }
    }

    pub fn write(&self, record: &Record) {
        let mut line = serde_json::to_vec(record).expect("a record as JSON");
        line.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line).expect("write the history");
    }

    pub fn fault(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("fault: {what}");
        self.write(&Record::Fault { at_us: now_us(), what });
    }

    pub fn strike(&self, what: impl Into<String>, hit: bool) {
        let what = what.into();
        eprintln!("strike: {what}{}", if hit { "" } else { " (missed)" });
        let needs_purchases = self.strikes_need_purchases;
        self.write(&Record::Strike { at_us: now_us(), what, hit, needs_purchases });
    }

    pub fn figure(&self, name: &str, value: impl TryInto<i64>) {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.write(&Record::Figure { name: name.to_owned(), value });
    }

    pub fn promise(&self, what: impl Into<String>, kept: bool) {
        self.write(&Record::Promise { what: what.into(), kept });
    }
}

/// Reads a history again.
pub fn read(path: &Path) -> Vec<Record> {
    let file = File::open(path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
    let lines = BufReader::new(file).lines();
    lines
        .map(|line| {
            let line = line.expect("read a line of the history");
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("a line of the history ({error}): {line}"))
        })
        .collect()
}
