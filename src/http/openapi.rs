//! The OpenAPI document, made from the handlers.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::auth::SESSION_COOKIE;

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flash sale",
        description = "A limited drop: every unit sold, none twice, nobody gets two, everybody learns their outcome."
    ),
    tags(
        (name = "sales", description = "What is offered"),
        (name = "products", description = "What a product looks like"),
        (name = "orders", description = "Buying"),
        (name = "users", description = "Signing up, in and out"),
        (name = "operation", description = "For those who run it"),
    ),
    modifiers(&Sessions)
)]
pub struct Document;

struct Sessions;

impl Modify for Sessions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}
