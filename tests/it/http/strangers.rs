//! What strangers may not do: guess passwords for long, hide behind forged addresses, go on with a session that was ended,
//! or keep a connection by not reading from it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::events::Stream;
use crate::harness::{Parts, Reply, Stack, eventually};

const PASSWORD: &str = "long enough a password";
const ENDED_WITHIN: Duration = Duration::from_secs(5);

async fn stack(variables: &[(&str, &str)], apis: usize, redis: bool) -> Stack {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Stack::with(Parts { environment, apis, redis, ..Parts::default() }).await
}

async fn register(stack: &Stack, email: &str) -> Value {
    let account = json!({ "email": email, "password": PASSWORD });
    stack.http().post("/users").json(&account).send().await.expect(201).value()
}

/// Signs in as if from an address, through a proxy.
async fn sign_in(stack: &Stack, email: &str, password: &str, from: &str, cookie: Option<&str>) -> Reply {
    let body = json!({ "email": email, "password": password });
    let mut request = stack.http().post("/users/authenticate").header("x-forwarded-for", from).json(&body);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    request.send().await
}

async fn guess_until_refused(stack: &Stack, email: &str, from: &str) -> usize {
    for number in 0..60 {
        let reply = sign_in(stack, email, "not the password", from, None).await;
        if reply.status == 429 {
            assert!(
                reply.header("ratelimit").unwrap().starts_with("\"guesses\";r=0"),
                "{:?}",
                reply.header("ratelimit")
            );
            assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() <= 10);
            return number;
        }
        reply.problem(401, "invalid_credentials");
    }
    panic!("60 guesses at {email} from {from} and none was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_does_not_lock_the_owner_out() {
    for redis in [false, true] {
        let stack = stack(&[("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1")], 1, redis).await;
        register(&stack, "victim@example.com").await;
        let (home, stranger) = ("203.0.113.7", "198.51.100.1");
        let first = sign_in(&stack, "victim@example.com", PASSWORD, home, None).await.expect(200);
        let known = first.all("set-cookie").into_iter().find(|line| line.starts_with("flashsale_device=")).unwrap();
        assert!(known.contains("HttpOnly") && known.contains("Path=/users/authenticate"), "{known}");
        let known = known.split(';').next().unwrap();

        let guesses = guess_until_refused(&stack, "victim@example.com", stranger).await;
        assert!((5..=20).contains(&guesses), "{guesses}");
        let unknown = guess_until_refused(&stack, "nobody@example.com", stranger).await;
        assert_eq!(guesses, unknown, "an account that does not exist is guessed at as long");
        sign_in(&stack, "victim@example.com", PASSWORD, stranger, None).await.problem(429, "too_many_requests");
        sign_in(&stack, "victim@example.com", PASSWORD, home, None).await.expect(200);
        sign_in(&stack, "victim@example.com", PASSWORD, stranger, Some(known)).await.expect(200);
        register(&stack, "other@example.com").await;
        sign_in(&stack, "other@example.com", PASSWORD, stranger, Some(known)).await.expect(200);

        let log = stack.apis[0].process.log_text();
        for event in ["authn_login_fail", "authn_login_success", "user_created", "excess_rate_limit_exceeded"] {
            assert!(log.contains(event), "no {event} in {log}");
        }
        assert_eq!(log.matches("excess_rate_limit_exceeded").count(), 2, "once an account: {log}");
        assert!(log.contains("address=198.51.100.1") && !log.contains("victim@"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_addresses_that_guess_have_hardly_any_tries_and_the_owner_comes_in() {
    let stack = stack(&[("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1")], 1, true).await;
    register(&stack, "victim@example.com").await;
    let mut tried = 0;
    for _ in 0..6 {
        for address in 0..30 {
            let from = format!("198.51.100.{address}");
            let reply = sign_in(&stack, "victim@example.com", "not the password", &from, None).await;
            tried += usize::from(reply.status == 401);
        }
    }
    assert!((90..=125).contains(&tried), "{tried} of 180 guesses from 30 addresses were answered");
    sign_in(&stack, "victim@example.com", PASSWORD, "198.51.100.1", None).await.problem(429, "too_many_requests");
    sign_in(&stack, "victim@example.com", PASSWORD, "203.0.113.7", None).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_passwords_are_never_counted_as_guesses() {
    let stack = stack(&[("RATE_LIMITS", "on")], 1, false).await;
    register(&stack, "often@example.com").await;
    for _ in 0..30 {
        sign_in(&stack, "often@example.com", PASSWORD, "", None).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_addresses_hide_nobody() {
    let stack = stack(&[("RATE_LIMITS", "on")], 1, false).await;
    let mut refused = false;
    for number in 0..150 {
        let email = format!("user{number}@example.com");
        let reply = sign_in(&stack, &email, "not the password", &format!("198.51.100.{number}"), None).await;
        refused |= reply.status == 429;
    }
    assert!(refused, "150 sign-ins from one address under forged ones and none was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_shared_by_all_processes() {
    let stack = stack(&[("RATE_LIMITS", "on")], 2, true).await;
    let sale = stack.sale(5).await;
    let user = stack.user().await;
    let body = json!({ "product_id": sale.product_id });
    let started = Instant::now();
    let mut taken = 0;
    for number in 0..80 {
        let api = &stack.apis[number % 2];
        let reply = api.http.post("/orders").bearer(&user.token).json(&body).send().await;
        if reply.status != 429 {
            assert!(reply.header("ratelimit").unwrap().starts_with("\"orders\";r="), "{}", reply.text());
            assert_eq!(reply.header("ratelimit-policy"), Some("\"orders\";q=20;w=4"));
            taken += 1;
        }
    }
    let earned = 20 + started.elapsed().as_millis() / 200 + 1;
    assert!((15..=earned).contains(&taken), "{taken} taken by two processes, {earned} allowed in this time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_everybody_uses_is_refused() {
    let stack = Stack::start().await;
    for password in ["password1", "12345678", "Ann.Miller", "ann.miller@example.org"] {
        let account = json!({ "email": "ann.miller@example.org", "password": password });
        let reply = stack.http().post("/users").json(&account).send().await.problem(400, "invalid_request");
        assert!(reply["error"].as_str().unwrap().starts_with("password: "), "{reply}");
    }
    let account = json!({ "email": "ann.miller@example.org", "password": "a password of Ann's" });
    stack.http().post("/users").json(&account).send().await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_users_are_out_everywhere_and_may_come_back() {
    let stack = stack(&[], 2, false).await;
    register(&stack, "leaver@example.com").await;
    let token = |reply: Reply| reply.expect(200).value()["token"].as_str().unwrap().to_owned();
    let old = token(sign_in(&stack, "leaver@example.com", PASSWORD, "", None).await);
    let http = stack.apis[1].http;
    let mut stream = Stream::open(http.address, &http.get("/sales/events?orders=true").bearer(&old)).await;

    // The token must be older than clocks may differ.
    let output = stack.run(&["user", "disable", "--email", "Leaver@example.com"]);
    assert!(output.status.success(), "{output:?}");
    stream.wait_for_end(ENDED_WITHIN).await;
    for api in &stack.apis {
        eventually("a disabled user's token is refused", ENDED_WITHIN, async || {
            let status = api.http.get("/orders").bearer(&old).send().await.status;
            if status == 401 { Ok(()) } else { Err(status) }
        })
        .await;
    }
    sign_in(&stack, "leaver@example.com", PASSWORD, "", None).await.problem(401, "invalid_credentials");

    assert!(stack.run(&["user", "enable", "--email", "leaver@example.com"]).status.success());
    eventually("a user who was let in again signs in", Duration::from_secs(15), async || {
        let new = token(sign_in(&stack, "leaver@example.com", PASSWORD, "", None).await);
        match http.get("/orders").bearer(&new).send().await.status {
            404 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    http.get("/orders").bearer(&old).send().await.expect(401);
    let nobody = stack.run(&["user", "disable", "--email", "nobody@example.com"]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("not registered"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_their_session_on_every_api() {
    let stack = stack(&[], 2, false).await;
    let [leaver, other] = stack.users(2).await.try_into().unwrap();
    let mut streams = Vec::new();
    for api in &stack.apis {
        for path in ["/orders/events", "/sales/events?orders=true"] {
            streams.push(Stream::open(api.http.address, &api.http.get(path).bearer(&leaver.token)).await);
        }
    }
    let http = stack.http();
    let mut unharmed = Stream::open(http.address, &http.get("/sales/events?orders=true").bearer(&other.token)).await;
    http.delete("/users/session").bearer(&leaver.token).send().await.expect(204);
    for stream in &mut streams {
        stream.wait_for_end(ENDED_WITHIN).await;
    }
    let sale = stack.sale(3).await;
    unharmed.wait_for(&[&sale.flash_sale_id.to_string()]).await;
}

/// The system ends a connection whose other side takes nothing for 20 s.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_loses_the_connection() {
    let stack = Stack::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut connection = socket.connect(stack.http().address).await.unwrap();
    let asked = stack.http().get("/openapi.json").bytes().repeat(500);
    // The server stops reading when it cannot write.
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.write_all(&asked)).await;
    // One of the open connections is that of the question.
    for open in ["2", "1"] {
        eventually("as many connections are open", Duration::from_secs(40), async || {
            let metrics = stack.http().get("/metrics").send().await.text();
            let found = metrics.lines().find_map(|line| line.strip_prefix("flashsale_http_connections "));
            if found == Some(open) { Ok(()) } else { Err(format!("{found:?}, not {open}")) }
        })
        .await;
    }
    let mut read = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut read)).await;
    let size = stack.http().get("/openapi.json").send().await.body.len();
    assert!(ended.is_ok() && read.len() < 500 * size, "{} bytes of {}, {ended:?}", read.len(), 500 * size);
}
