//! Sessions that ended before their tokens expire: by logout, or with their user.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Database, DbError};
use crate::domain::{Email, UserId};

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

    /// The users all of whose sessions ended, and when, while a token from before may not have expired.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_ended_users(&self) -> Result<Vec<(UserId, DateTime<Utc>)>, DbError> {
        let rows = self.query("select user_id, ended_at from flashsale.list_ended_users()", &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Disables a user or lets one in again; whether there is one with this address. For whoever owns the database.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn set_user_disabled(&self, email: &Email, is_disabled: bool) -> Result<bool, DbError> {
        let row =
            self.query_one("select flashsale.set_user_disabled($1, $2)", &[&email.as_str(), &is_disabled]).await?;
        Ok(row.get(0))
    }

    /// Ends all sessions of a user that began until now. For whoever owns the database.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end_sessions_of_user(&self, user_id: UserId) -> Result<(), DbError> {
        self.query("select flashsale.end_sessions_of_user($1)", &[&user_id]).await.map(drop)
    }
}
