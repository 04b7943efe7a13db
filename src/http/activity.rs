//! `/sales/{flash_sale_id}/activity` and `/report`: what administrators watch and look back on.

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::auth::Administrator;
use super::problem::Problem;
use super::report_csv::report_csv;
use super::state::Api;
use crate::app::sale_board::SaleView;
use crate::app::watch_sales::{SaleActivity, SaleReport};
use crate::domain::{ActivityMinute, ActivitySecond, Fairness, QueueState, RefusedAttempts};

/// A sale while it sells. `attempts` is `accepted` and all `refusals`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SaleActivityView {
    /// The database's clock.
    server_time: DateTime<Utc>,
    sale: SaleView,
    /// Orders of the sale that are not settled yet.
    in_progress: i32,
    /// Over the whole sale, as `accepted` and `refusals`.
    attempts: i64,
    /// Attempts answered with an order; who asks again meanwhile is answered with the same one.
    accepted: i64,
    refusals: Vec<RefusedAttempts>,
    queue: QueueState,
    /// The last 180 complete seconds, one entry each, the newest last.
    seconds: Vec<ActivitySecond>,
}

/// A sale looked back on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SaleReportView {
    /// The database's clock.
    pub server_time: DateTime<Utc>,
    pub sale: SaleView,
    /// Counters, orders and queue agree.
    pub balanced: bool,
    pub sold: i64,
    /// Orders that are not settled yet.
    pub in_progress: i64,
    pub failed: i64,
    /// `accepted` and all `refusals`.
    pub attempts: i64,
    pub accepted: i64,
    pub refusals: Vec<RefusedAttempts>,
    /// The minutes in which something happened, at most the newest 10,080, the newest last.
    pub minutes: Vec<ActivityMinute>,
    /// From the sale's start to the settling of its last unit; null unless every unit is sold.
    #[schema(required)]
    pub sold_out_after_ms: Option<i64>,
    pub fairness: Fairness,
}

/// What happens in a sale: attempts, settlements and the queue, second by second.
#[utoipa::path(get, path = "/sales/{flash_sale_id}/activity", tag = "sales", params(("flash_sale_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SaleActivityView),
))]
pub async fn find_sale_activity(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(flash_sale_id): Path<String>,
) -> Result<axum::Json<SaleActivityView>, Problem> {
    let sale_id = Uuid::parse_str(&flash_sale_id).map_err(|_| Problem::sale_not_found())?;
    let activity = api.watch.find_sale_activity(sale_id).await?.ok_or_else(Problem::sale_not_found)?;
    Ok(axum::Json(SaleActivityView::at(activity, api.board.database_now())))
}

/// What became of a sale: its books, its attempts by minute, and how fair it was.
#[utoipa::path(get, path = "/sales/{flash_sale_id}/report", tag = "sales", params(("flash_sale_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SaleReportView),
))]
pub async fn find_sale_report(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(flash_sale_id): Path<String>,
) -> Result<axum::Json<SaleReportView>, Problem> {
    Ok(axum::Json(read_report(&api, &flash_sale_id).await?))
}

/// The report as a table: header `measure,minute,value`; lines about the whole sale have no minute.
#[utoipa::path(get, path = "/sales/{flash_sale_id}/report.csv", tag = "sales", params(("flash_sale_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, content_type = "text/csv", body = String, description = "an attachment"),
))]
pub async fn export_sale_report(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(flash_sale_id): Path<String>,
) -> Result<Response, Problem> {
    let report = read_report(&api, &flash_sale_id).await?;
    let name = format!("flash-sale-{}-report.csv", report.sale.flash_sale_id);
    Ok((attachment("text/csv; charset=utf-8", &name), report_csv(&report)).into_response())
}

async fn read_report(api: &Api, flash_sale_id: &str) -> Result<SaleReportView, Problem> {
    let sale_id = Uuid::parse_str(flash_sale_id).map_err(|_| Problem::sale_not_found())?;
    let report = api.watch.find_sale_report(sale_id).await?.ok_or_else(Problem::sale_not_found)?;
    Ok(SaleReportView::at(report, api.board.database_now()))
}

/// The headers of a file to be kept. `name` is of letters, digits, dots and hyphens.
pub fn attachment(content_type: &'static str, name: &str) -> [(HeaderName, HeaderValue); 2] {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ]
}

impl SaleActivityView {
    pub fn at(activity: SaleActivity, now: DateTime<Utc>) -> Self {
        let SaleActivity { sale, attempts, queue, seconds } = activity;
        Self {
            server_time: now,
            in_progress: sale.live - sale.sold,
            sale: SaleView::at(&sale, now),
            attempts: attempts.total(),
            accepted: attempts.accepted,
            refusals: attempts.refusals,
            queue,
            seconds,
        }
    }
}

impl SaleReportView {
    pub fn at(report: SaleReport, now: DateTime<Utc>) -> Self {
        let SaleReport { sale, tally, attempts, minutes } = report;
        Self {
            server_time: now,
            sale: SaleView::at(&sale, now),
            balanced: tally.balanced,
            sold: tally.sold,
            in_progress: tally.in_progress,
            failed: tally.failed,
            attempts: attempts.total(),
            accepted: attempts.accepted,
            refusals: attempts.refusals,
            minutes,
            sold_out_after_ms: tally.sold_out_after_ms,
            fairness: tally.fairness,
        }
    }
}
