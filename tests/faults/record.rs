//! The history of a run: one JSON line for everything a client, an administrator or the harness did, written as it
//! happens and read again by the checker, which has nothing else to go by but the database.

use std::fs::File;
use std::io::{BufRead as _, BufReader, LineWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::harness::history::Answer;

/// Times are microseconds since 1970 by the clock of this machine, which is the database's too.
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
    Fault {
        at_us: i64,
        what: String,
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
}

impl Recorder {
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap_or_else(|error| panic!("create {}: {error}", path.display()));
        Self { file: Arc::new(Mutex::new(LineWriter::new(file))) }
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
