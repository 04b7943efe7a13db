//! Reading bodies: bounded in size and time, strict in form. What does not parse is answered 400 and names its field.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::config::deadlines;

/// Longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// What is read and thrown away of a longer one, so that its sender gets to read the answer.
const DRAIN_BYTES_MAX: usize = 4 * 1024 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// A body of `application/json`.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(not_json());
        }
        let bytes = read_body(request.into_body()).await?;
        // serde would take an array for a struct.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::invalid_request("The body cannot be read: it must be a JSON object"));
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(explain::<T>(&bytes)),
        }
    }
}

fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return false };
    let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json")
}

/// Reads again, slower, to say where it went wrong.
pub fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().next().is_some() => {
            Problem::invalid_request(format!("{}: {}", error.path(), error.inner()))
        }
        Err(error) => Problem::invalid_request(format!("The body cannot be read: {}", error.inner())),
        Ok(_) => Problem::invalid_request("The body cannot be read: something follows its end"),
    }
}

/// Reads a body of at most [`BODY_BYTES_MAX`].
///
/// # Errors
/// 413 for a longer one, 408 for one that does not arrive in time, 400 for one that breaks off.
pub async fn read_body(body: Body) -> Result<Bytes, Problem> {
    read_body_of(body, BODY_BYTES_MAX, too_large).await
}

/// Reads a body of at most `bytes_max`.
///
/// # Errors
/// `too_large` for a longer one, 408 for one that does not arrive in time, 400 for one that breaks off.
pub async fn read_body_of(body: Body, bytes_max: usize, too_large: fn() -> Problem) -> Result<Bytes, Problem> {
    tokio::time::timeout(deadlines::BODY_READ, read_bounded(body, bytes_max, too_large))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

async fn read_bounded(mut body: Body, bytes_max: usize, too_large: fn() -> Problem) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > bytes_max as u64 {
        drain(&mut body).await;
        return Err(too_large());
    }
    let mut read = Vec::new();
    while let Some(frame) = tokio::time::timeout(deadlines::BODY_READ, body.frame()).await.map_err(|_| too_slow())? {
        let frame = frame.map_err(|_| broken_off())?;
        if let Some(data) = frame.data_ref() {
            if read.len() + data.len() > bytes_max {
                drain(&mut body).await;
                return Err(too_large());
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read.into())
}

async fn drain(body: &mut Body) {
    let (started, mut drained) = (Instant::now(), 0);
    while drained < DRAIN_BYTES_MAX {
        let left = DRAIN_TIME_MAX.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, body.frame()).await {
            Ok(Some(Ok(frame))) => drained += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}

pub fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The body must be JSON: send Content-Type: application/json",
    )
}

pub fn broken_off() -> Problem {
    Problem::invalid_request("The body broke off")
}

pub fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time")
}

pub fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is longer than 16 KiB")
}
