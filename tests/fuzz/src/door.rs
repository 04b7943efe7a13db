//! The front door: the router with all its layers, as a stranger meets it. Behind it are the real use cases and, in the
//! place of PostgreSQL, a double in this process.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use chrono::{TimeDelta, Utc};
use flashsale::app::devices::Devices;
use flashsale::app::find_orders::Orders;
use flashsale::app::idempotency::IdempotencyKeys;
use flashsale::app::manage_sales::SaleDesk;
use flashsale::app::outcomes::Outcomes;
use flashsale::app::passwords::Passwords;
use flashsale::app::pictures::Pictures;
use flashsale::app::place_order::Purchases;
use flashsale::app::rate_limits::RateLimits;
use flashsale::app::sale_activity::ActivityCounters;
use flashsale::app::sale_board::SaleBoard;
use flashsale::app::sessions::Sessions;
use flashsale::app::watch_sales::SaleWatch;
use flashsale::config::{Bounds, Secret, TrustedProxies, deadlines};
use flashsale::db::Database;
use flashsale::domain::SaleSnapshot;
use flashsale::gate::TokenGate;
use flashsale::http::{Api, ApiParts, Limits, router};
use flashsale::telemetry::init_metrics;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::answer::Answer;
use crate::postgres;

pub const ADMINISTRATOR: Uuid = Uuid::from_u128(0xad);
pub const SHOPPER: Uuid = Uuid::from_u128(0x50);
pub const PRODUCT: Uuid = Uuid::from_u128(0x9);
pub const SALE: Uuid = Uuid::from_u128(0x5a1e);
const SIGNING_KEY: &[u8] = b"the fuzzer signs with this key 0123456789";

/// A running API without a socket.
pub struct Door {
    runtime: Runtime,
    router: Router,
    board: Arc<SaleBoard>,
    pub administrator_token: String,
    pub shopper_token: String,
}

impl Door {
    /// The one of this process.
    pub fn get() -> &'static Self {
        static DOOR: OnceLock<Door> = OnceLock::new();
        DOOR.get_or_init(Self::open)
    }

    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (router, board, sessions) = runtime.block_on(async {
            let address = postgres::serve().await;
            assemble(&format!("postgres://fuzz@{address}/fuzz?sslmode=disable"))
        });
        let token = |user| sessions.issue(user).expect("sign a token").0;
        let door =
            Self { runtime, router, board, administrator_token: token(ADMINISTRATOR), shopper_token: token(SHOPPER) };
        door.offer("lamp", "a lamp");
        door
    }

    /// Puts one sale on the board, which is open.
    pub fn offer(&self, name: &str, description: &str) {
        let now = Utc::now();
        let sale = SaleSnapshot {
            flash_sale_id: SALE,
            product_id: PRODUCT,
            name: name.to_owned(),
            description: description.to_owned(),
            price_in_cents: 100,
            quantity: 1_000_000,
            sold: 0,
            live: 0,
            start_date: now - TimeDelta::days(1),
            end_date: now + TimeDelta::days(1),
        };
        self.board.set_clock(now, Instant::now());
        self.board.set_sales(vec![sale], now);
    }

    /// Sends a request and judges the answer by what every answer must be.
    pub fn send(&self, mut request: Request<Body>) -> Answer {
        let address: SocketAddr = ([127, 0, 0, 1], 1).into();
        request.extensions_mut().insert(ConnectInfo(address));
        let sent = (request.method().clone(), request.uri().path().to_owned());
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.expect("a router does not fail");
            Answer::read(sent, answer).await
        })
    }
}

fn assemble(url: &str) -> (Router, Arc<SaleBoard>, Arc<Sessions>) {
    // No passwords are hashed: sign-ups and sign-ins that get so far are answered 503.
    let bounds = Bounds { password_hashes_in_flight_max: 0, password_hashes_queued_max: 0, ..Bounds::default() };
    let database = Database::new(url, 1, "fuzz", deadlines::STATEMENT).expect("a database");
    let board = Arc::new(SaleBoard::default());
    let gate = Arc::new(TokenGate::new(None));
    let outcomes = Arc::new(Outcomes::default());
    let sessions = Arc::new(Sessions::new(&[Secret::new(SIGNING_KEY.to_vec())]).expect("sessions"));
    let rates = Arc::new(RateLimits::new(false, None));
    let purchases = Purchases::new(
        Arc::clone(&board),
        Arc::clone(&gate),
        Arc::clone(&outcomes),
        Arc::new(ActivityCounters::default()),
        Arc::clone(&rates),
        database.clone(),
        &bounds,
    );
    let api = Api::new(ApiParts {
        database: database.clone(),
        board: Arc::clone(&board),
        outcomes,
        purchases: Arc::new(purchases),
        sessions: Arc::clone(&sessions),
        orders: Orders::new(&database, &bounds),
        passwords: Passwords::new(&bounds).expect("passwords"),
        devices: Devices::new(&[Secret::new(SIGNING_KEY.to_vec())]).expect("devices"),
        trusted_proxies: TrustedProxies::default(),
        desk: SaleDesk { database: database.clone(), board: Arc::clone(&board), gate },
        watch: SaleWatch { database: database.clone(), reports: database.clone() },
        pictures: Pictures::new(database.clone()),
        keys: Arc::new(IdempotencyKeys::new(&database, &bounds)),
        limits: Arc::new(Limits::new(&bounds, rates)),
        metrics: init_metrics().expect("metrics"),
        stopping: CancellationToken::new(),
    });
    (router(api), board, sessions)
}
