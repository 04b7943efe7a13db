//! `Idempotency-Key`: a key is taken as it is, or refused by name. The first byte says what the database knows of it,
//! and what it answers a purchase.
#![no_main]

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use flashsale_fuzz::database::told;
use flashsale_fuzz::{Door, PRODUCT, accepted};
use libfuzzer_sys::{Corpus, fuzz_target};

/// What a claim is answered, and the status that makes without a purchase.
const STATES: [(&str, Option<u16>); 4] =
    [("claimed", None), ("running", Some(409)), ("mismatch", Some(422)), ("finished", Some(200))];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((how, key)) = bytes.split_first() else { return Corpus::Reject };
    let Ok(header) = HeaderValue::from_bytes(key) else { return Corpus::Reject };
    let (state, status) = STATES[usize::from(*how) % STATES.len()];
    told(|told| {
        told.key_state = Some(state);
        told.idempotency_key = None;
        told.placing = usize::from(*how) / STATES.len();
        told.placed = None;
    });
    let door = Door::get();
    let request = Request::post("/orders")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", door.shopper_token))
        .header("idempotency-key", header)
        .body(Body::from(format!("{{\"product_id\":\"{PRODUCT}\"}}")))
        .expect("a request");
    let answer = door.send(request);
    let (claimed, placed) = told(|told| (told.idempotency_key.take(), told.placed.take()));
    match claimed {
        Some(claimed) => {
            match (status, placed) {
                (Some(status), None) => assert_eq!(answer.status, status, "{answer:?}"),
                (None, Some(placed)) => answer.check_placed(placed),
                other => panic!("{state} and yet {other:?}: {answer:?}"),
            }
            assert_eq!(answer.header("idempotency-replayed") == "true", state == "finished", "{answer:?}");
            assert!(claimed.bytes().all(|byte| byte.is_ascii_graphic()) && claimed.len() <= 255, "{claimed:?}");
            let text = std::str::from_utf8(key).expect("an accepted key is ASCII");
            assert_eq!(claimed, text.trim().trim_matches('"'), "the key was changed");
        }
        None => {
            assert!(answer.status == 400 && answer.error().starts_with("Idempotency-Key:"), "{answer:?}");
            let plain = (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_alphanumeric);
            assert!(!plain, "{key:?} was refused");
        }
    }
    accepted()
});
