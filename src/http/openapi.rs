//! The OpenAPI document, made from the handlers.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
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

const JSON: &str = "application/json";
/// The media type of every refusal.
const PROBLEM_JSON: &str = "application/problem+json";
const PROBLEM_SCHEMA: &str = "#/components/schemas/ProblemBody";

/// Adds what the layers and extractors around the handlers do, which no handler says of itself.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let PathItem { get, put, post, delete, .. } = item;
        if let Some(post) = post {
            add_idempotency_key(post);
        }
        for operation in [put, post, delete].into_iter().flatten() {
            add_problems_of_writing(operation);
            add_problems(path, operation);
        }
        get.iter_mut().for_each(|operation| add_problems(path, operation));
    }
}

fn add_problems(path: &str, operation: &mut Operation) {
    // Not bounded, see `request_context`.
    if path != "/healthz" {
        add_problem(operation, 503, "unavailable: nothing was taken");
    }
    if path.contains('{') {
        add_problem(operation, 400, "invalid_request: the address is not UTF-8");
    }
    operation.responses.responses.values_mut().for_each(name_problem);
}

fn add_problems_of_writing(operation: &mut Operation) {
    if operation.security.is_some() {
        add_problem(operation, 403, "foreign_origin");
    }
    if operation.request_body.is_some() {
        add_problem(operation, 400, "invalid_request");
        add_problem(operation, 408, "request_timeout");
        add_problem(operation, 413, "payload_too_large");
        add_problem(operation, 415, "unsupported_media_type");
    }
}

/// `Idempotency-Key` and what it may be answered.
fn add_idempotency_key(operation: &mut Operation) {
    let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r#"^"?[!#-~]([!-~]{0,253}[!#-~])?"?$"#));
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("the first answer to this key is given again, for 24 hours"))
        .schema(Some(key));
    operation.parameters.get_or_insert_default().push(RefOr::T(header.build()));
    add_problem(operation, 409, "idempotency_key_in_use");
    add_problem(operation, 422, "idempotency_key_reused");
    add_problem(operation, 429, "too_many_requests");
}

/// Adds a refusal, or one more reason to one that is there.
fn add_problem(operation: &mut Operation, status: u16, reason: &str) {
    let known = operation.responses.responses.entry(status.to_string()).or_insert_with(|| {
        let body = ContentBuilder::new().schema(Some(Ref::new(PROBLEM_SCHEMA))).build();
        RefOr::T(ResponseBuilder::new().content(PROBLEM_JSON, body).build())
    });
    if let RefOr::T(Response { description, .. }) = known
        && !description.contains(reason)
    {
        *description = if description.is_empty() { reason.to_owned() } else { format!("{description}; {reason}") };
    }
}

/// The handlers name the body of a refusal; its media type is the same everywhere.
fn name_problem(response: &mut RefOr<Response>) {
    let RefOr::T(Response { content, .. }) = response else { return };
    let is_problem = content.get(JSON).is_some_and(|body| {
        matches!(body, RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) if schema.ref_location == PROBLEM_SCHEMA)
    });
    if is_problem && let Some(body) = content.shift_remove(JSON) {
        content.insert(PROBLEM_JSON.to_owned(), body);
    }
}
