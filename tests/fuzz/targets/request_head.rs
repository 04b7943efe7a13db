//! Heads: methods, addresses with odd path parameters and queries, and every header that anything here reads. Each answer
//! has a status that the OpenAPI document names (`Answer::read`).
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use flashsale_fuzz::{Door, PRODUCT, SALE, accepted};
use libfuzzer_sys::{Corpus, fuzz_target};

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get"];
/// `*` is where what was made up goes.
const PATHS: [&str; 24] = [
    "/*",
    "/sales",
    "/sales/*",
    "/sales/*/activity",
    "/sales/*/report",
    "/sales/*/report.csv",
    "/sales/*/calendar.ics",
    "/products/*/picture",
    "/orders",
    "/orders/history",
    "/orders/events",
    "/sales/events",
    "/users/session",
    "/users",
    "/users/authenticate",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs/*",
    "/sale/*",
    "/assets/*",
    "/sales/update",
    "/sales/end",
];
const HEADERS: [&str; 14] = [
    "cookie",
    "authorization",
    "prefer",
    "if-none-match",
    "accept",
    "accept-encoding",
    "accept-language",
    "origin",
    "host",
    "x-request-id",
    "x-forwarded-proto",
    "content-type",
    "content-length",
    "idempotency-key",
];

#[derive(Arbitrary, Debug)]
struct Head<'a> {
    method: u8,
    path: u8,
    /// Instead of an id; none is the id of what there is.
    segment: Option<&'a str>,
    query: Option<&'a str>,
    caller: u8,
    headers: Vec<(u8, &'a [u8])>,
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(head) = Head::arbitrary(&mut Unstructured::new(bytes)) else { return Corpus::Reject };
    let Some(request) = request(&head) else { return Corpus::Reject };
    let sent_id = request.headers().get("x-request-id").cloned();
    let knows_nothing = !request.headers().contains_key("if-none-match");
    let answer = Door::get().send(request);
    assert!(answer.status != 304 || !knows_nothing, "{head:?}: {answer:?}");
    let id = answer.header("x-request-id");
    assert!(
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
        "{id}"
    );
    if let Some(sent) = sent_id.filter(|sent| sent.len() <= 64 && sent.as_bytes().iter().all(u8::is_ascii_alphanumeric))
    {
        assert!(sent.is_empty() || sent == id, "{sent:?} {id}");
    }
    accepted()
});

fn request(head: &Head<'_>) -> Option<Request<Body>> {
    let path = PATHS[usize::from(head.path) % PATHS.len()];
    let known = if path.starts_with("/products") { PRODUCT } else { SALE }.to_string();
    let mut uri = path.replace('*', head.segment.unwrap_or(&known));
    if let Some(query) = head.query {
        uri = format!("{uri}?{query}");
    }
    let method = METHODS[usize::from(head.method) % METHODS.len()];
    let door = Door::get();
    let mut request = Request::builder().method(method).uri(uri);
    request = match head.caller % 5 {
        0 => request.header("authorization", format!("Bearer {}", door.administrator_token)),
        1 => request.header("authorization", format!("bearer {}", door.shopper_token)),
        2 => request.header("cookie", format!("flashsale_session={}", door.shopper_token)),
        3 => request.header("cookie", format!("flashsale_session={}", door.administrator_token)),
        _ => request,
    };
    for (name, value) in head.headers.iter().take(32) {
        let value = HeaderValue::from_bytes(value).ok()?;
        request = request.header(HEADERS[usize::from(*name) % HEADERS.len()], value);
    }
    request.body(Body::empty()).ok()
}
