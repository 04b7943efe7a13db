//! Tokens nobody should accept, and the rotation of the keys they are signed with.

use serde_json::{Value, json};

use crate::harness::users::{JWT_SECRET, claims, now_s, sign};
use crate::harness::{Parts, Stack};

const OTHER_SECRET: &str = "another-key-that-is-long-enough-9876543210";

/// A token made by hand: these two parts, this signature.
fn assemble(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", base64_url(header.to_string().as_bytes()), base64_url(claims.to_string().as_bytes()))
}

fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_expired_and_foreign_tokens_are_refused() {
    let stack = Stack::start().await;
    let sale = stack.sale(5).await;
    let user = stack.administrator().await;
    let with = |member: &str, value: Value| {
        let mut spoiled = claims(user.id);
        spoiled[member] = value;
        spoiled
    };
    let without = |member: &str| {
        let mut spoiled = claims(user.id);
        spoiled.as_object_mut().unwrap().remove(member);
        spoiled
    };
    let good = sign(&claims(user.id), JWT_SECRET);
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let none = json!({ "alg": "none", "typ": "JWT" });
    let mut tokens = vec![
        ("nothing", String::new()),
        ("no token", "x".to_owned()),
        ("two dots", "..".to_owned()),
        ("alg none", assemble(&none, &claims(user.id), "")),
        ("alg None", assemble(&json!({ "alg": "None" }), &claims(user.id), "")),
        ("alg none with a signature", assemble(&none, &claims(user.id), signature)),
        ("alg RS256", assemble(&json!({ "alg": "RS256" }), &claims(user.id), signature)),
        ("another user under the signature", assemble(&json!({ "alg": "HS256" }), &claims(sale.product_id), signature)),
        ("no signature", format!("{head}.{}.", rest.split('.').next().unwrap())),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("wrong key", sign(&claims(user.id), OTHER_SECRET)),
        ("empty key", sign(&claims(user.id), "")),
        ("expired", sign(&with("exp", json!(now_s() - 120)), JWT_SECRET)),
        ("not yet valid", sign(&with("nbf", json!(now_s() + 3600)), JWT_SECRET)),
        ("wrong audience", sign(&with("aud", json!("somebody-else")), JWT_SECRET)),
        ("wrong issuer", sign(&with("iss", json!("somebody-else")), JWT_SECRET)),
        ("a subject that is no user", sign(&with("sub", json!("administrator")), JWT_SECRET)),
        ("a numeric expiry that is none", sign(&with("exp", json!("tomorrow")), JWT_SECRET)),
        ("a session that is none", sign(&with("sid", json!("x")), JWT_SECRET)),
        ("very long", "a".repeat(7000)),
        ("not ASCII", "tökén".to_owned()),
    ];
    for member in ["exp", "nbf", "iss", "aud", "sub"] {
        tokens.push(("a missing claim", sign(&without(member), JWT_SECRET)));
    }
    let body = json!({ "product_id": sale.product_id });
    for (what, token) in &tokens {
        let routes = [
            stack.http().get("/orders"),
            stack.http().post("/orders").json(&body),
            stack.http().post("/sales").json(&json!({})),
            stack.http().delete("/users/session"),
            stack.http().get("/orders/events"),
            stack.http().get("/orders/history"),
            stack.http().get("/sales/events?orders=true"),
            stack.http().post("/sales/end").json(&json!({})),
        ];
        for request in routes {
            let reply = request.clone().bearer(token).send().await;
            assert_eq!(reply.status, 401, "{what}: {request:?}: {}", reply.text());
            assert!(reply.value()["code"].is_string(), "{what}: {}", reply.text());
        }
    }
    for scheme in ["Basic", "Token", "bearerx"] {
        let request = stack.http().get("/orders").header("authorization", &format!("{scheme} {good}"));
        assert_eq!(request.send().await.status, 401, "{scheme}");
    }
    let orders: i64 =
        stack.database().await.query_one("select count(*) from flashsale.orders", &[]).await.unwrap().get(0);
    assert_eq!(orders, 0);
    stack.http().get("/orders").bearer(&good).send().await.problem(404, "order_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_key_verifies_while_a_rotation_lasts() {
    let both = format!("{OTHER_SECRET},{JWT_SECRET}");
    let environment = vec![("JWT_SECRET".to_owned(), both)];
    let mut stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    let user = stack.user().await;
    let (old, new) = (sign(&claims(user.id), JWT_SECRET), sign(&claims(user.id), OTHER_SECRET));
    for token in [&old, &new] {
        stack.http().get("/orders").bearer(token).send().await.expect(404);
    }
    let account = json!({ "email": "rotating@example.com", "password": "long enough a password" });
    stack.http().post("/users").json(&account).send().await.expect(201);
    let session = stack.http().post("/users/authenticate").json(&account).send().await.expect(200).value();

    stack.apis[0].process.set_environment("JWT_SECRET", OTHER_SECRET);
    stack.apis[0].process.kill_and_start_again();
    stack.apis[0].wait_until_ready().await;
    stack.http().get("/orders").bearer(&old).send().await.expect(401);
    stack.http().get("/orders").bearer(&new).send().await.expect(404);
    stack.http().get("/orders").bearer(session["token"].as_str().unwrap()).send().await.expect(404);
}
