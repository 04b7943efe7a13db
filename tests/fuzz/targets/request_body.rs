//! Bodies, through the whole router. The first byte says where to and how, the second what the database
//! answers a purchase, the rest is the body. What is accepted has
//! reached the double of the database within the bounds of its tables, and is answered as it was sent.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use flashsale_fuzz::database::told;
use flashsale_fuzz::{Answer, Door, accepted};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

const PATHS: [&str; 6] = ["/sales", "/sales/update", "/users", "/users/authenticate", "/orders", "/sales/end"];
const KINDS: [&str; 4] = ["application/json", "Application/JSON ; charset=utf-8", "text/json", ""];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let [how, placing, body @ ..] = bytes else { return Corpus::Reject };
    let path = PATHS[usize::from(how & 7) % PATHS.len()];
    let kind = KINDS[usize::from(how >> 6)];
    let door = Door::get();
    let mut request = Request::post(path).header("content-type", kind);
    request = request.header("authorization", format!("Bearer {}", door.administrator_token));
    if how & 8 != 0 {
        request = request.header("idempotency-key", "a-key");
    }
    let Ok(request) = request.body(Body::from(body.to_vec())) else { return Corpus::Reject };
    told(|told| {
        told.placing = usize::from(*placing);
        told.placed = None;
    });
    let answer = door.send(request);
    let placed = told(|told| told.placed.take());
    if let Some(placed) = placed {
        assert_eq!(path, "/orders");
        answer.check_placed(placed);
    }
    match answer.status {
        200 | 201 => check_accepted(path, body, &answer),
        _ if placed.is_some() => {}
        400 => assert!(answer.error().len() > 10, "{answer:?}"),
        // No passwords are hashed here.
        503 => assert!(path.starts_with("/users"), "{answer:?}"),
        401 => assert_eq!((path, &answer.json()["code"]), ("/users/authenticate", &Value::from("invalid_credentials"))),
        404 => assert_eq!(path, "/orders", "{answer:?}"),
        413 => assert!(body.len() > 16 * 1024, "{answer:?}"),
        415 => assert!(how >> 6 >= 2, "{answer:?}"),
        _ => panic!("{path}: {answer:?}"),
    }
    accepted()
});

/// What is accepted is one JSON object, and the answer has in it what was sent.
fn check_accepted(path: &str, body: &[u8], answer: &Answer) {
    let sent: Value = serde_json::from_slice(body).expect("an accepted body is JSON");
    let answered = answer.json();
    let sent = sent.as_object().expect("an accepted body is an object");
    assert!(!path.starts_with("/users"), "{answer:?}");
    for (name, value) in sent {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("name" | "description" | "price_in_cents" | "quantity", _) => {
                assert_eq!(answered[name], *value, "{answer:?}")
            }
            ("start_date" | "end_date", Value::String(_)) => assert!(answered[name].is_string(), "{answer:?}"),
            ("product_id" | "flash_sale_id", Value::String(_)) => assert!(answered[name].is_string(), "{answer:?}"),
            _ => panic!("an unknown member {name} was accepted: {answer:?}"),
        }
    }
}
