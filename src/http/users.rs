//! `/users`: signing up, in and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::{self, Caller, SESSION_COOKIE};
use super::json::Json;
use super::problem::{Problem, ProblemBody};
use super::state::Api;
use crate::app::authenticate::{self, CreateUserError};
use crate::app::sessions::{SESSION_TIME, Session};
use crate::db::SessionUser;
use crate::domain::{Email, Password};

/// An e-mail address and a password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(
        example = "ada@example.org",
        min_length = 3,
        max_length = 254,
        pattern = r"^\s*[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+\s*$"
    )]
    email: String,
    #[schema(format = Password, example = "correct horse battery", min_length = 8, max_length = 128)]
    password: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct UserView {
    user_id: Uuid,
    email: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenView {
    token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    user_id: Uuid,
}

/// The session of the caller.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Null when nobody is signed in.
    #[schema(required)]
    user: Option<SessionUserView>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionUserView {
    user_id: Uuid,
    email: String,
    is_administrator: bool,
    /// When the session ends by itself.
    expires_at: DateTime<Utc>,
}

/// Registers a user.
#[utoipa::path(post, path = "/users", tag = "users", request_body = Credentials, responses(
    (status = 201, body = UserView),
    (status = 400, body = ProblemBody, description = "invalid_request"),
    (status = 409, body = ProblemBody, description = "email_taken"),
    (status = 429, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub async fn create_user(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Json(credentials): Json<Credentials>,
) -> Result<impl IntoResponse, Problem> {
    api.limits.check_sign_in(address.ip())?;
    let email = Email::parse(&credentials.email)?;
    let password = Password::parse_new(credentials.password)?;
    let user_id = authenticate::create_user(&api.database, &api.passwords, &email, password, false).await?;
    Ok((StatusCode::CREATED, axum::Json(UserView { user_id, email: email.as_str().to_owned() })))
}

/// Signs a user in: a token, and the same as an HttpOnly cookie.
#[utoipa::path(post, path = "/users/authenticate", tag = "users", request_body = Credentials, responses(
    (status = 200, body = TokenView),
    (status = 400, body = ProblemBody, description = "invalid_request"),
    (status = 401, body = ProblemBody, description = "invalid_credentials"),
    (status = 429, body = ProblemBody),
    (status = 503, body = ProblemBody, description = "hashing is saturated"),
))]
pub async fn authenticate(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    jar: CookieJar,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Problem> {
    api.limits.check_sign_in(address.ip())?;
    let wrong =
        || Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", "The e-mail address or the password is wrong");
    let password = Password::parse_given(credentials.password)?;
    let email = Email::parse(&credentials.email)?;
    let user_id = authenticate::authenticate(&api.database, &api.passwords, &email, password).await?;
    let user_id = user_id.ok_or_else(wrong)?;
    let (token, session) = api.sessions.issue(user_id).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let cookie = Cookie::build((SESSION_COOKIE, token.clone()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_https(&headers))
        .build();
    let expires_in = SESSION_TIME.as_secs();
    let view = TokenView { token, token_type: "Bearer", expires_in, user_id: session.user_id };
    Ok((jar.add(cookie), axum::Json(view)).into_response())
}

/// Who is calling: the user of the session, or nobody. A session that ended, expired or never was is nobody, not an error.
#[utoipa::path(get, path = "/users/session", tag = "users", security((), ("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SessionView),
    (status = 503, body = ProblemBody),
))]
pub async fn find_session(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
) -> Result<axum::Json<SessionView>, Problem> {
    let Ok(session) = auth::session(&method, &headers, &api) else {
        return Ok(axum::Json(SessionView { user: None }));
    };
    let user = authenticate::find_session(&api.database, &session).await?;
    Ok(axum::Json(SessionView { user: user.map(|user| SessionUserView::of(user, &session)) }))
}

/// Ends the caller's session: its token no longer works.
#[utoipa::path(delete, path = "/users/session", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204),
    (status = 401, body = ProblemBody),
    (status = 503, body = ProblemBody),
))]
pub async fn end_session(
    State(api): State<Api>,
    Caller(session): Caller,
    jar: CookieJar,
) -> Result<impl IntoResponse, Problem> {
    api.database.end_session(session.session_id, session.expires_at).await?;
    api.sessions.note_ended(session.session_id);
    let removed = jar.remove(Cookie::build(SESSION_COOKIE).path("/").build());
    Ok((StatusCode::NO_CONTENT, removed))
}

impl SessionUserView {
    fn of(user: SessionUser, session: &Session) -> Self {
        Self {
            user_id: session.user_id,
            email: user.email,
            is_administrator: user.is_administrator,
            expires_at: session.expires_at,
        }
    }
}

/// Whether the browser reached us (or the proxy in front of us) by https.
fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::EmailTaken => Self::new(
                StatusCode::CONFLICT,
                "email_taken",
                "This e-mail address is registered already: sign in, or use another",
            ),
            CreateUserError::Unavailable(error) => error.into(),
        }
    }
}
