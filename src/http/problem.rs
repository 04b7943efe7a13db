//! The one public error type: RFC 9457 problem details with the members `error` (a sentence) and `code` (a word).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;

use super::limits::write_headers;
use crate::app::Unavailable;
use crate::app::manage_sales::ManageSaleError;
use crate::app::place_order::PlaceOrderError;
use crate::app::rate_limits::{Limit, TooManyRequests};
use crate::config::RETRY_AFTER;
use crate::db::DbError;
use crate::domain::{InvalidField, Refusal};

/// The media type of every refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal or an error as its caller sees it. Written to the body by `request_context`, which knows the request's id.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub error: Cow<'static, str>,
    pub retry_after: Option<Duration>,
    /// The limit that was exceeded, for the headers of a 429.
    pub exceeded: Option<Limit>,
}

/// The body of a [`Problem`].
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemBody<'a> {
    /// Identifies the kind of problem.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:flashsale:problem:sold_out")]
    pub kind: String,
    /// The HTTP status in words.
    #[schema(value_type = String)]
    pub title: &'a str,
    pub status: u16,
    /// What happened, as a sentence.
    #[schema(value_type = String, example = "Product sold out")]
    pub error: &'a str,
    /// What happened, as a word.
    #[schema(value_type = String, example = "sold_out")]
    pub code: &'a str,
    /// Finds this request in the logs.
    #[schema(value_type = String)]
    pub request_id: &'a str,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, error: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, error: error.into(), retry_after: None, exceeded: None }
    }

    pub fn invalid_request(error: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", error)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Sign in first: the session is missing, ended or expired")
    }

    pub fn not_found(code: &'static str, error: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, error)
    }

    pub fn too_many_requests(exceeded: TooManyRequests) -> Self {
        let error = match exceeded.limit {
            Limit::Guesses | Limit::AccountGuesses | Limit::FirstGuesses => {
                "Too many wrong passwords for this account: wait before the next try"
            }
            Limit::Orders | Limit::SignIns | Limit::Keys => "Too many requests: wait before the next",
        };
        Self {
            retry_after: Some(exceeded.retry_after),
            exceeded: Some(exceeded.limit),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", error)
        }
    }

    /// Nothing was taken; the caller may try again.
    pub fn unavailable() -> Self {
        Self {
            retry_after: Some(RETRY_AFTER),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Busy right now, and nothing was taken: try again shortly",
            )
        }
    }

    pub fn product_not_found() -> Self {
        Refusal::ProductNotFound.into()
    }

    pub fn sale_not_found() -> Self {
        Self::not_found("sale_not_found", "Sale not found")
    }

    /// Something may or may not have been done.
    pub fn outcome_unknown(error: &'static str) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown", error)
    }

    /// The problem of a status that a library answered without a body of ours.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("not_found", "There is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "method_not_allowed", "This address does not take this method")
            }
            StatusCode::BAD_REQUEST => Self::invalid_request("The request cannot be understood"),
            _ if status.is_server_error() => Self::new(status, "internal_error", "Something went wrong on our side"),
            _ => Self::new(status, "refused", status.canonical_reason().unwrap_or("Refused")),
        }
    }

    /// The body, for the request with this id.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemBody {
            kind: format!("urn:flashsale:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            error: &self.error,
            code: self.code,
            request_id,
        };
        // Holds nothing that JSON cannot express.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(limit) = self.exceeded {
            write_headers(response.headers_mut(), limit, 0, self.retry_after);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, error) = match refusal {
            Refusal::SoldOut => (StatusCode::BAD_REQUEST, "Product sold out"),
            Refusal::AlreadyPurchased => (StatusCode::BAD_REQUEST, "Already purchased"),
            Refusal::SaleNotStarted => (StatusCode::BAD_REQUEST, "Sale has not started"),
            Refusal::SaleEnded => (StatusCode::BAD_REQUEST, "Sale ended"),
            Refusal::ProductNotFound => (StatusCode::NOT_FOUND, "Product not found"),
            Refusal::UnknownUser => return Self::unauthorized(),
        };
        Self::new(status, refusal.code(), error)
    }
}

impl From<InvalidField> for Problem {
    fn from(invalid: InvalidField) -> Self {
        Self::invalid_request(invalid.to_string())
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::from(&error)
    }
}

impl From<&DbError> for Problem {
    fn from(error: &DbError) -> Self {
        if error.is_transient() {
            tracing::debug!(%error, "a request was answered 503");
            return Self::unavailable();
        }
        tracing::error!(%error, "a request was answered 500");
        Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<&Unavailable> for Problem {
    fn from(error: &Unavailable) -> Self {
        match error {
            Unavailable::Database(error) => error.into(),
            Unavailable::Overloaded(_) => Self::unavailable(),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        Self::from(&error)
    }
}

impl From<PlaceOrderError> for Problem {
    fn from(error: PlaceOrderError) -> Self {
        match error {
            PlaceOrderError::Refused(refusal) => refusal.into(),
            PlaceOrderError::TooManyRequests(exceeded) => Self::too_many_requests(exceeded),
            PlaceOrderError::Unavailable(_) => Self::unavailable(),
            PlaceOrderError::OutcomeUnknown(_) => Self::outcome_unknown(
                "The purchase was not confirmed in time and may still go through: ask GET /orders, or try again",
            ),
        }
    }
}

impl From<ManageSaleError> for Problem {
    fn from(error: ManageSaleError) -> Self {
        match error {
            ManageSaleError::ProductNotFound => Self::product_not_found(),
            ManageSaleError::SaleNotFound => Self::sale_not_found(),
            ManageSaleError::SaleOverlaps => Self::new(
                StatusCode::CONFLICT,
                "sale_overlaps",
                "Another sale of this product overlaps these dates: choose other dates or change that sale",
            ),
            ManageSaleError::ProductArchived => Self::new(
                StatusCode::CONFLICT,
                "product_archived",
                "Sales of this product were archived, with who bought it: sell a new product instead",
            ),
            ManageSaleError::QuantityBelowSold => Self::new(
                StatusCode::CONFLICT,
                "quantity_below_sold",
                "More units than this are sold already: choose a quantity of at least what is sold",
            ),
            ManageSaleError::SaleNotActive => Self::new(
                StatusCode::CONFLICT,
                "sale_not_active",
                "The sale is not running: only one that is can be ended",
            ),
            ManageSaleError::WindowEndsBeforeItStarts => {
                Self::invalid_request("end_date: must be later than start_date")
            }
            ManageSaleError::OutcomeUnknown(_) => Self::outcome_unknown(
                "The change was not confirmed in time and may have been made: look at the sale before you try again",
            ),
            ManageSaleError::Database(error) => error.into(),
        }
    }
}
