//! The engine's routes without the engine: after the same accept loop, token check and body parsing, an answer that was
//! recorded from the engine is given again, headers and all. What the engine does on top is what the ratio shows.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use flashsale::app::sessions::Sessions;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bearer::Bearer;
use super::listen;
use crate::client::Exchanged;
use crate::tokens;

/// Headers that the HTTP server writes itself.
const HEADERS_OF_THE_SERVER: [&str; 4] = ["date", "content-length", "connection", "transfer-encoding"];
const HEADERS_MAX: usize = 64;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    /// File of the recorded answers (JSON)
    #[arg(long)]
    recorded: PathBuf,
    #[arg(env = "JWT_SECRET", hide_env_values = true)]
    jwt_secret: String,
}

/// An answer of the engine, to be given again.
#[derive(Serialize, Deserialize)]
pub struct Recorded {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What the plain server answers on the two routes.
#[derive(Serialize, Deserialize)]
pub struct Recording {
    pub purchase: Recorded,
    pub sales: Recorded,
}

impl Recorded {
    pub fn of(answer: &Exchanged) -> anyhow::Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&answer.head).context("the recorded answer cannot be parsed")?;
        let headers = response.headers.iter().map(|header| (header.name.to_ascii_lowercase(), header.value));
        let headers = headers
            .filter(|(name, _)| !HEADERS_OF_THE_SERVER.contains(&name.as_str()))
            .map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()))
            .collect();
        let body = String::from_utf8(answer.body.clone()).context("the recorded body is not UTF-8")?;
        Ok(Self { status: answer.status, headers, body })
    }
}

struct Constant {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Constant {
    fn of(recorded: Recorded) -> anyhow::Result<Self> {
        let headers = recorded.headers.iter();
        let headers = headers.map(|(name, value)| Ok((HeaderName::try_from(name)?, HeaderValue::try_from(value)?)));
        Ok(Self {
            status: StatusCode::from_u16(recorded.status)?,
            headers: headers.collect::<anyhow::Result<_>>()?,
            body: Bytes::from(recorded.body),
        })
    }

    fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

struct Answers {
    sessions: Sessions,
    purchase: Constant,
    sales: Constant,
}

#[derive(Clone)]
struct Shared(Arc<Answers>);

impl AsRef<Sessions> for Shared {
    fn as_ref(&self) -> &Sessions {
        &self.0.sessions
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purchase {
    product_id: Uuid,
}

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let recording = fs::read(&arguments.recorded).context("cannot read the recorded answers")?;
    let recording: Recording = serde_json::from_slice(&recording).context("the recorded answers are not JSON")?;
    let answers = Answers {
        sessions: tokens::sessions(&arguments.jwt_secret)?,
        purchase: Constant::of(recording.purchase)?,
        sales: Constant::of(recording.sales)?,
    };
    let router =
        Router::new().route("/orders", post(buy)).route("/sales", get(look)).with_state(Shared(Arc::new(answers)));
    listen::serve(arguments.address, router).await
}

async fn buy(
    State(Shared(answers)): State<Shared>,
    Bearer(user): Bearer,
    Json(purchase): Json<Purchase>,
) -> Response<Body> {
    // Both were parsed for the cost of it.
    std::hint::black_box((user, purchase.product_id));
    answers.purchase.response()
}

async fn look(State(Shared(answers)): State<Shared>) -> Response<Body> {
    answers.sales.response()
}
