//! What each operation may refuse, as the very problems that the code answers: their words become the document's examples,
//! and the codes of a status those that its schema allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::{JSON, needs_session};
use crate::app::authenticate::CreateUserError;
use crate::app::manage_sales::ManageSaleError;
use crate::app::place_order::PlaceOrderError;
use crate::app::rate_limits::{Allowance, Limit, TooManyRequests};
use crate::db::DbError;
use crate::domain::Refusal;
use crate::http::auth::{forbidden, foreign_origin};
use crate::http::health::not_ready;
use crate::http::idempotency::{reused, still_running};
use crate::http::json::{self, explain};
use crate::http::limits::{RATE_LIMIT, RATE_LIMIT_POLICY, with_allowance};
use crate::http::orders::PlaceOrder;
use crate::http::pictures;
use crate::http::problem::{PROBLEM_JSON, Problem};
use crate::http::sales::{CreateSale, EndSale, UpdateSale, parse_id};
use crate::http::users::{Credentials, invalid_credentials};

const PROBLEM_SCHEMA: &str = "#/components/schemas/ProblemBody";
/// The id of a request in an example.
const REQUEST_ID: &str = "5f3c9a0e7d2b4c61a8e4f09b6d1c7a35";

/// By operation: what its handler refuses, besides what [`of_layers`] says.
pub fn of_handlers() -> BTreeMap<&'static str, Vec<Problem>> {
    let sale_not_found = || vec![Problem::sale_not_found()];
    let administrators = |others: Vec<Problem>| [vec![forbidden()], others].concat();
    let report = || administrators(sale_not_found());
    BTreeMap::from([
        ("create_user", vec![unread::<Credentials>(), CreateUserError::EmailTaken.into(), too_many(Limit::SignIns)]),
        (
            "authenticate",
            vec![unread::<Credentials>(), invalid_credentials(), too_many(Limit::SignIns), too_many(Limit::Guesses)],
        ),
        ("find_session", vec![]),
        ("end_session", vec![]),
        ("list_sales", vec![no_id()]),
        ("find_sale", sale_not_found()),
        ("create_sale", administrators(create_sale())),
        ("update_sale", administrators(update_sale())),
        ("end_sale", administrators(end_sale())),
        ("find_sale_activity", report()),
        ("find_sale_report", report()),
        ("export_sale_report", report()),
        ("export_sale_calendar", sale_not_found()),
        ("find_picture", vec![Problem::product_not_found()]),
        ("put_picture", administrators(put_picture())),
        ("delete_picture", administrators(vec![Problem::product_not_found()])),
        // An `orders` that is neither true nor false, and one of nobody.
        ("follow_sales", vec![Problem::of_status(StatusCode::BAD_REQUEST), Problem::unauthorized()]),
        ("follow_orders", vec![]),
        ("place_order", place_order()),
        ("find_order", vec![no_id(), Problem::order_not_found()]),
        ("list_order_history", vec![]),
        ("live", vec![]),
        ("ready", vec![not_ready("The sales have not been read yet")]),
        ("metrics", vec![]),
    ])
}

fn create_sale() -> Vec<Problem> {
    use ManageSaleError::{OutcomeUnknown, ProductArchived, ProductNotFound, SaleOverlaps};
    let errors = [ProductNotFound, SaleOverlaps, ProductArchived, OutcomeUnknown(no_answer())];
    [vec![unread::<CreateSale>()], errors.map(Problem::from).to_vec()].concat()
}

fn update_sale() -> Vec<Problem> {
    use ManageSaleError::{OutcomeUnknown, ProductArchived, QuantityBelowSold, SaleNotFound, SaleOverlaps};
    let errors = [SaleNotFound, QuantityBelowSold, SaleOverlaps, ProductArchived, OutcomeUnknown(no_answer())];
    [vec![unread::<UpdateSale>()], errors.map(Problem::from).to_vec()].concat()
}

fn end_sale() -> Vec<Problem> {
    use ManageSaleError::{OutcomeUnknown, SaleNotActive, SaleNotFound};
    let errors = [SaleNotFound, SaleNotActive, OutcomeUnknown(no_answer())];
    [vec![unread::<EndSale>()], errors.map(Problem::from).to_vec()].concat()
}

fn put_picture() -> Vec<Problem> {
    vec![Problem::product_not_found(), pictures::too_large(), pictures::type_unsupported(), json::broken_off()]
}

fn place_order() -> Vec<Problem> {
    use Refusal::{AlreadyPurchased, ProductNotFound, SaleEnded, SaleNotStarted, SoldOut};
    let refusals = [SoldOut, AlreadyPurchased, SaleEnded, SaleNotStarted, ProductNotFound].map(Problem::from);
    let unknown = PlaceOrderError::OutcomeUnknown(String::new()).into();
    let others = vec![unread::<PlaceOrder>(), Problem::order_failed(), too_many(Limit::Orders), unknown];
    [refusals.to_vec(), others].concat()
}

/// What the layers and extractors around a handler refuse.
pub fn of_layers(method: &HttpMethod, path: &str, operation: &Operation) -> Vec<Problem> {
    let mut problems = Vec::new();
    let needs_session = needs_session(operation);
    if needs_session {
        problems.push(Problem::unauthorized());
    }
    if needs_session && *method != HttpMethod::Get {
        problems.push(foreign_origin());
    }
    if path.contains('{') {
        // An address that is not UTF-8.
        problems.push(Problem::of_status(StatusCode::BAD_REQUEST));
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        problems.push(json::too_slow());
        if body.content.contains_key(JSON) {
            problems.extend([json::too_large(), json::not_json()]);
        }
    }
    if *method == HttpMethod::Post {
        problems.extend([still_running(), reused(), too_many(Limit::Keys)]);
    }
    // Not bounded, see `request_context`.
    if path != "/healthz" {
        problems.push(Problem::unavailable());
    }
    problems
}

/// A body that is not of this type.
fn unread<T: serde::de::DeserializeOwned>() -> Problem {
    explain::<T>(b"{}")
}

fn no_id() -> Problem {
    parse_id("product_id", "lamp").err().unwrap_or_else(Problem::unavailable)
}

fn no_answer() -> DbError {
    DbError::TimedOut(Duration::ZERO)
}

fn too_many(limit: Limit) -> Problem {
    Problem::too_many_requests(TooManyRequests { limit, retry_after: limit.shape().refill, is_news: false })
}

/// Adds refusals to an operation, one answer a status. Their examples are shared by all operations.
pub fn add_to(
    operation: &mut Operation,
    problems: impl Iterator<Item = Problem>,
    shared: &mut BTreeMap<String, RefOr<Example>>,
) {
    let mut by_status: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
    for problem in problems {
        if let Some(limit) = problem.exceeded.filter(|limit| matches!(limit, Limit::Orders | Limit::SignIns)) {
            describe_allowance(operation, limit);
        }
        by_status.entry(problem.status.as_str().to_owned()).or_default().push(problem);
    }
    let answers = by_status.into_iter().map(|(status, problems)| (status, RefOr::T(answer(&problems, shared))));
    operation.responses.responses.extend(answers);
}

fn answer(problems: &[Problem], shared: &mut BTreeMap<String, RefOr<Example>>) -> Response {
    let codes: BTreeSet<&str> = problems.iter().map(|problem| problem.code).collect();
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.iter().copied()));
    let schema = AllOfBuilder::new()
        .item(Ref::new(PROBLEM_SCHEMA))
        .item(ObjectBuilder::new().property("code", code).required("code"));
    let examples = problems.iter().map(|problem| {
        let name = share(problem, shared);
        let reference = Ref::new(format!("#/components/examples/{name}"));
        (name, RefOr::Ref(reference))
    });
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let description = codes.into_iter().collect::<Vec<_>>().join(", ");
    let mut answer = ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build();
    for problem in problems {
        describe_headers(&mut answer, problem.clone().into_response().headers());
    }
    answer
}

/// The name under which all operations find the example of a problem: its code, numbered where one code has several
/// sentences.
fn share(problem: &Problem, shared: &mut BTreeMap<String, RefOr<Example>>) -> String {
    let body: Value = serde_json::from_slice(&problem.body(REQUEST_ID)).unwrap_or_default();
    let example: RefOr<Example> = ExampleBuilder::new().summary(&*problem.error).value(Some(body)).build().into();
    let mut name = problem.code.to_owned();
    let mut number = 1;
    while shared.get(&name).is_some_and(|other| *other != example) {
        number += 1;
        name = format!("{}_{number}", problem.code);
    }
    shared.insert(name.clone(), example);
    name
}

/// What is left to the caller stands in the headers of every answer to a request that was counted.
fn describe_allowance(operation: &mut Operation, limit: Limit) {
    let allowance = Allowance { limit, remaining: limit.shape().size - 1 };
    let counted = with_allowance(Some(allowance), Ok(StatusCode::OK.into_response()));
    for (status, answer) in &mut operation.responses.responses {
        if let (true, RefOr::T(answer)) = (status.starts_with('2'), answer) {
            describe_headers(answer, counted.headers());
        }
    }
}

/// The headers of an answer that callers go by, with the values they have here.
fn describe_headers(answer: &mut Response, headers: &HeaderMap) {
    let known: [(&str, HeaderName, Type, &str); 4] = [
        ("Retry-After", header::RETRY_AFTER, Type::Integer, "seconds to wait before the next try"),
        ("RateLimit", RATE_LIMIT, Type::String, "r: requests left; t: seconds until there is one more"),
        ("RateLimit-Policy", RATE_LIMIT_POLICY, Type::String, "q: requests at once; w: seconds until all are back"),
        ("WWW-Authenticate", header::WWW_AUTHENTICATE, Type::String, "how to say who is calling"),
    ];
    for (name, header, kind, meaning) in known {
        let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) else { continue };
        let example = value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from);
        let header = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(kind)))
            .description(Some(meaning))
            .example(Some(example));
        answer.headers.entry(name.to_owned()).or_insert_with(|| RefOr::T(header.build()));
    }
}
