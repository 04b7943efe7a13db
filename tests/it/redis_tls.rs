//! Redis by TLS (`rediss://`): it must have a certificate that this machine trusts, as `SSL_CERT_FILE` says.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use uuid::Uuid;

use crate::gate::buy_one;
use crate::harness::process::Process;
use crate::harness::stack::free_port;
use crate::harness::{Parts, Stack, eventually};

const WITHIN: Duration = Duration::from_secs(10);
const EC: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority's certificate `ca.pem`, and one that it signed for localhost, `server.pem` with `server.key`.
fn make_certificates(directory: &Path) {
    let openssl = |arguments: &[&[&str]]| {
        let mut command = Command::new("openssl");
        let output = command.args(arguments.concat()).current_dir(directory).output().expect("run openssl");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&[&["req", "-x509"], &EC, &["-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca"]]);
    let name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    openssl(&[&["req"], &EC, &["-keyout", "server.key", "-out", "server.csr"], &name]);
    openssl(&[
        &["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"],
        &["-copy_extensions", "copy", "-out", "server.pem"],
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_used_by_tls_and_must_be_the_one_it_says() {
    let directory = std::env::temp_dir().join(format!("flashsale-tls-{}", Uuid::new_v4().simple()));
    std::fs::create_dir(&directory).unwrap();
    make_certificates(&directory);
    let in_directory = |name: &str| directory.join(name).to_str().expect("a path in UTF-8").to_owned();
    let port = free_port().to_string();
    let [certificate, key, authority] = ["server.pem", "server.key", "ca.pem"].map(in_directory);
    let arguments = [
        ["--port", "0"],
        ["--tls-port", &port],
        ["--tls-cert-file", &certificate],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &authority],
        ["--tls-auth-clients", "no"],
        ["--save", ""],
    ];
    let _server = Process::spawn("redis-tls", "redis-server", arguments.as_flattened(), &[], &directory);
    let environment =
        vec![("REDIS_URL".to_owned(), format!("rediss://localhost:{port}")), ("SSL_CERT_FILE".to_owned(), authority)];
    let mut stack = Stack::with(Parts { environment, ..Parts::default() }).await;
    let sale = stack.sale(1000).await;
    eventually("the gate in Redis is used", WITHIN, async || match buy_one(&stack, &sale).await.as_str() {
        "redis" => Ok(()),
        other => Err(format!("the token is of: {other}")),
    })
    .await;

    let other = directory.join("other");
    std::fs::create_dir(&other).unwrap();
    make_certificates(&other);
    stack.set_environment("SSL_CERT_FILE", other.join("ca.pem").to_str().unwrap());
    stack.start_api().wait_until_ready().await;
    let http = stack.apis[1].http;
    eventually("a server that nobody vouches for is not used", WITHIN, async || {
        let metrics = http.get("/metrics").send().await.expect(200).text();
        let line = metrics.lines().find(|line| line.starts_with("flashsale_redis_available "));
        if line == Some("flashsale_redis_available 0") { Ok(()) } else { Err(format!("{line:?}")) }
    })
    .await;
    let said = stack.apis[1].process.log_text();
    assert!(said.contains("redis does not answer") && said.contains("certificate"), "why is said: {said}");
    std::fs::remove_dir_all(&directory).unwrap();
}
