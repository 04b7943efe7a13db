//! The ops views, for `flashsale doctor`.

use uuid::Uuid;

use super::{Database, DbError};

/// One row of `ops.sale_books`.
#[derive(Debug, Clone)]
pub struct SaleBook {
    pub flash_sale_id: Uuid,
    pub name: String,
    pub quantity: i32,
    pub sold: i32,
    pub balanced: bool,
}

/// `ops.queue_health`.
#[derive(Debug, Clone)]
pub struct QueueHealth {
    pub depth: i64,
    pub oldest_age_s: f64,
    pub drain_rate_per_s: f64,
    pub dead_letters: i64,
    /// Unknown to a user without `pg_read_all_stats`.
    pub oldest_xmin_age_s: Option<f64>,
}

/// What promises and speed rest on, as the server has it.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// As `server_version_num`.
    pub version: i32,
    /// Settings that should be `on` and are not.
    pub switched_off: Vec<String>,
    /// Dead rows of the queue and its dead letters.
    pub dead_tuples: i64,
    /// People's logins without time-outs.
    pub unbounded_logins: Vec<String>,
}

impl Database {
    /// # Errors
    /// [`DbError`].
    pub async fn server_state(&self) -> Result<ServerState, DbError> {
        let row = self
            .query_one(
                "select current_setting('server_version_num')::integer, \
                        array(select name from pg_settings \
                              where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'track_counts') \
                                  and setting in ('off', 'local') order by name), \
                        coalesce((select dead_tuples from ops.queue_health), 0)::bigint, \
                        array(select login::text from ops.logins where 'flashsale_dba' = any (roles) and not bounded \
                              order by login)",
                &[],
            )
            .await?;
        Ok(ServerState {
            version: row.get(0),
            switched_off: row.get(1),
            dead_tuples: row.get(2),
            unbounded_logins: row.get(3),
        })
    }

    /// # Errors
    /// [`DbError`].
    pub async fn sale_books(&self) -> Result<Vec<SaleBook>, DbError> {
        let rows = self.query("select flash_sale_id, name, quantity, sold, balanced from ops.sale_books", &[]).await?;
        Ok(rows
            .iter()
            .map(|row| SaleBook {
                flash_sale_id: row.get(0),
                name: row.get(1),
                quantity: row.get(2),
                sold: row.get(3),
                balanced: row.get(4),
            })
            .collect())
    }

    /// # Errors
    /// [`DbError`].
    pub async fn queue_health(&self) -> Result<QueueHealth, DbError> {
        let row = self
            .query_one(
                "select depth, oldest_age_s::float8, drain_rate_per_s::float8, dead_letters, oldest_xmin_age_s::float8 \
                 from ops.queue_health",
                &[],
            )
            .await?;
        Ok(QueueHealth {
            depth: row.get(0),
            oldest_age_s: row.get(1),
            drain_rate_per_s: row.get(2),
            dead_letters: row.get(3),
            oldest_xmin_age_s: row.get(4),
        })
    }
}
