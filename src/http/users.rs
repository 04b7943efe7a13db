//! `/users`: signing up, in and out.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::{self, Caller, SESSION_COOKIE};
use super::client::Client;
use super::json::Json;
use super::limits::{note_exceeded, refuse, with_allowance};
use super::problem::Problem;
use super::state::Api;
use crate::app::authenticate::{self, COMMON_PASSWORD, CreateUserError};
use crate::app::devices::DEVICE_TIME;
use crate::app::guesses::Guesses;
use crate::app::security_events::{SecurityEvent, SecurityEventKind};
use crate::app::sessions::{SESSION_TIME, Session};
use crate::db::SessionUser;
use crate::domain::{Email, InvalidField, Password};

/// The HttpOnly cookie that says that this browser was signed in to an account before.
const DEVICE_COOKIE: &str = "flashsale_device";

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
    pub user_id: Uuid,
    pub email: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenView {
    pub token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    pub user_id: Uuid,
}

/// The session of the caller.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Null when nobody is signed in.
    #[schema(required)]
    pub user: Option<SessionUserView>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionUserView {
    pub user_id: Uuid,
    pub email: String,
    pub is_administrator: bool,
    /// When the session ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Registers a user.
#[utoipa::path(post, path = "/users", tag = "users", request_body = Credentials, responses(
    (status = 201, body = UserView),
))]
pub async fn create_user(
    State(api): State<Api>,
    client: Client,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Problem> {
    let allowance = api.limits.take_sign_in(&client).await?;
    let created = register(&api, &client, credentials).await;
    Ok(with_allowance(allowance, created))
}

async fn register(api: &Api, client: &Client, credentials: Credentials) -> Result<Response, Problem> {
    let email = Email::parse(&credentials.email)?;
    let password = Password::parse_new(credentials.password)?;
    let user_id = authenticate::create_user(&api.database, &api.passwords, &email, password, false).await?;
    SecurityEvent { user_id: Some(user_id), ..client.security_event() }.note(SecurityEventKind::UserCreated);
    let view = UserView { user_id, email: email.as_str().to_owned() };
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

/// Signs a user in: a token, and the same as an HttpOnly cookie.
#[utoipa::path(post, path = "/users/authenticate", tag = "users", request_body = Credentials, responses(
    (status = 200, body = TokenView),
))]
pub async fn authenticate(
    State(api): State<Api>,
    client: Client,
    jar: CookieJar,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Problem> {
    let allowance = api.limits.take_sign_in(&client).await?;
    let signed_in = sign_in(&api, &client, &jar, credentials).await;
    Ok(with_allowance(allowance, signed_in))
}

async fn sign_in(api: &Api, client: &Client, jar: &CookieJar, credentials: Credentials) -> Result<Response, Problem> {
    let password = Password::parse_given(credentials.password)?;
    let email = Email::parse(&credentials.email)?;
    let account = api.sessions.keyed_hash(&[b"account", email.as_str().as_bytes()]);
    let device = jar.get(DEVICE_COOKIE).and_then(|cookie| api.devices.verify(cookie.value(), &account));
    let guesses = Guesses::of(&api.limits.rates, &account, device, client.address);
    guesses.may_guess().await.map_err(|exceeded| refuse(&exceeded, client.security_event()))?;
    let Some(user_id) = authenticate::authenticate(&api.database, &api.passwords, &email, password).await? else {
        if let Err(exceeded) = guesses.note_wrong().await {
            note_exceeded(&exceeded, client.security_event());
        }
        SecurityEvent { account: Some(&guesses.account_name()), ..client.security_event() }
            .note(SecurityEventKind::SignInFailed);
        return Err(invalid_credentials());
    };
    SecurityEvent { user_id: Some(user_id), ..client.security_event() }.note(SecurityEventKind::SignInSucceeded);
    let (token, session) = api.sessions.issue(user_id).map_err(|error| not_signed(&error))?;
    // The session first: a client that knows of one cookie only takes that.
    let mut cookies = vec![cookie(client, SESSION_COOKIE, token.clone(), "/")];
    if device.is_none() {
        let known = api.devices.issue(&account).map_err(|error| not_signed(&error))?;
        let mut kept = cookie(client, DEVICE_COOKIE, known, "/users/authenticate");
        kept.set_max_age(DEVICE_TIME.try_into().ok());
        cookies.push(kept);
    }
    let expires_in = SESSION_TIME.as_secs();
    let view = TokenView { token, token_type: "Bearer", expires_in, user_id: session.user_id };
    let mut response = axum::Json(view).into_response();
    for cookie in cookies {
        // Names, tokens and paths of ours are plain ASCII.
        if let Ok(value) = cookie.to_string().parse() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

pub fn invalid_credentials() -> Problem {
    let wrong = "The e-mail address or the password is wrong";
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", wrong)
}

fn cookie(client: &Client, name: &'static str, value: String, path: &'static str) -> Cookie<'static> {
    Cookie::build((name, value)).path(path).http_only(true).same_site(SameSite::Lax).secure(client.is_https).build()
}

fn not_signed(error: &anyhow::Error) -> Problem {
    tracing::error!(%error, "a token could not be signed");
    Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Who is calling: the user of the session, or nobody. A session that ended, expired or never was is nobody, not an error.
#[utoipa::path(get, path = "/users/session", tag = "users", security((), ("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SessionView),
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
))]
pub async fn end_session(
    State(api): State<Api>,
    Caller(session): Caller,
    client: Client,
    jar: CookieJar,
) -> Result<impl IntoResponse, Problem> {
    api.database.end_session(session.session_id, session.expires_at).await?;
    api.sessions.note_ended(session.session_id);
    api.outcomes.end_session(session.session_id);
    SecurityEvent { user_id: Some(session.user_id), ..client.security_event() }.note(SecurityEventKind::SessionEnded);
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

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::EmailTaken => Self::new(
                StatusCode::CONFLICT,
                "email_taken",
                "This e-mail address is registered already: sign in, or use another",
            ),
            CreateUserError::PasswordTooCommon => InvalidField::new("password", COMMON_PASSWORD).into(),
            CreateUserError::Unavailable(error) => error.into(),
        }
    }
}
