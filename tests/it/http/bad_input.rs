//! What no client should send: each gets a clear 4xx, never a 500, and nothing happens.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::harness::{Connection, Reply, Stack, User};

const ROUTES: [&str; 6] = ["/orders", "/users", "/users/authenticate", "/sales", "/sales/update", "/sales/end"];
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

async fn post(stack: &Stack, user: &User, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Reply {
    stack.http().post(path).bearer(&user.token).body(kind, body).send().await
}

/// Sends these bytes as they are and reads the answer.
async fn raw(stack: &Stack, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut connection = Connection::open(stack.http().address).await?;
    tokio::time::timeout(ANSWER_WITHIN, connection.exchange(bytes)).await.expect("an answer or a closed connection")
}

async fn nothing_happened(stack: &Stack) {
    let row = stack
        .database()
        .await
        .query_one(
            "select (select count(*) from flashsale.orders), (select count(*) from pgmq.q_purchases),
                    (select count(*) from flashsale.flash_sales)",
            &[],
        )
        .await
        .unwrap();
    let found: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(found, [0, 0, 0], "orders, messages, sales");
    stack.http().get("/readyz").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_that_does_not_parse_is_refused_on_every_route() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}", "{\"product_id\":".repeat(20_000), "}".repeat(20_000));
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("half an object", b"{".to_vec()),
        ("no JSON", b"product_id=1".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a string", b"\"x\"".to_vec()),
        ("a number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("a huge exponent", b"{\"product_id\":1e999999}".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a trailing comma", b"{\"product_id\":\"x\",}".to_vec()),
        ("a comment", b"/* */{}".to_vec()),
        ("bad UTF-8", b"{\"product_id\":\"\xff\xfe\"}".to_vec()),
        ("a cut UTF-8 sequence", b"{\"product_id\":\"\xe2\x82\"}".to_vec()),
        ("a lone surrogate", b"{\"product_id\":\"\\ud800\"}".to_vec()),
        ("UTF-16", b"\xff\xfe{\x00}\x00".to_vec()),
        ("NaN", b"{\"product_id\":NaN}".to_vec()),
        ("zero bytes", vec![0; 100]),
        ("deep arrays", deep.into_bytes()),
        ("deep objects", deep_objects.into_bytes()),
        ("unknown members", b"{\"__proto__\":{},\"constructor\":1}".to_vec()),
    ];
    for path in ROUTES {
        for (what, body) in &bodies {
            let reply = post(&stack, &administrator, path, "application/json", body.clone()).await;
            let allowed: &[u16] = if body.len() > 10_000 { &[400, 413] } else { &[400] };
            assert!(allowed.contains(&reply.status), "{path} with {what}: {} {}", reply.status, reply.text());
            assert!(reply.value()["code"].is_string(), "{path} with {what}: {}", reply.text());
        }
    }
    nothing_happened(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchase_with_a_wrong_body_is_refused() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    let id = Uuid::new_v4();
    let bodies = [
        "{}".to_owned(),
        r#"{"product_id":null}"#.to_owned(),
        r#"{"product_id":1}"#.to_owned(),
        r#"{"product_id":true}"#.to_owned(),
        r#"{"product_id":[]}"#.to_owned(),
        r#"{"product_id":""}"#.to_owned(),
        r#"{"product_id":"x"}"#.to_owned(),
        format!(r#"{{"product_id":"{id}x"}}"#),
        format!(r#"{{"product_id":" {id}"}}"#),
        format!(r#"{{"product_id":"{id}","product_id":"{id}"}}"#),
        format!(r#"{{"product_id":"{id}","quantity":2}}"#),
        format!(r#"{{"product_id":"{id}","user_id":"{id}"}}"#),
        format!(r#"{{"Product_Id":"{id}"}}"#),
        format!(r#"["{id}"]"#),
        "{\"product_id\":\"'; drop table flashsale.orders; --\"}".to_owned(),
        "{\"product_id\":\"\\u0000\"}".to_owned(),
    ];
    for body in bodies {
        let reply = post(&stack, &user, "/orders", "application/json", body.clone()).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        let problem = reply.problem(400, "invalid_request");
        assert!(problem["error"].as_str().unwrap().len() < 500, "{body}: {problem}");
    }
    // Who you are is checked before what you sent.
    stack.http().post("/orders").body("application/json", "{").send().await.expect(401);
    nothing_happened(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_members_are_refused_on_every_route() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let id = Uuid::new_v4();
    for (path, body) in [
        ("/orders", format!(r#"{{"product_id":"{id}","product_id":"{id}"}}"#)),
        ("/users", r#"{"email":"a@example.com","email":"b@example.com","password":"long enough it is"}"#.to_owned()),
        ("/users/authenticate", r#"{"email":"a@example.com","password":"a","password":"b"}"#.to_owned()),
        ("/sales/update", format!(r#"{{"flash_sale_id":"{id}","quantity":1,"quantity":2}}"#)),
    ] {
        post(&stack, &administrator, path, "application/json", body).await.problem(400, "invalid_request");
    }
    nothing_happened(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_of_another_kind_is_refused() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    let body = format!(r#"{{"product_id":"{}"}}"#, Uuid::new_v4());
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "json", ""]
    {
        let reply = post(&stack, &user, "/orders", kind, body.clone()).await;
        assert!([400, 415].contains(&reply.status), "content-type {kind:?}: {} {}", reply.status, reply.text());
        assert!(reply.value()["code"].is_string(), "{}", reply.text());
    }
    let plain = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        user.token,
        body.len()
    );
    let reply = raw(&stack, plain.as_bytes()).await.unwrap();
    assert!([400, 415].contains(&reply.status), "no content-type: {} {}", reply.status, reply.text());
    post(&stack, &user, "/orders", "application/json; charset=utf-8", body).await.problem(404, "product_not_found");
    nothing_happened(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_are_none_are_refused() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    for id in ["x", "1", "%00", "%ff", "..%2f..%2fetc", "00000000-0000-0000-0000-00000000000g", &"9".repeat(3000)] {
        for path in [format!("/sales/{id}"), format!("/sales?product_id={id}"), format!("/orders?product_id={id}")] {
            let reply = stack.http().get(&path).bearer(&user.token).send().await;
            assert!([400, 404].contains(&reply.status), "{path}: {} {}", reply.status, reply.text());
            assert!(reply.value()["code"].is_string(), "{path}: {}", reply.text());
        }
    }
    let twice = format!("/orders?product_id={0}&product_id={0}", Uuid::new_v4());
    let reply = stack.http().get(&twice).bearer(&user.token).send().await;
    assert!([400, 404].contains(&reply.status), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_bodies_are_refused_early() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    for path in ROUTES {
        let body = format!(r#"{{"product_id":"{}"}}"#, "x".repeat(3_000_000));
        let reply = stack.http().post(path).bearer(&user.token).body("application/json", body).try_send().await;
        match reply {
            Ok(reply) => assert!([413, 403].contains(&reply.status), "{path}: {} {}", reply.status, reply.text()),
            // The server may close before the client has sent everything.
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{path}: {error}"),
        }
    }
    // A gigabyte that is announced and never sent is refused by its announcement.
    let announced = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1073741824\r\n\r\n{{",
        user.token
    );
    let reply = raw(&stack, announced.as_bytes()).await.expect("an answer");
    assert_eq!(reply.status, 413, "{}", reply.text());
    // And one that is chunked, once it is too much.
    let mut chunked = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        user.token
    )
    .into_bytes();
    for _ in 0..64 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend(std::iter::repeat_n(b' ', 0x10000));
        chunked.extend_from_slice(b"\r\n");
    }
    if let Ok(reply) = raw(&stack, &chunked).await {
        assert_eq!(reply.status, 413, "{}", reply.text());
    }
    nothing_happened(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_no_http_are_refused() {
    let stack = Stack::start().await;
    let many_headers: String = (0..2000).map(|n| format!("x-{n}: y\r\n")).collect();
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)),
        ("no version", b"GET /sales\r\n\r\n".to_vec()),
        ("HTTP/2 without TLS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a header without a colon", b"GET /sales HTTP/1.1\r\nhost x\r\n\r\n".to_vec()),
        ("a negative length", b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec()),
        ("two lengths", b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec()),
        ("a bad chunk", b"POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        ("a long path", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000)).into_bytes()),
        ("a long header", format!("GET /sales HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(1_000_000)).into_bytes()),
        ("many headers", format!("GET /sales HTTP/1.1\r\nhost: x\r\n{many_headers}\r\n").into_bytes()),
        ("bytes in a header", b"GET /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in requests {
        if let Ok(reply) = raw(&stack, &bytes).await {
            assert!(
                (400..500).contains(&reply.status) || reply.status == 505,
                "{what}: {} {}",
                reply.status,
                reply.text()
            );
        }
        stack.http().get("/healthz").send().await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_head_is_cut_off() {
    let stack = Stack::start().await;
    let mut connection = Connection::open(stack.http().address).await.unwrap();
    connection.stream.write_all(b"GET /sales HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    dribble_until_cut_off(&mut connection, b"x: y\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_body_is_cut_off() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    let mut connection = Connection::open(stack.http().address).await.unwrap();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n{{",
        user.token
    );
    connection.stream.write_all(head.as_bytes()).await.unwrap();
    dribble_until_cut_off(&mut connection, b" ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_that_stops_coming_is_cut_off() {
    let stack = Stack::start().await;
    let user = stack.user().await;
    let mut connection = Connection::open(stack.http().address).await.unwrap();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n{{",
        user.token
    );
    connection.stream.write_all(head.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(30), connection.read_reply()).await;
    if let Ok(reply) = answer.expect("a body that stops coming is given up") {
        assert!((400..500).contains(&reply.status), "{} {}", reply.status, reply.text());
    }
}

/// Sends a little every half second until the server has had enough: it answers or closes.
async fn dribble_until_cut_off(connection: &mut Connection, drop: &[u8]) {
    let cut_off = async {
        loop {
            match tokio::time::timeout(Duration::from_millis(500), connection.read_reply()).await {
                Ok(Ok(reply)) => {
                    return assert!((400..500).contains(&reply.status), "{} {}", reply.status, reply.text());
                }
                Ok(Err(_)) => return,
                Err(_) if connection.stream.write_all(drop).await.is_err() => return,
                Err(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), cut_off).await.expect("a slow client is cut off within 40 seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_every_kind_survives_a_round_trip() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let now = chrono::Utc::now();
    for name in
        ["Lampe «schön» 灯 🪔", "'; drop table users; --", "<script>alert(1)</script>", "\u{202e}abc", "a\\b\"c"]
    {
        let body = json!({
            "name": name, "description": name, "price_in_cents": 0, "quantity": 0,
            "start_date": now, "end_date": now + chrono::TimeDelta::hours(1),
        });
        let request = stack.http().post("/sales").bearer(&administrator.token).json(&body);
        let sale = request.send().await.expect(201).value();
        assert_eq!(sale["name"], name);
    }
}
