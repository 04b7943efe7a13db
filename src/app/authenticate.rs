//! Users: signing up and signing in.

use uuid::Uuid;

use super::Unavailable;
use super::passwords::{HashError, Passwords};
use super::sessions::Session;
use crate::db::{Database, DbError, SessionUser};
use crate::domain::{Email, Password, UserId};

/// What is wrong with a password that guessers try first, as the rest of a sentence.
pub const COMMON_PASSWORD: &str = "is a common password or word, or your own address: choose one that nobody guesses";

/// Why a user was not registered.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Guessers try this one first.
    #[error("password: {COMMON_PASSWORD}")]
    PasswordTooCommon,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Registers a user.
///
/// # Errors
/// [`CreateUserError`].
pub async fn create_user(
    database: &Database,
    passwords: &Passwords,
    email: &Email,
    password: Password,
    is_administrator: bool,
) -> Result<UserId, CreateUserError> {
    let hash = passwords.hash(email.clone(), password).await?;
    let user_id = Uuid::now_v7();
    let mut created = database.create_user(user_id, email, &hash, is_administrator).await;
    let is_second_try = created.as_ref().is_err_and(DbError::is_outcome_unknown);
    if is_second_try {
        created = database.create_user(user_id, email, &hash, is_administrator).await;
    }
    match created {
        Ok(()) => Ok(user_id),
        // The try whose reply was lost may have been the one that took it.
        Err(error) if is_second_try && error.constraint() == Some("users_pkey") => Ok(user_id),
        Err(error) if error.constraint() == Some("email_taken_once") => {
            let found = if is_second_try { database.find_user_by_email(email).await.ok().flatten() } else { None };
            if found.is_some_and(|user| user.user_id == user_id) {
                Ok(user_id)
            } else {
                Err(CreateUserError::EmailTaken)
            }
        }
        Err(error) => Err(Unavailable::from(error).into()),
    }
}

/// The user whose e-mail address and password these are; `None` for an unknown address as for a wrong password, after
/// the same time.
///
/// # Errors
/// [`Unavailable`].
pub async fn authenticate(
    database: &Database,
    passwords: &Passwords,
    email: &Email,
    password: Password,
) -> Result<Option<UserId>, Unavailable> {
    let user = database.find_user_by_email(email).await?;
    let (user_id, stored) = user.map(|user| (user.user_id, user.password_hash)).unzip();
    let matches = passwords.verify(password, stored).await?;
    Ok(user_id.filter(|_| matches))
}

/// The user behind a session; `None` for one who was disabled or deleted since it began.
///
/// # Errors
/// [`Unavailable`].
pub async fn find_session(database: &Database, session: &Session) -> Result<Option<SessionUser>, Unavailable> {
    Ok(database.find_session(session.user_id).await?)
}

/// Creates an administrator unless a user with this address exists; answers whether one was created.
///
/// # Errors
/// [`CreateUserError`].
pub async fn ensure_administrator(
    database: &Database,
    passwords: &Passwords,
    email: &Email,
    password: Password,
) -> Result<bool, CreateUserError> {
    if database.find_user_by_email(email).await?.is_some() {
        return Ok(false);
    }
    match create_user(database, passwords, email, password, true).await {
        Ok(_) => Ok(true),
        // Somebody else was faster, or the user is disabled.
        Err(CreateUserError::EmailTaken) => Ok(false),
        Err(error) => Err(error),
    }
}

impl From<HashError> for CreateUserError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::TooCommon => Self::PasswordTooCommon,
            HashError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<DbError> for CreateUserError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(error.into())
    }
}
