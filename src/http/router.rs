//! All routes.

use axum::routing::get;
use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::openapi::Document;
use super::request_context::request_context;
use super::state::Api;
use super::{events, health, orders, sales, users};

/// Every route of the API with its layers.
pub fn router(api: Api) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(users::create_user))
        .routes(routes!(users::authenticate))
        .routes(routes!(users::end_session))
        .routes(routes!(sales::list_sales, sales::create_sale))
        .routes(routes!(sales::update_sale))
        .routes(routes!(sales::find_sale))
        .routes(routes!(events::follow_sales))
        .routes(routes!(orders::place_order, orders::find_order))
        .routes(routes!(events::follow_orders))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .split_for_parts();
    router
        .route("/", get(health::index))
        // Serves /openapi.json too.
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .layer(middleware::from_fn_with_state(api.clone(), request_context))
        .with_state(api)
}
