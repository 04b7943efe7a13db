//! What an API process does besides answering: it follows the database, so that what it holds in memory is fresh and
//! what it hears reaches those who wait.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use metrics::gauge;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::outcomes::Outcomes;
use super::place_order::Purchases;
use super::reconcile_gate::{GateReconciler, sales_with_gate};
use super::retry::{Complaint, RetryPause};
use super::sale_board::SaleBoard;
use super::sessions::{EndedSessions, Sessions};
use crate::config::intervals;
use crate::db::{self, Database, DbError, Notification, Outage};
use crate::domain::{SaleId, SaleSnapshot};
use crate::gate::TokenGate;

/// Orders asked for by one sweep.
const SWEEP_MAX: usize = 5000;
/// Longer than this at a time, sold-out latches are not closed: reading the holders of many large sales takes seconds, and
/// nothing else in memory is refreshed meanwhile.
const LATCHES_BUDGET: Duration = Duration::from_millis(100);
/// Announcements taken in at once.
const NEWS_MAX: usize = 256;

/// What follows, and what is kept fresh.
pub struct Follower {
    pub database: Database,
    pub outage: Arc<Outage>,
    pub board: Arc<SaleBoard>,
    pub gate: Arc<TokenGate>,
    pub outcomes: Arc<Outcomes>,
    pub purchases: Arc<Purchases>,
    pub sessions: Arc<Sessions>,
}

impl Follower {
    /// Follows until `stopping`. `urls` is where to listen; the first also tells the time.
    pub async fn follow_until(self, stopping: CancellationToken, urls: Vec<String>) {
        let (announce, announced) = mpsc::channel(1024);
        let listening =
            urls.iter().enumerate().map(|(place, url)| listen_for_ever(url, place == 0, &announce, &self.outage));
        tokio::select! {
            () = stopping.cancelled() => {}
            _ = join_all(listening) => {}
            () = self.keep_fresh(announced) => {}
        }
    }

    async fn keep_fresh(&self, mut announced: mpsc::Receiver<Notification>) {
        let mut board = ticker(intervals::BOARD_REFRESH);
        let mut sweep = ticker(intervals::OUTCOME_SWEEP);
        let mut reconcile = ticker(intervals::RECONCILE);
        let mut sessions = ticker(intervals::SESSIONS_RELOAD);
        let mut reconciler = GateReconciler::default();
        let mut news = Vec::with_capacity(NEWS_MAX);
        let mut complaint = Complaint::default();
        loop {
            let done = tokio::select! {
                received = announced.recv_many(&mut news, NEWS_MAX) => match received {
                    0 => return,
                    _ => self.take_in(&mut news, &mut reconciler).await,
                },
                _ = board.tick() => self.refresh_board().await,
                _ = sweep.tick() => self.sweep_outcomes().await,
                _ = reconcile.tick() => self.reconcile_process_gate(&mut reconciler).await,
                _ = sessions.tick() => {
                    let loaded = self.load_ended_sessions().await;
                    if loaded.is_err() {
                        sessions.reset_after(intervals::BOARD_REFRESH);
                    }
                    loaded
                }
            };
            // What failed here is tried again with the next tick.
            if let Err(error) = done
                && complaint.is_due(&error)
            {
                tracing::error!(%error, "what this process holds cannot be refreshed: trying again until it can");
            }
        }
    }

    /// Takes in what was announced since the last time: outcomes first, because somebody waits for them.
    async fn take_in(&self, news: &mut Vec<Notification>, reconciler: &mut GateReconciler) -> Result<(), DbError> {
        let mut all_sold: HashMap<SaleId, i32> = HashMap::new();
        let (mut listening, mut sale_changed) = (false, false);
        for notification in news.drain(..) {
            match notification {
                Notification::Settled { flash_sale_id, sold, outcomes } => {
                    let known = all_sold.entry(flash_sale_id).or_default();
                    *known = sold.max(*known);
                    self.purchases.orders_settled(flash_sale_id, &outcomes).await;
                }
                Notification::Clock(time, at) => self.board.set_clock(time, at),
                Notification::SaleChanged => sale_changed = true,
                Notification::SessionEnded(session_id) => {
                    self.sessions.note_ended(session_id);
                    self.outcomes.end_session(session_id);
                }
                Notification::UserEnded(user_id, ended_at) => {
                    self.sessions.note_user_ended(user_id, ended_at);
                    self.outcomes.end_user(user_id);
                }
                Notification::Listening => listening = true,
            }
        }
        self.board.set_sold(&all_sold);
        if listening {
            // Anything may have happened while nobody listened.
            self.outcomes.end_streams();
            self.load_ended_sessions().await?;
        }
        if listening || sale_changed {
            refresh_board_from_database(&self.database, &self.board).await?;
            self.reconcile_process_gate(reconciler).await?;
        }
        self.keep_latches().await
    }

    async fn load_ended_sessions(&self) -> Result<(), DbError> {
        self.sessions.replace_ended(read_ended_sessions(&self.database).await?);
        Ok(())
    }

    /// Refreshes the board from the shared read cache that workers keep in Redis, or from the database without it.
    async fn refresh_board(&self) -> Result<(), DbError> {
        if let Some(redis) = self.gate.redis() {
            match redis.get_sales().await {
                Ok(Some((database_time, sales))) => {
                    self.board.set_sales(sales, database_time);
                    return self.keep_latches().await;
                }
                Ok(None) => {}
                Err(error) => redis.mark_unavailable(&error),
            }
        }
        refresh_board_from_database(&self.database, &self.board).await?;
        self.keep_latches().await
    }

    /// Opens the sold-out latch of sales that have units again. Closes that of sold-out sales which somebody asks for;
    /// what is not closed within [`LATCHES_BUDGET`] is closed by the next refresh.
    async fn keep_latches(&self) -> Result<(), DbError> {
        let board = self.board.current();
        let now = self.board.database_now();
        let near: Vec<&SaleSnapshot> = sales_with_gate(&board.sales, now).collect();
        let sold_out: HashSet<SaleId> = near.iter().filter(|s| s.is_sold_out()).map(|s| s.flash_sale_id).collect();
        for latched in self.board.latched() {
            if !sold_out.contains(&latched) {
                self.board.unlatch(latched);
            }
        }
        let unlatched = near.into_iter().filter(|sale| {
            let id = sale.flash_sale_id;
            sale.is_sold_out() && self.board.full_gates().contains(id) && !self.board.is_latched(id)
        });
        let begun = Instant::now();
        for sale in unlatched {
            if begun.elapsed() > LATCHES_BUDGET {
                break;
            }
            let holders = self.database.live_orders(sale.product_id, sale.flash_sale_id).await?;
            self.board.latch(sale.flash_sale_id, holders.into_iter().map(|(user, _)| user).collect());
        }
        Ok(())
    }

    /// Asks for the outcomes of orders that somebody waits for and that no notification told about.
    async fn sweep_outcomes(&self) -> Result<(), DbError> {
        let overdue = self.outcomes.overdue(intervals::OUTCOME_SWEEP);
        for order_ids in overdue.chunks(SWEEP_MAX) {
            for (order_id, user_id, sale, outcome) in self.database.find_outcomes(order_ids).await? {
                self.purchases.orders_settled(sale, &[(order_id, user_id, outcome)]).await;
            }
        }
        Ok(())
    }

    /// Keeps the gate of this process ready while Redis is not.
    async fn reconcile_process_gate(&self, reconciler: &mut GateReconciler) -> Result<(), DbError> {
        let gate = self.gate.process();
        match self.gate.redis() {
            // Redis may go away again as suddenly: this gate is given up only after a while.
            Some(redis) if redis.is_settled() => {
                gate.retain(&[]);
                return Ok(());
            }
            Some(_) if gate.free_tokens().is_empty() => return Ok(()),
            _ => {}
        }
        let board = self.board.current();
        let now = self.board.database_now();
        let mut sales: Vec<&SaleSnapshot> = sales_with_gate(&board.sales, now).collect();
        reconciler.begin_round(&mut sales);
        gate.retain(&sales.iter().map(|sale| sale.flash_sale_id).collect::<Vec<_>>());
        for sale in sales {
            if let Err(super::reconcile_gate::ReconcileError::Database(error)) =
                reconciler.reconcile_process(gate, &self.database, sale).await
            {
                return Err(error);
            }
        }
        for (sale, tokens) in gate.free_tokens() {
            gauge!("flashsale_gate_tokens", "flash_sale_id" => sale.to_string()).set(tokens as f64);
        }
        Ok(())
    }
}

/// Reads the sales from the database and puts them on the board.
///
/// # Errors
/// [`DbError`].
pub async fn refresh_board_from_database(database: &Database, board: &SaleBoard) -> Result<(), DbError> {
    let now = database.list_sales().await?;
    board.set_clock(now.database_time, now.read_at);
    board.set_sales(now.sales, now.database_time);
    Ok(())
}

/// Reads from the database what ended before its tokens expire.
///
/// # Errors
/// [`DbError`].
pub async fn read_ended_sessions(database: &Database) -> Result<EndedSessions, DbError> {
    Ok(EndedSessions {
        sessions: database.list_ended_sessions().await?.into_iter().collect(),
        users: database.list_ended_users().await?.into_iter().collect(),
    })
}

/// Asks Redis regularly whether it answers.
pub async fn probe_redis(gate: Arc<crate::gate::RedisGate>) {
    let mut probe = ticker(intervals::BOARD_REFRESH);
    loop {
        probe.tick().await;
        gate.probe().await;
    }
}

async fn listen_for_ever(url: &str, tells_time: bool, announce: &mpsc::Sender<Notification>, outage: &Outage) {
    let mut retry = RetryPause::default();
    loop {
        let listening = db::listen(url, "flashsale listener", tells_time, announce, || retry.reset()).await;
        let Err(error) = listening else { return };
        outage.failed(&error);
        tokio::time::sleep(retry.next()).await;
    }
}

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
