//! Pictures that are uploaded: what is stored is of a type that is shown, begins as it does, and is no larger than allowed;
//! and what is so is stored.
#![no_main]

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use flashsale_fuzz::database::told;
use flashsale_fuzz::{Answer, Door, PRODUCT, accepted};
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

/// The seeds that are pictures, as they stand in the corpus: a run that refuses one of them would prove little.
const GOOD: [&[u8]; 5] = [
    include_bytes!("../corpus/picture/avif"),
    include_bytes!("../corpus/picture/jpeg"),
    include_bytes!("../corpus/picture/png"),
    include_bytes!("../corpus/picture/png_with_parameter"),
    include_bytes!("../corpus/picture/webp"),
];

fuzz_target!(
    init: {
        for good in GOOD {
            assert_eq!(put(good).map(|answer| answer.status), Some(204), "{good:?}");
        }
    },
    |bytes: &[u8]| -> Corpus { if put(bytes).is_some() { accepted() } else { Corpus::Reject } }
);

/// Uploads a picture of the type that the first byte says, and judges the answer.
fn put(bytes: &[u8]) -> Option<Answer> {
    let (how, picture) = bytes.split_first()?;
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
        415 => assert!(!begins_as(essence(kind), &picture), "{kind} was refused: {picture:?}"),
        _ => panic!("{answer:?}"),
    }
    Some(answer)
}

/// A type without its parameters.
fn essence(kind: &str) -> &str {
    match kind {
        "IMAGE/PNG; q=1" => "image/png",
        other => other,
    }
}

fn begins_as(kind: &str, picture: &[u8]) -> bool {
    match kind {
        "image/png" => picture.starts_with(b"\x89PNG"),
        "image/jpeg" => picture.starts_with(b"\xff\xd8\xff"),
        "image/webp" => picture.get(8..12) == Some(b"WEBP"),
        "image/avif" => is_avif(picture),
        _ => false,
    }
}

/// ISO 14496-12: a box `ftyp` with its length first, then brands of four bytes: the major one, its version, compatible ones.
fn is_avif(picture: &[u8]) -> bool {
    let Some((length, kind)) = picture.split_at_checked(4) else { return false };
    let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
    if picture.len() < 16 || picture.len() < length || !kind.starts_with(b"ftyp") {
        return false;
    }
    let major = &picture[8..12];
    let compatible = picture.get(16..length).unwrap_or_default().chunks_exact(4);
    compatible.chain([major]).any(|brand| [b"avif", b"avis"].iter().any(|known| brand == *known))
}
