//! Users: registering, finding, their rights.

use uuid::Uuid;

use super::{Database, DbError};
use crate::domain::{Email, UserId};

/// What signing in needs of a user.
#[derive(Debug, Clone)]
pub struct StoredUser {
    pub user_id: UserId,
    /// argon2id in PHC string format.
    pub password_hash: String,
    pub is_administrator: bool,
}

/// The user behind a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUser {
    pub email: String,
    pub is_administrator: bool,
}

impl Database {
    /// # Errors
    /// [`DbError::Refused`] with the constraint `email_taken_once`; other [`DbError`]s.
    pub async fn create_user(
        &self,
        user_id: UserId,
        email: &Email,
        password_hash: &str,
        is_administrator: bool,
    ) -> Result<(), DbError> {
        self.query(
            "select flashsale.create_user($1, $2, $3, $4)",
            &[&user_id, &email.as_str(), &password_hash, &is_administrator],
        )
        .await
        .map(drop)
    }

    /// # Errors
    /// [`DbError`].
    pub async fn find_user_by_email(&self, email: &Email) -> Result<Option<StoredUser>, DbError> {
        let rows = self
            .query(
                "select user_id, password, is_administrator from flashsale.find_user_by_email($1)",
                &[&email.as_str()],
            )
            .await?;
        Ok(rows.first().map(|row| StoredUser {
            user_id: row.get::<_, Uuid>(0),
            password_hash: row.get(1),
            is_administrator: row.get(2),
        }))
    }

    /// `None` for a user who is disabled or was deleted.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_session(&self, user_id: UserId) -> Result<Option<SessionUser>, DbError> {
        let rows = self.query("select email, is_administrator from flashsale.find_session($1)", &[&user_id]).await?;
        Ok(rows.first().map(|row| SessionUser { email: row.get(0), is_administrator: row.get(1) }))
    }

    /// # Errors
    /// [`DbError`].
    pub async fn is_administrator(&self, user_id: UserId) -> Result<bool, DbError> {
        Ok(self.query_one("select flashsale.is_administrator($1)", &[&user_id]).await?.get(0))
    }
}
