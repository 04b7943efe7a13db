//! Sessions ended by logout before their tokens expire.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Database, DbError};

impl Database {
    /// Ends a session and tells every API process.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end_session(&self, session_id: Uuid, expires_at: DateTime<Utc>) -> Result<(), DbError> {
        self.query("select flashsale.end_session($1, $2)", &[&session_id, &expires_at]).await.map(drop)
    }

    /// The sessions that ended and whose tokens have not expired.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_ended_sessions(&self) -> Result<Vec<Uuid>, DbError> {
        let rows = self.query("select session_id from flashsale.list_ended_sessions()", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
