//! The OpenAPI document, made from the handlers: they name what they take and what they answer when all is well. Examples,
//! refusals and what the layers around the handlers do are added here.

mod examples;
mod refusals;

use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{RefOr, Required};
use utoipa::{Modify, OpenApi};

use super::auth::SESSION_COOKIE;
use super::problem::ProblemBody;

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
    components(schemas(ProblemBody)),
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

/// Adds what no handler says of itself.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    let mut own_refusals = refusals::of_handlers();
    let mut own_examples = examples::of_handlers();
    let examples = &mut document.components.get_or_insert_default().examples;
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let name = operation.operation_id.clone().unwrap_or_default();
            if let Some(own) = own_examples.remove(name.as_str()) {
                own.add_to(operation);
            }
            let own = own_refusals.remove(name.as_str()).unwrap_or_default();
            let around = refusals::of_layers(&method, path, operation);
            refusals::add_to(operation, own.into_iter().chain(around), examples);
            if method == HttpMethod::Post {
                add_idempotency_key(operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let methods = [HttpMethod::Get, HttpMethod::Put, HttpMethod::Post, HttpMethod::Delete];
    methods
        .into_iter()
        .zip([get, put, post, delete])
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Whether nobody may ask who is not signed in.
fn needs_session(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|ways| !ways.contains(&SecurityRequirement::default()))
}

fn add_idempotency_key(operation: &mut Operation) {
    let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r#"^"?[!#-~]([!-~]{0,253}[!#-~])?"?$"#));
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("the first answer to this key is given again, for 24 hours"))
        .schema(Some(key));
    operation.parameters.get_or_insert_default().push(RefOr::T(header.build()));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{examples, refusals};
    use crate::http::document;

    /// The operations of the document with their names.
    fn operations() -> Vec<(String, Value)> {
        let document = serde_json::to_value(document()).unwrap();
        let items = document["paths"].as_object().unwrap().values();
        let operations = items.flat_map(|item| item.as_object().unwrap().values().cloned().collect::<Vec<_>>());
        operations.map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation)).collect()
    }

    #[test]
    fn the_tables_name_every_operation_and_no_other() {
        let described: BTreeSet<String> = operations().into_iter().map(|(name, _)| name).collect();
        let own = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(own(refusals::of_handlers().into_keys().collect()), described);
        assert_eq!(own(examples::of_handlers().into_keys().collect()), described);
    }

    #[test]
    fn every_body_has_an_example() {
        let mut bare = Vec::new();
        for (name, operation) in operations() {
            let answers = operation["responses"].as_object().unwrap().iter();
            let bodies = answers.map(|(status, answer)| (status.as_str(), answer));
            for (place, body) in bodies.chain([("request", &operation["requestBody"])]) {
                let Some(content) = body["content"].as_object() else { continue };
                // Bytes that are no text have no place in a document of text.
                let with_text =
                    content.iter().filter(|(kind, _)| !kind.starts_with("image/") || *kind == "image/svg+xml");
                bare.extend(
                    with_text
                        .filter(|(_, content)| content["examples"].as_object().is_none_or(serde_json::Map::is_empty))
                        .map(|(kind, _)| format!("{name} {place} {kind}")),
                );
            }
        }
        assert!(bare.is_empty(), "without an example: {bare:#?}");
    }
}
