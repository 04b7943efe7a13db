//! All routes.

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::openapi::{Document, complete};
use super::request_context::request_context;
use super::state::Api;
use super::{activity, calendar, events, health, orders, page, pictures, sales, users};

/// What the API is, as OpenAPI 3.1.
pub fn document() -> utoipa::openapi::OpenApi {
    routes_and_document().1
}

/// Every route of the API with its layers.
pub fn router(api: Api) -> Router {
    let (routes, document) = routes_and_document();
    routes
        // Serves /openapi.json too.
        .merge(
            Router::from(SwaggerUi::new("/docs").url("/openapi.json", document))
                .layer(middleware::map_response(page::guard_docs)),
        )
        .fallback(page::serve)
        .layer(middleware::from_fn_with_state(api.clone(), request_context))
        .with_state(api)
}

fn routes_and_document() -> (Router<Api>, utoipa::openapi::OpenApi) {
    let (routes, mut document) = routes().split_for_parts();
    complete(&mut document);
    (routes, document)
}

/// Every route that the document describes.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(users::create_user))
        .routes(routes!(users::authenticate))
        .routes(routes!(users::find_session, users::end_session))
        .routes(routes!(sales::list_sales, sales::create_sale))
        .routes(routes!(sales::update_sale))
        .routes(routes!(sales::end_sale))
        .routes(routes!(sales::find_sale))
        .routes(routes!(activity::find_sale_activity))
        .routes(routes!(activity::find_sale_report))
        .routes(routes!(activity::export_sale_report))
        .routes(routes!(calendar::export_sale_calendar))
        .routes(routes!(pictures::find_picture, pictures::put_picture, pictures::delete_picture))
        .routes(routes!(events::follow_sales))
        .routes(routes!(orders::place_order, orders::find_order))
        .routes(routes!(orders::list_order_history))
        .routes(routes!(events::follow_orders))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}
