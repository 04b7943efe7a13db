//! `/sales`: what everybody sees, and what an administrator changes.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Administrator;
use super::etag::IfNoneMatch;
use super::idempotency::IdempotencyKey;
use super::json::Json;
use super::problem::Problem;
use super::state::Api;
use crate::app::sale_board::{EntityTag, SaleView, SalesView, render};
use crate::domain::{NewProduct, NewSale, SaleChange};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SalesQuery {
    /// Only the sales of this product.
    #[param(value_type = Option<Uuid>)]
    product_id: Option<String>,
}

/// A sale to be created: of a new product (`name`, `price_in_cents`) or of one that exists (`product_id`).
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSale {
    product_id: Option<Uuid>,
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*\S[^\x00]*$")]
    name: Option<String>,
    #[schema(max_length = 2000, pattern = r"^[^\x00]*$")]
    description: Option<String>,
    #[schema(minimum = 0)]
    price_in_cents: Option<i32>,
    #[schema(minimum = 0, maximum = 10_000_000)]
    quantity: i32,
    /// In the years 2000 to 2200, as `end_date`.
    start_date: DateTime<Utc>,
    /// Later than `start_date`.
    end_date: DateTime<Utc>,
}

/// What is to change of a sale; at least one member besides its id.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSale {
    flash_sale_id: Uuid,
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*\S[^\x00]*$")]
    name: Option<String>,
    #[schema(max_length = 2000, pattern = r"^[^\x00]*$")]
    description: Option<String>,
    #[schema(minimum = 0)]
    price_in_cents: Option<i32>,
    #[schema(minimum = 0, maximum = 10_000_000)]
    quantity: Option<i32>,
    start_date: Option<DateTime<Utc>>,
    end_date: Option<DateTime<Utc>>,
}

/// A sale to be ended.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSale {
    flash_sale_id: Uuid,
}

/// The sales: what is offered, when, and how much is left.
#[utoipa::path(get, path = "/sales", tag = "sales", params(SalesQuery), responses(
    (status = 200, body = SalesView, description = "with ETag; If-None-Match is answered 304"),
    (status = 304),
))]
pub async fn list_sales(
    State(api): State<Api>,
    Query(query): Query<SalesQuery>,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let board = api.board.current();
    if !api.board.is_ready() {
        return Err(Problem::unavailable());
    }
    let (body, etag) = match query.product_id {
        None => (board.body.clone(), board.etag.clone()),
        Some(text) => {
            let product_id = parse_id("product_id", &text)?;
            render(board.sales_of(product_id), api.board.database_now())
        }
    };
    Ok(cached(&known, body, etag))
}

/// One sale.
#[utoipa::path(get, path = "/sales/{flash_sale_id}", tag = "sales", params(("flash_sale_id" = Uuid, Path)), responses(
    (status = 200, body = SaleView),
))]
pub async fn find_sale(State(api): State<Api>, Path(flash_sale_id): Path<String>) -> Result<Response, Problem> {
    if !api.board.is_ready() {
        return Err(Problem::unavailable());
    }
    let board = api.board.current();
    let id = Uuid::parse_str(&flash_sale_id).ok();
    let sale = board.sales.iter().find(|sale| Some(sale.flash_sale_id) == id);
    let sale = sale.ok_or_else(Problem::sale_not_found)?;
    Ok(axum::Json(SaleView::at(sale, api.board.database_now())).into_response())
}

/// Creates a sale.
#[utoipa::path(post, path = "/sales", tag = "sales", request_body = CreateSale,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, body = SaleView),
))]
pub async fn create_sale(
    State(api): State<Api>,
    administrator: Administrator,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateSale>,
) -> Result<impl IntoResponse, Problem> {
    let sale = body.into_new_sale(ids(administrator.0.user_id, key.as_deref()))?;
    sale.check()?;
    let sale = api.desk.create_sale(&sale).await?;
    Ok((StatusCode::CREATED, axum::Json(SaleView::at(&sale, api.board.database_now()))))
}

/// Changes a sale, while it sells too.
#[utoipa::path(post, path = "/sales/update", tag = "sales", request_body = UpdateSale,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SaleView),
))]
pub async fn update_sale(
    State(api): State<Api>,
    _administrator: Administrator,
    Json(body): Json<UpdateSale>,
) -> Result<impl IntoResponse, Problem> {
    let change = SaleChange {
        name: body.name,
        description: body.description,
        price_in_cents: body.price_in_cents,
        quantity: body.quantity,
        start_date: body.start_date,
        end_date: body.end_date,
    };
    if change == SaleChange::default() {
        return Err(Problem::invalid_request("Nothing to change: send at least one member besides flash_sale_id"));
    }
    change.check()?;
    let sale = api.desk.update_sale(body.flash_sale_id, &change).await?;
    Ok(axum::Json(SaleView::at(&sale, api.board.database_now())))
}

/// Ends a running sale now, by the database's clock. Orders accepted before still settle.
#[utoipa::path(post, path = "/sales/end", tag = "sales", request_body = EndSale,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SaleView),
))]
pub async fn end_sale(
    State(api): State<Api>,
    _administrator: Administrator,
    Json(body): Json<EndSale>,
) -> Result<axum::Json<SaleView>, Problem> {
    let sale = api.desk.end_sale(body.flash_sale_id).await?;
    Ok(axum::Json(SaleView::at(&sale, api.board.database_now())))
}

impl CreateSale {
    fn into_new_sale(self, (flash_sale_id, product_id): (Uuid, Uuid)) -> Result<NewSale, Problem> {
        let product = match (self.product_id, self.name, self.price_in_cents) {
            (Some(product_id), None, None) if self.description.is_none() => NewProduct::Existing(product_id),
            (Some(_), _, _) => {
                return Err(Problem::invalid_request(
                    "product_id: a product that exists brings its own name, description and price",
                ));
            }
            (None, Some(name), Some(price_in_cents)) => NewProduct::Create {
                product_id,
                name,
                description: self.description.unwrap_or_default(),
                price_in_cents,
            },
            (None, None, _) => return Err(Problem::invalid_request("name: is missing (or send product_id)")),
            (None, _, None) => return Err(Problem::invalid_request("price_in_cents: is missing")),
        };
        Ok(NewSale {
            flash_sale_id,
            product,
            quantity: self.quantity,
            start_date: self.start_date,
            end_date: self.end_date,
        })
    }
}

/// The ids of a new sale and its product: with an idempotency key always the same for the same caller, so that a sale whose
/// answer was lost is not created twice.
fn ids(caller: Uuid, key: Option<&str>) -> (Uuid, Uuid) {
    match key {
        None => (Uuid::now_v7(), Uuid::now_v7()),
        Some(key) => {
            let sale = Uuid::new_v5(&caller, key.as_bytes());
            (sale, Uuid::new_v5(&sale, b"product"))
        }
    }
}

/// Parses an id that stands in a query.
///
/// # Errors
/// 400 naming the field.
pub fn parse_id(field: &'static str, text: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(text).map_err(|_| Problem::invalid_request(format!("{field}: must be a UUID")))
}

fn cached(known: &IfNoneMatch, body: Bytes, etag: EntityTag) -> Response {
    let mut response = if known.knows(&etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(body.into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_maybe_shared(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
