//! What an API process holds of the sales: their windows, their stock, whether they are sold out, the body of
//! `GET /sales`, and how far the database's clock is from ours. Nothing here decides; it only spares the database the
//! questions whose answers cannot have changed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use super::full_gates::FullGates;
use crate::domain::{ProductId, SaleId, SaleSnapshot, SaleStatus, UserId};

/// Closer to a window's edge than this, our estimate of the database's clock is not trusted and the database is asked.
const EDGE: TimeDelta = TimeDelta::milliseconds(100);
/// News from further ahead of the database's clock than this are from before that clock was set back.
const AHEAD_MAX: TimeDelta = TimeDelta::seconds(2);

/// For so long after its end purchases of a sale are still looked up: their callers may not know yet that they have one.
const JUST_ENDED: TimeDelta = TimeDelta::minutes(2);

/// A sale as it is answered to shoppers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SaleView {
    pub flash_sale_id: Uuid,
    pub product_id: Uuid,
    pub name: String,
    pub description: String,
    pub price_in_cents: i32,
    pub quantity: i32,
    /// Units not sold yet.
    pub remaining_stock: i32,
    pub status: SaleStatus,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
}

impl SaleView {
    pub fn at(sale: &SaleSnapshot, now: DateTime<Utc>) -> Self {
        Self {
            flash_sale_id: sale.flash_sale_id,
            product_id: sale.product_id,
            name: sale.name.clone(),
            description: sale.description.clone(),
            price_in_cents: sale.price_in_cents,
            quantity: sale.quantity,
            remaining_stock: sale.remaining_stock(),
            status: sale.status_at(now),
            start_date: sale.start_date,
            end_date: sale.end_date,
        }
    }
}

/// The answer of `GET /sales`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SalesView {
    /// The database's clock.
    pub server_time: DateTime<Utc>,
    pub sales: Vec<SaleView>,
}

/// An entity tag as it stands in `ETag`.
pub type EntityTag = Bytes;

/// The sales at one moment, ready to be answered.
pub struct Board {
    pub sales: Vec<SaleSnapshot>,
    by_product: HashMap<ProductId, Vec<usize>>,
    /// When the database held this, by its own clock.
    pub database_time: DateTime<Utc>,
    /// [`SalesView`] as JSON.
    pub body: Bytes,
    /// Weak entity tag of the sales; the server's time alone does not change it.
    pub etag: EntityTag,
}

impl Board {
    fn new(sales: Vec<SaleSnapshot>, database_time: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut by_product: HashMap<ProductId, Vec<usize>> = HashMap::new();
        for (index, sale) in sales.iter().enumerate() {
            by_product.entry(sale.product_id).or_default().push(index);
        }
        let (body, etag) = render(&sales, now);
        Self { sales, by_product, database_time, body, etag }
    }

    /// All sales of a product.
    pub fn sales_of(&self, product_id: ProductId) -> impl Iterator<Item = &SaleSnapshot> {
        self.by_product.get(&product_id).into_iter().flatten().filter_map(|index| self.sales.get(*index))
    }
}

/// Units sold never become fewer: a reading made before a notification that we have seen does not take its units back.
fn keep_sold(sales: &mut [SaleSnapshot], held: &Board) {
    let known: HashMap<SaleId, i32> = held.sales.iter().map(|sale| (sale.flash_sale_id, sale.sold)).collect();
    for sale in sales {
        sale.sold = known.get(&sale.flash_sale_id).map_or(sale.sold, |sold| sale.sold.max(*sold));
    }
}

/// JSON and entity tag of some sales at a moment.
pub fn render<'a>(sales: impl IntoIterator<Item = &'a SaleSnapshot>, now: DateTime<Utc>) -> (Bytes, EntityTag) {
    use sha2::{Digest, Sha256};
    let view = SalesView { server_time: now, sales: sales.into_iter().map(|s| SaleView::at(s, now)).collect() };
    // Views hold nothing that JSON cannot express.
    let sales = serde_json::to_vec(&view.sales).unwrap_or_default();
    let hash: String = Sha256::digest(&sales).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    (Bytes::from(serde_json::to_vec(&view).unwrap_or_default()), Bytes::from(format!("W/\"{hash}\"")))
}

/// Which sale a purchase is about, as far as memory can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrentSale {
    /// This sale's window is open, or about to open or just closed: the database decides.
    Open(SaleId),
    /// No window is open; this is the next to open.
    Upcoming(SaleId),
    /// All are over; this is the one that ended last.
    Ended(SaleId),
    /// The product has no sale, as far as we know.
    NoSale,
}

impl CurrentSale {
    /// The sale that an attempt is at.
    pub const fn sale(self) -> Option<SaleId> {
        match self {
            Self::Open(sale) | Self::Upcoming(sale) | Self::Ended(sale) => Some(sale),
            Self::NoSale => None,
        }
    }
}

/// The sold-out latch of a sale: closed while the database says that every unit is sold. Who holds an order of the sale
/// is let through, to be told about it.
struct Latch {
    holders: HashSet<UserId>,
}

/// The board of a process. Reading it takes no lock.
pub struct SaleBoard {
    board: ArcSwap<Board>,
    clock: ArcSwap<(DateTime<Utc>, Instant)>,
    latches: ArcSwap<HashMap<SaleId, Arc<Latch>>>,
    full_gates: FullGates,
    changes: watch::Sender<Arc<Board>>,
    /// Held by who replaces the board: what is newer is decided against what is held.
    replacing: Mutex<()>,
    refreshed_at: ArcSwapOption<Instant>,
}

impl Default for SaleBoard {
    fn default() -> Self {
        let now = Utc::now();
        let board = Arc::new(Board::new(Vec::new(), DateTime::<Utc>::MIN_UTC, now));
        let (changes, _) = watch::channel(Arc::clone(&board));
        Self {
            board: ArcSwap::new(board),
            clock: ArcSwap::from_pointee((now, Instant::now())),
            latches: ArcSwap::default(),
            full_gates: FullGates::default(),
            changes,
            replacing: Mutex::default(),
            refreshed_at: ArcSwapOption::empty(),
        }
    }
}

impl SaleBoard {
    /// The sales as they are held now.
    pub fn current(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// Whether the sales were ever read.
    pub fn is_ready(&self) -> bool {
        self.refreshed_at.load().is_some()
    }

    /// How long ago the sales were last read; `None` when they never were.
    pub fn age(&self) -> Option<Duration> {
        self.refreshed_at.load().as_ref().map(|at| at.elapsed())
    }

    /// Our estimate of the database's clock.
    pub fn database_now(&self) -> DateTime<Utc> {
        let clock = self.clock.load();
        let (time, at) = **clock;
        time + TimeDelta::from_std(at.elapsed()).unwrap_or_default()
    }

    /// The board whenever something on it but the time has changed, at most as often as it is refreshed.
    pub fn changes(&self) -> watch::Receiver<Arc<Board>> {
        self.changes.subscribe()
    }

    /// Which sale of a product can be bought from now.
    pub fn current_sale(&self, product_id: ProductId) -> CurrentSale {
        let board = self.board.load();
        let now = self.database_now();
        let (mut next, mut last): (Option<&SaleSnapshot>, Option<&SaleSnapshot>) = (None, None);
        for sale in board.sales_of(product_id) {
            if sale.start_date - now <= EDGE && now - sale.end_date < EDGE {
                return CurrentSale::Open(sale.flash_sale_id);
            }
            if sale.status_at(now) == SaleStatus::Upcoming {
                next = next.filter(|next| next.start_date <= sale.start_date).or(Some(sale));
            } else {
                last = last.filter(|last| last.end_date >= sale.end_date).or(Some(sale));
            }
        }
        match (next, last) {
            (Some(next), _) => CurrentSale::Upcoming(next.flash_sale_id),
            (None, Some(last)) => CurrentSale::Ended(last.flash_sale_id),
            (None, None) => CurrentSale::NoSale,
        }
    }

    /// Whether a sale of a product ended so lately that somebody may ask about a purchase they made in time.
    pub fn has_just_ended(&self, product_id: ProductId, sale: SaleId) -> bool {
        let now = self.database_now();
        let board = self.board.load();
        board.sales_of(product_id).any(|s| s.flash_sale_id == sale && now - s.end_date < JUST_ENDED)
    }

    /// Whether a request of this user can be answered "sold out" from memory.
    pub fn is_sold_out_for(&self, sale: SaleId, user: UserId) -> bool {
        self.latches.load().get(&sale).is_some_and(|latch| !latch.holders.contains(&user))
    }

    /// Whether the sold-out latch of a sale is closed.
    pub fn is_latched(&self, sale: SaleId) -> bool {
        self.latches.load().contains_key(&sale)
    }

    /// Sets our estimate of the database's clock.
    pub fn set_clock(&self, time: DateTime<Utc>, at: Instant) {
        self.clock.store(Arc::new((time, at)));
    }

    /// Replaces the sales by what the database held at `database_time`, unless what is held is newer, and renders
    /// them as of now.
    pub fn set_sales(&self, mut sales: Vec<SaleSnapshot>, database_time: DateTime<Utc>) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.database_now();
        let held = self.board.load_full();
        let is_older = database_time < held.database_time && held.database_time - now < AHEAD_MAX;
        let board = if is_older {
            Board::new(held.sales.clone(), held.database_time, now)
        } else {
            keep_sold(&mut sales, &held);
            Board::new(sales, database_time, now)
        };
        let board = Arc::new(board);
        // Stored first: who is woken by the change looks at what is held.
        self.board.store(Arc::clone(&board));
        if board.etag != self.changes.borrow().etag {
            self.changes.send_replace(board);
        }
        self.refreshed_at.store(Some(Arc::new(Instant::now())));
    }

    /// Takes over units sold from notifications, without waiting for the next reading.
    pub fn set_sold(&self, sold: &HashMap<SaleId, i32>) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.board.load_full();
        let is_news = |s: &SaleSnapshot| sold.get(&s.flash_sale_id).is_some_and(|sold| *sold > s.sold);
        if held.sales.iter().any(is_news) {
            let mut sales = held.sales.clone();
            for sale in &mut sales {
                sale.sold = sold.get(&sale.flash_sale_id).map_or(sale.sold, |sold| sale.sold.max(*sold));
            }
            self.board.store(Arc::new(Board::new(sales, held.database_time, self.database_now())));
        }
    }

    /// Closes the sold-out latch of a sale; `holders` have an order in it.
    pub fn latch(&self, sale: SaleId, holders: HashSet<UserId>) {
        let latch = Arc::new(Latch { holders });
        self.latches.rcu(|latches| {
            let mut latches = HashMap::clone(latches);
            latches.insert(sale, Arc::clone(&latch));
            latches
        });
        self.full_gates.release(sale);
    }

    /// The sales whose gate was lately found full, and which are about to be latched.
    pub const fn full_gates(&self) -> &FullGates {
        &self.full_gates
    }

    /// Opens the latch of a sale that has units again, or is gone.
    pub fn unlatch(&self, sale: SaleId) {
        self.latches.rcu(|latches| {
            let mut latches = HashMap::clone(latches);
            latches.remove(&sale);
            latches
        });
    }

    /// The sales whose latch is closed.
    pub fn latched(&self) -> Vec<SaleId> {
        self.latches.load().keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::time::Instant;

    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{CurrentSale, SaleBoard};
    use crate::domain::SaleSnapshot;

    fn sale(id: u128, product: u128, from_s: i64, to_s: i64, now: DateTime<Utc>) -> SaleSnapshot {
        SaleSnapshot {
            flash_sale_id: Uuid::from_u128(id),
            product_id: Uuid::from_u128(product),
            name: "lamp".into(),
            description: String::new(),
            price_in_cents: 100,
            quantity: 10,
            sold: 0,
            live: 0,
            start_date: now + TimeDelta::seconds(from_s),
            end_date: now + TimeDelta::seconds(to_s),
        }
    }

    fn board() -> (SaleBoard, DateTime<Utc>) {
        let board = SaleBoard::default();
        // The database's clock is an hour ahead of ours.
        let now = Utc::now() + TimeDelta::hours(1);
        board.set_clock(now, Instant::now());
        (board, now)
    }

    #[test]
    fn the_window_is_judged_by_the_databases_clock() {
        let (board, now) = board();
        board.set_sales(
            vec![
                sale(1, 1, -10, 10, now),
                sale(2, 2, 10, 20, now),
                sale(3, 3, -20, -10, now),
                sale(4, 3, 55, 56, now),
                sale(5, 3, 5, 6, now),
                sale(6, 6, -40, -30, now),
                sale(7, 6, -20, -10, now),
                sale(8, 6, -30, -20, now),
            ],
            now,
        );
        let current = |product| board.current_sale(Uuid::from_u128(product));
        assert_eq!(current(1), CurrentSale::Open(Uuid::from_u128(1)));
        assert_eq!(current(2), CurrentSale::Upcoming(Uuid::from_u128(2)));
        assert_eq!(current(3), CurrentSale::Upcoming(Uuid::from_u128(5)), "the next, though one has ended");
        assert_eq!(current(6), CurrentSale::Ended(Uuid::from_u128(7)), "the one that ended last");
        assert_eq!(current(9), CurrentSale::NoSale);
        board.set_clock(now + TimeDelta::minutes(1), Instant::now());
        assert_eq!(current(1), CurrentSale::Ended(Uuid::from_u128(1)));
    }

    #[test]
    fn older_news_does_not_replace_newer() {
        let (board, now) = board();
        let mut newer = sale(1, 1, -10, 10, now);
        newer.sold = 5;
        board.set_sales(vec![newer], now);
        board.set_sales(vec![sale(1, 1, -10, 10, now)], now - TimeDelta::seconds(1));
        assert_eq!(board.current().sales[0].sold, 5);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_freeze_the_board() {
        let (board, now) = board();
        board.set_sales(vec![sale(1, 1, -10, 10, now)], now);
        let earlier = now - TimeDelta::hours(1);
        board.set_clock(earlier, Instant::now());
        board.set_sales(vec![sale(2, 2, -10, 10, earlier)], earlier);
        assert_eq!(board.current().sales[0].flash_sale_id, Uuid::from_u128(2));
    }

    #[test]
    fn the_entity_tag_follows_the_stock_and_not_the_clock() {
        let (board, now) = board();
        board.set_sales(vec![sale(1, 1, -10, 10, now)], now);
        let before = board.current();
        board.set_clock(now + TimeDelta::seconds(1), Instant::now());
        board.set_sales(vec![sale(1, 1, -10, 10, now)], now);
        let later = board.current();
        assert_eq!(before.etag, later.etag);
        assert_ne!(before.body, later.body);
        board.set_sold(&HashMap::from([(Uuid::from_u128(1), 3)]));
        assert_ne!(board.current().etag, later.etag);
    }

    #[test]
    fn a_closed_latch_lets_holders_through() {
        let (board, _) = board();
        let (sale, holder, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        assert!(!board.is_sold_out_for(sale, other));
        board.latch(sale, HashSet::from([holder]));
        assert!(board.is_sold_out_for(sale, other));
        assert!(!board.is_sold_out_for(sale, holder));
        board.unlatch(sale);
        assert!(!board.is_sold_out_for(sale, other));
    }
}
