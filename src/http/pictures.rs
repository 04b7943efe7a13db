//! `/products/{product_id}/picture`: what a product looks like.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::auth::Administrator;
use super::body::in_pieces;
use super::etag::IfNoneMatch;
use super::json::read_body_of;
use super::problem::Problem;
use super::state::Api;
use crate::app::pictures::{PICTURE_BYTES_MAX, Picture, PictureType};
use crate::domain::ProductId;

/// A picture that is opened by itself can do nothing, whatever is in it.
const CAN_DO_NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// As long as a process keeps a picture.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=5");

/// The picture of a product: the one uploaded, or one drawn from the product's id.
#[utoipa::path(get, path = "/products/{product_id}/picture", tag = "products", params(("product_id" = Uuid, Path)),
    responses(
    (status = 200, description = "with ETag; If-None-Match is answered 304", content(
        ("image/svg+xml"), ("image/png"), ("image/jpeg"), ("image/webp"), ("image/avif"),
    )),
    (status = 304),
))]
pub async fn find_picture(
    State(api): State<Api>,
    Path(product_id): Path<String>,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let picture = api.pictures.find_picture(parse(&product_id)?).await.map_err(|error| Problem::from(&*error))?;
    let picture = picture.ok_or_else(Problem::product_not_found)?;
    let mut response = if known.knows(&picture.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        in_pieces(picture.bytes.clone())
    };
    response.headers_mut().extend(headers(&picture));
    Ok(response)
}

/// Gives a product its picture: the bytes as they are, at most 1 MiB.
#[utoipa::path(put, path = "/products/{product_id}/picture", tag = "products", params(("product_id" = Uuid, Path)),
    request_body(description = "the picture", content(
        ("image/png"), ("image/jpeg"), ("image/webp"), ("image/avif"),
    )),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204),
))]
pub async fn put_picture(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(product_id): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let product_id = parse(&product_id)?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(PictureType::of_upload).ok_or_else(type_unsupported)?;
    let bytes = read_body_of(request.into_body(), PICTURE_BYTES_MAX, too_large).await?;
    if !kind.is_type_of(&bytes) {
        return Err(type_unsupported());
    }
    let put = api.pictures.put_picture(product_id, kind, &bytes).await?;
    if put { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::product_not_found()) }
}

/// Takes a product's own picture away: it has the one drawn from its id again.
#[utoipa::path(delete, path = "/products/{product_id}/picture", tag = "products", params(("product_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204),
))]
pub async fn delete_picture(
    State(api): State<Api>,
    _administrator: Administrator,
    Path(product_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let deleted = api.pictures.delete_picture(parse(&product_id)?).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::product_not_found()) }
}

fn parse(product_id: &str) -> Result<ProductId, Problem> {
    Uuid::parse_str(product_id).map_err(|_| Problem::product_not_found())
}

fn headers(picture: &Picture) -> Vec<(HeaderName, HeaderValue)> {
    let text = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static(""));
    vec![
        (header::CONTENT_TYPE, text(picture.content_type.as_bytes())),
        (header::ETAG, text(&picture.etag)),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::CONTENT_SECURITY_POLICY, CAN_DO_NOTHING),
    ]
}

pub fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "picture_too_large",
        "The picture is larger than 1 MiB: send a smaller one",
    )
}

pub fn type_unsupported() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "picture_type_unsupported",
        "The picture must be PNG, JPEG, WebP or AVIF, with the Content-Type that its content has",
    )
}
