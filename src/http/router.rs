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
    all_routes()
        .fallback(page::serve)
        .layer(middleware::from_fn_with_state(api.clone(), request_context))
        .with_state(api)
}

fn all_routes() -> Router<Api> {
    let (routes, document) = routes_and_document();
    // Serves /openapi.json too.
    let docs = Router::from(SwaggerUi::new("/docs").url("/openapi.json", document));
    routes.merge(docs.layer(middleware::map_response(page::guard_docs)))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{all_routes, document};

    /// The addresses of a router, which shows them in its `Debug` only: `RouteId(3): "/sales"`.
    fn addresses(router: &str) -> BTreeSet<&str> {
        let routes = router.split("fallback_router").next().unwrap_or_default();
        let entries = routes.split("RouteId(").filter_map(|entry| entry.split_once("): \""));
        let entries = entries.filter(|(id, _)| id.bytes().all(|byte| byte.is_ascii_digit()));
        entries.filter_map(|(_, rest)| rest.split('"').next()).collect()
    }

    /// Their methods are compared by tests/it/http/document.rs.
    #[test]
    fn every_route_is_described() {
        let router = format!("{:?}", all_routes());
        let is_described = |address: &&str| *address != "/openapi.json" && !address.starts_with("/docs");
        let routes: BTreeSet<&str> = addresses(&router).into_iter().filter(is_described).collect();
        let document = document();
        let described: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(
            routes, described,
            "add a route by `routes!`: so it is in the document (or: axum's Debug has changed)"
        );
    }
}
