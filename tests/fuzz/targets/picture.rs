//! Pictures that are uploaded: what is stored is of a type that is shown, begins as it does, and is no larger than allowed.
#![no_main]

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use flashsale_fuzz::database::told;
use flashsale_fuzz::{Door, PRODUCT};
use libfuzzer_sys::{Corpus, fuzz_target};

const KINDS: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/avif",
    "image/svg+xml",
    "IMAGE/PNG; q=1",
    "text/html",
    "image/png\u{e9}",
];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((how, picture)) = bytes.split_first() else { return Corpus::Reject };
    let kind = KINDS[usize::from(how & 7)];
    // Long ones are rare, and as long as they need to be.
    let picture = if how & 0xf8 == 0xf8 { [picture, &vec![0; 1024 * 1024]].concat() } else { picture.to_vec() };
    let door = Door::get();
    let request = Request::put(format!("/products/{PRODUCT}/picture"))
        .header("authorization", format!("Bearer {}", door.administrator_token))
        .header("content-type", HeaderValue::from_bytes(kind.as_bytes()).expect("a header"))
        .body(Body::from(picture.clone()))
        .expect("a request");
    let answer = door.send(request);
    match answer.status {
        204 => {
            let (kept_as, kept) = told(|told| told.picture.take()).expect("an accepted picture is stored");
            assert_eq!(kept, picture, "the picture was changed");
            assert!(begins_as(&kept_as, &picture), "{kept_as}: {:?}", picture.get(..16));
        }
        413 => assert!(picture.len() > 1024 * 1024, "{answer:?}"),
        415 => assert!(!begins_as(kind, &picture) || kind == "image/avif", "{kind} was refused: {picture:?}"),
        _ => panic!("{answer:?}"),
    }
    Corpus::Keep
});

fn begins_as(kind: &str, picture: &[u8]) -> bool {
    match kind {
        "image/png" => picture.starts_with(b"\x89PNG"),
        "image/jpeg" => picture.starts_with(b"\xff\xd8\xff"),
        "image/webp" => picture.get(8..12) == Some(b"WEBP"),
        "image/avif" => picture.get(4..8) == Some(b"ftyp"),
        _ => false,
    }
}
