//! Session tokens: no text makes the verification panic, and none is accepted but one that is signed with a key of ours,
//! for us, by us, now.
#![no_main]

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use flashsale::app::sessions::{InvalidSession, Sessions};
use flashsale::config::Secret;
use flashsale_fuzz::accepted;
use flashsale_fuzz::token::{KEYS, sign, user_of};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Arbitrary, Debug)]
enum Sent<'a> {
    Text(&'a str),
    /// Anything, signed.
    Signed {
        header: &'a [u8],
        payload: &'a [u8],
        key: u8,
    },
    /// A good token but for some of its claims and its header.
    Odd {
        header: u8,
        key: u8,
        claims: Vec<(u8, u8)>,
    },
    /// A good token with a piece of its text replaced.
    Spoiled {
        at: u8,
        with: &'a str,
    },
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(sent) = Sent::arbitrary(&mut Unstructured::new(bytes)) else { return Corpus::Reject };
    let now = chrono::Utc::now().timestamp();
    let (token, must_be_accepted) = token(&sent, now);
    let verified = sessions().verify(&token);
    match (verified, user_of(&token, now)) {
        (Ok(session), Ok(user)) => assert_eq!(session.user_id, user, "{token}"),
        (Ok(session), Err(reason)) => panic!("accepted {session:?} although {reason}: {sent:?} {token}"),
        (Err(InvalidSession), expected) => assert!(!must_be_accepted, "refused {expected:?}: {sent:?} {token}"),
    }
    accepted()
});

fn sessions() -> &'static Sessions {
    static SESSIONS: OnceLock<Sessions> = OnceLock::new();
    SESSIONS.get_or_init(|| {
        let keys: Vec<_> = KEYS[..2].iter().map(|key| Secret::new(key.to_vec())).collect();
        Sessions::new(&keys).expect("sessions")
    })
}

/// The token, and whether it is a good one by its making.
fn token(sent: &Sent<'_>, now: i64) -> (String, bool) {
    match sent {
        Sent::Text(text) => ((*text).to_owned(), false),
        Sent::Signed { header, payload, key } => (sign(header, payload, KEYS[usize::from(*key) % KEYS.len()]), false),
        Sent::Odd { header, key, claims } => {
            let key = usize::from(*key) % KEYS.len();
            let (header, is_usual) = odd_header(*header);
            let payload = odd_claims(now, claims).to_string();
            (sign(header.as_bytes(), payload.as_bytes(), KEYS[key]), is_usual && key < 2 && claims.is_empty())
        }
        Sent::Spoiled { at, with } => {
            let mut token =
                sign(br#"{"typ":"JWT","alg":"HS256"}"#, odd_claims(now, &[]).to_string().as_bytes(), KEYS[0]);
            let at = usize::from(*at) % token.len();
            let end = token.len().min(at + with.len());
            token.replace_range(at..end, with);
            (token, false)
        }
    }
}

fn odd_header(number: u8) -> (&'static str, bool) {
    const HEADERS: [(&str, bool); 9] = [
        (r#"{"typ":"JWT","alg":"HS256"}"#, true),
        (r#"{"alg":"HS256"}"#, true),
        (r#"{"alg":"none"}"#, false),
        (r#"{"alg":"HS384"}"#, false),
        (r#"{"alg":"RS256"}"#, false),
        (r#"{"alg":"HS256","alg":"none"}"#, false),
        (r#"{"typ":"JWT"}"#, false),
        (r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"kid":"../../x"}"#, false),
        ("[]", false),
    ];
    HEADERS[usize::from(number) % HEADERS.len()]
}

/// Good claims with some of them replaced.
fn odd_claims(now: i64, changes: &[(u8, u8)]) -> Value {
    const NAMES: [&str; 7] = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp"];
    let id = Uuid::from_u128(7);
    let mut claims = json!({"iss": "flashsale", "aud": "flashsale", "sub": id, "sid": id, "iat": now, "nbf": now,
        "exp": now + 60});
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(now as f64 + 60.5),
        json!(now),
        json!(now - 5),
        json!(now - 60),
        json!(now + 60),
        json!(now + 3),
        json!(""),
        json!("flashsale"),
        json!("FLASHSALE"),
        json!(["flashsale"]),
        json!(["other", "flashsale"]),
        json!("other"),
        json!({"flashsale": "flashsale"}),
        json!(id),
        json!(format!("{{{id}}}")),
        json!("9".repeat(400)),
        json!(8_210_266_876_800_i64),
    ];
    for (name, value) in changes {
        claims[NAMES[usize::from(*name) % NAMES.len()]] = odd[usize::from(*value) % odd.len()].clone();
    }
    claims
}
