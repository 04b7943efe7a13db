//! People who send what no client of ours would, while the crowd buys: each must be refused (4xx) or cut off, and none
//! may cost anybody else a unit.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::users::{claims, now_s, sign};
use crate::harness::{JWT_SECRET, User};
use crate::record::{Record, Recorder};
use crate::world::World;

const EACH: usize = 8;
const PATIENCE: Duration = Duration::from_secs(25);
const DRIP_EVERY: Duration = Duration::from_millis(200);
const HUGE_BODY_BYTES: usize = 1 << 30;
const SENT_OF_HUGE_BODY_MAX: usize = 32 << 20;

pub async fn visit(world: &mut World) {
    world.moment(0.02, 0.1).await;
    world.recorder.strike("strangers arrive", true);
    let mut strangers = JoinSet::new();
    let addresses = world.addresses();
    let product_id = world.sales.main.product_id;
    for number in 0..EACH {
        let address = addresses[number % addresses.len()];
        let user = world.stack.user().await;
        for (what, bytes, manner) in requests(&user, product_id) {
            strangers.spawn(send(address, what, bytes, manner, world.recorder.clone()));
        }
    }
    strangers.join_all().await;
    world.recorder.fault("strangers are gone");
}

#[derive(Clone, Copy)]
enum Manner {
    /// As everybody sends.
    AtOnce,
    /// A byte now and then.
    Dripping,
    /// Followed by as much as the server takes.
    Flooding,
}

fn requests(user: &User, product_id: Uuid) -> Vec<(&'static str, Vec<u8>, Manner)> {
    let good = format!(r#"{{"product_id":"{product_id}"}}"#);
    let twice = format!(r#"{{"product_id":"{product_id}","product_id":"{product_id}"}}"#);
    let deep = "[".repeat(8000);
    let mut list = vec![
        ("slow head", b"POST /orders HTTP/1.1\r\nhost: localhost\r\nx-slow: ".to_vec(), Manner::Dripping),
        ("slow body", post(&user.token, 1000, b"{"), Manner::Dripping),
        ("1 GiB body", post(&user.token, HUGE_BODY_BYTES, b"{"), Manner::Flooding),
        ("deep JSON", post(&user.token, deep.len(), deep.as_bytes()), Manner::AtOnce),
        ("bad UTF-8", post(&user.token, 17, b"{\"product_id\":\"\xff\xfe"), Manner::AtOnce),
        ("duplicate members", post(&user.token, twice.len(), twice.as_bytes()), Manner::AtOnce),
    ];
    for (what, token) in forged_tokens(user) {
        list.push((what, post(&token, good.len(), good.as_bytes()), Manner::AtOnce));
    }
    list
}

fn forged_tokens(user: &User) -> Vec<(&'static str, String)> {
    let mut other_audience = claims(user.id);
    other_audience["aud"] = json!("somebody else");
    let mut expired = claims(user.id);
    expired["exp"] = json!(now_s() - 3600);
    let payload = user.token.split('.').nth(1).unwrap_or_default();
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    vec![
        ("token: alg none", unsigned),
        ("token: wrong key", sign(&claims(user.id), "another-key-that-is-long-enough-0123456789")),
        ("token: wrong audience", sign(&other_audience, JWT_SECRET)),
        ("token: expired", sign(&expired, JWT_SECRET)),
    ]
}

fn post(token: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn send(address: SocketAddr, what: &'static str, bytes: Vec<u8>, manner: Manner, recorder: Recorder) {
    let status = match tokio::time::timeout(PATIENCE, exchange(address, &bytes, manner)).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            let cut_off = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
            assert!(cut_off.contains(&error.kind()), "{what}: {error}");
            0
        }
        Err(_) => panic!("{what}: the server has not refused it after {PATIENCE:?}"),
    };
    recorder.write(&Record::Stranger { what: what.to_owned(), status });
}

async fn exchange(address: SocketAddr, bytes: &[u8], manner: Manner) -> std::io::Result<u16> {
    let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
    writer.write_all(bytes).await?;
    // Goes on sending until the answer is there.
    let more = tokio::spawn(async move {
        match manner {
            Manner::AtOnce => {}
            Manner::Dripping => {
                while writer.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(DRIP_EVERY).await;
                }
            }
            Manner::Flooding => {
                let mut sent = 0;
                while sent < SENT_OF_HUGE_BODY_MAX && writer.write_all(&[b' '; 64 * 1024]).await.is_ok() {
                    sent += 64 * 1024;
                }
            }
        }
        writer
    });
    let mut head = [0; 12];
    let read = reader.read_exact(&mut head).await;
    more.abort();
    read?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|code| code.parse().ok());
    Ok(status.unwrap_or(0))
}
