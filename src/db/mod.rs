//! Floor 2: PostgreSQL. The only place that names its drivers: tokio-postgres behind a deadpool for everything that
//! runs, sqlx and pgmq for what `migrate` installs (docs/decisions/0003-drivers.md).
//!
//! Every use case is one call of one SQL function, in autocommit: no transaction is ever held open across a round
//! trip, so a future that is dropped leaves nothing behind on its connection.

mod activity;
mod books;
mod error;
mod idempotency;
pub mod migrate;
mod notifications;
mod ops;
mod orders;
mod outage;
mod pictures;
mod pooler;
mod primary;
mod sales;
mod sessions;
mod tls;
mod users;

pub use activity::AttemptAnswer;
pub use books::{BookRepair, UnbalancedBook};
pub use error::DbError;
pub use idempotency::{KeptAnswer, KeyClaim, KeyState};
pub use notifications::{Notification, listen};
pub use ops::{QueueHealth, SaleBook, ServerState};
pub use orders::{FollowedOrder, SettledBatch, SettledOrder};
pub use outage::Outage;
pub use pictures::StoredPicture;
pub use sales::{EndSale, SalesNow};
pub use users::{SessionUser, StoredUser};

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use metrics::{Histogram, histogram};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::config::deadlines;
use primary::{Servers, ToPrimary};

/// A bounded pool of connections to one database, on whichever of its servers is the primary.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    servers: Arc<Servers>,
    statement_max: Duration,
    outage: Option<Arc<Outage>>,
    pool_wait: Histogram,
}

impl Database {
    /// A pool of `size` connections, opened when they are needed; `statement` bounds every statement, on the server
    /// and, one second later, here.
    ///
    /// # Errors
    /// [`DbError::Url`] when the URL cannot be parsed; an unreachable server shows only at the first query.
    pub fn new(url: &str, size: usize, application: &str, statement: Duration) -> Result<Self, DbError> {
        let servers = Arc::new(Servers::new(url, application, statement)?);
        let manager = Manager::from_connect(
            servers.config().clone(),
            ToPrimary(Arc::clone(&servers)),
            // `Fast` does no clean-up, and none is needed: see the top of this file.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(deadlines::POOL_WAIT))
            .create_timeout(Some(deadlines::CONNECT))
            .recycle_timeout(Some(deadlines::POOL_WAIT))
            .post_create(Hook::async_fn(|connection, _| Box::pin(notice_gone_clients(connection))))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| DbError::Url(e.to_string()))?;
        let pool_wait = histogram!("flashsale_database_pool_wait_seconds", "pool" => application.to_owned());
        Ok(Self { pool, servers, statement_max: statement + Duration::from_secs(1), outage: None, pool_wait })
    }

    /// Says there how its calls go.
    pub fn telling(self, outage: &Arc<Outage>) -> Self {
        Self { outage: Some(Arc::clone(outage)), ..self }
    }

    /// Runs one statement and returns its rows. `sql` is static text; its plan is kept by each connection.
    async fn query(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DbError> {
        self.query_within(self.statement_max, sql, parameters).await
    }

    /// As [`query`](Self::query), given up after `limit`, the wait for a connection included.
    async fn query_within(
        &self,
        limit: Duration,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DbError> {
        let answer = self.query_once(limit, sql, parameters).await;
        match (&self.outage, &answer) {
            (Some(outage), Ok(_)) => outage.worked(),
            (Some(outage), Err(error)) if error.is_outage() => outage.failed(error),
            _ => {}
        }
        answer
    }

    async fn query_once(
        &self,
        limit: Duration,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DbError> {
        let started = Instant::now();
        let connection = tokio::time::timeout(limit, self.pool.get())
            .await
            .map_err(|_| DbError::Unreachable(format!("no connection within {limit:?}")))??;
        self.pool_wait.record(started.elapsed().as_secs_f64());
        let connected = deadpool_postgres::Object::metrics(&connection).created;
        let connection = Borrowed(Some(connection));
        let call = async {
            let statement = connection.prepare_cached(sql).await.map_err(DbError::not_sent)?;
            connection.query(&statement, parameters).await.map_err(DbError::sent)
        };
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = tokio::time::sleep(limit.saturating_sub(started.elapsed())) => Err(DbError::TimedOut(limit)),
            () = self.servers.primary_moved_after(connected) => {
                Err(DbError::Lost("another server has become the primary".to_owned()))
            }
        };
        match &answer {
            Err(DbError::TimedOut(_) | DbError::Lost(_)) => self.leave_server(),
            Err(error) if error.is_of_a_standby() => self.leave_server(),
            _ => connection.give_back(),
        }
        answer
    }

    /// Closes the connections that nobody uses: the server did not answer in time, not even that time was up, or takes no
    /// writes any more. Who comes next asks anew who does.
    fn leave_server(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Asks for exactly one row.
    async fn query_one(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, DbError> {
        self.query(sql, parameters)
            .await?
            .pop()
            .ok_or(DbError::Unexpected("a query that answers one row answered none"))
    }

    /// Whether the database answers and holds at least the migrations of this binary.
    ///
    /// # Errors
    /// [`InstallError`](migrate::InstallError), one sentence saying what to do.
    pub async fn check_migrations(&self) -> Result<(), migrate::InstallError> {
        let unreachable = |error: DbError| migrate::InstallError::Unreachable(error.to_string());
        let found = self.query_one("select flashsale.installed_migration()", &[]).await.map_err(unreachable)?.get(0);
        migrate::compare(found)
    }

    /// Connections open and in use.
    pub fn pool_status(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.size.saturating_sub(status.available))
    }
}

/// The server looks now and then whether we are still there: a statement whose connection is gone must not go on waiting
/// for a lock and commit long after its caller was told that its fate is unknown. Some platforms cannot (PostgreSQL before
/// 16 outside Linux), and then it goes on until its own time is up.
async fn notice_gone_clients(connection: &ClientWrapper) -> Result<(), HookError> {
    if let Err(error) = connection.batch_execute("set client_connection_check_interval = '250ms'").await {
        if error.as_db_error().is_none() {
            return Err(HookError::Backend(error));
        }
        tracing::debug!(%error, "the server cannot notice that a client is gone");
    }
    Ok(())
}

/// A connection while a statement runs on it. Dropped before it is given back (time is up, or the caller hung up) it is
/// closed: its statement may still be running, and nobody else must wait behind it.
struct Borrowed(Option<deadpool_postgres::Object>);

impl Borrowed {
    fn give_back(mut self) {
        self.0.take();
    }
}

impl std::ops::Deref for Borrowed {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("a connection given back is not used"),
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(deadpool_postgres::Object::take(connection));
        }
    }
}
