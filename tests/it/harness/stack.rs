//! The whole system, private to one test: PostgreSQL, Redis if wanted, API and worker processes of the binary under
//! test. Dropping it ends everything; a log with a panic or a secret in it fails the test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::http::Http;
use super::postgres::{Postgres, connect};
use super::process::Process;
use super::redis::RedisServer;
use super::redis_sets::{PASSWORDS, RedisSet, SetKind};
use super::users::{JWT_SECRET, User, insert_users};
use super::wait::eventually;

pub const FLASHSALE: &str = env!("CARGO_BIN_EXE_flashsale");
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What a stack is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub redis: bool,
    /// Servers that fail over, instead of one.
    pub redis_set: Option<SetKind>,
    pub apis: usize,
    pub workers: usize,
    /// More variables for the processes.
    pub environment: Vec<(String, String)>,
    /// Where the logs of the processes go, when they are to outlive the stack.
    pub logs: Option<PathBuf>,
    /// PostgreSQL's data on a disk of its own of this size.
    pub small_disk_mb: Option<u32>,
    /// PostgreSQL's files and processes are touched: never in a container.
    pub own_files: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            redis: false,
            redis_set: None,
            apis: 1,
            workers: 1,
            environment: Vec::new(),
            logs: None,
            small_disk_mb: None,
            own_files: false,
        }
    }
}

/// The fields are dropped in this order: who connects goes before who is connected to.
pub struct Stack {
    pub apis: Vec<Api>,
    pub workers: Vec<Process>,
    pub redis: Option<RedisServer>,
    pub redis_set: Option<RedisSet>,
    pub postgres: Postgres,
    /// The program of processes started from now on.
    pub binary: PathBuf,
    environment: Vec<(String, String)>,
    /// Where the logs of the processes are.
    log_directory: PathBuf,
    directory: Directory,
    /// Set by tests that expect a log line the check at the end would refuse.
    pub logs_are_checked: bool,
}

pub struct Api {
    pub process: Process,
    pub http: Http,
}

/// What the processes log in to the database as, and with.
pub const LOGINS: [&str; 2] = ["flashsale_api", "flashsale_worker"];
pub const PASSWORD: &str = "correct-horse-of-the-processes";

/// A sale as the tests need to know it.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    pub flash_sale_id: Uuid,
    pub product_id: Uuid,
    pub quantity: i64,
}

impl Stack {
    /// One API, one worker, no Redis.
    pub async fn start() -> Self {
        Self::with(Parts::default()).await
    }

    pub async fn with(parts: Parts) -> Self {
        let directory = Directory::create();
        let log_directory = parts.logs.unwrap_or_else(|| directory.path.clone());
        let postgres = Postgres::start(&directory.path, parts.small_disk_mb, parts.own_files);
        let redis = match parts.redis {
            true => Some(RedisServer::start(&directory.path).await),
            false => None,
        };
        let redis_set = match parts.redis_set {
            Some(kind) => Some(RedisSet::start(kind, &directory.path).await),
            None => None,
        };
        let mut environment = vec![
            ("DATABASE_URL".to_owned(), postgres.url()),
            ("JWT_SECRET".to_owned(), JWT_SECRET.to_owned()),
            ("RATE_LIMITS".to_owned(), "off".to_owned()),
            ("RUST_BACKTRACE".to_owned(), "1".to_owned()),
        ];
        environment.extend(redis.as_ref().map(|server| ("REDIS_URL".to_owned(), server.url())));
        environment.extend(redis_set.as_ref().map(|set| ("REDIS_URL".to_owned(), set.url())));
        if let Some(sql) = std::env::var_os("SABOTAGE_SQL") {
            // Tests the tests: breaks the product on purpose, to see which of them notice.
            let sql = sql.into_string().expect("SABOTAGE_SQL in UTF-8");
            connect(&postgres.url()).await.batch_execute(&sql).await.expect("run SABOTAGE_SQL");
        }
        let logins = LOGINS.map(|role| format!("alter role {role} login password '{PASSWORD}';")).concat();
        connect(&postgres.url()).await.batch_execute(&logins).await.expect("let the processes log in");
        let mut stack = Self {
            apis: Vec::new(),
            workers: Vec::new(),
            redis,
            redis_set,
            postgres,
            binary: PathBuf::from(FLASHSALE),
            environment,
            log_directory,
            directory,
            logs_are_checked: true,
        };
        for (name, value) in &parts.environment {
            stack.set_environment(name, value);
        }
        for _ in 0..parts.apis {
            stack.start_api();
        }
        for _ in 0..parts.workers {
            stack.start_worker();
        }
        for api in &mut stack.apis {
            api.wait_until_ready().await;
        }
        stack
    }

    /// Starts one more API process; wait for it with `wait_until_ready`.
    pub fn start_api(&mut self) -> &mut Api {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut environment = self.environment.clone();
        environment.push(("BIND_ADDR".to_owned(), address.to_string()));
        log_in_as("flashsale_api", &mut environment);
        let name = format!("api-{}", self.apis.len());
        let process = Process::spawn(&name, &self.binary, &["api"], &environment, &self.log_directory);
        self.apis.push(Api { process, http: Http { address } });
        self.apis.last_mut().expect("one was just added")
    }

    pub fn start_worker(&mut self) -> &mut Process {
        let name = format!("worker-{}", self.workers.len());
        let mut environment = self.environment.clone();
        log_in_as("flashsale_worker", &mut environment);
        let process = Process::spawn(&name, &self.binary, &["worker"], &environment, &self.log_directory);
        self.workers.push(process);
        self.workers.last_mut().expect("one was just added")
    }

    /// Changes a variable for the processes that are started from now on.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs one of the binary's commands to its end.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = std::process::Command::new(&self.binary);
        command.args(arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        super::process::die_with_parent(&mut command);
        command.output().expect("run the binary")
    }

    /// A folder that ends with the test; the logs are there.
    #[allow(dead_code, reason = "the fault harness has folders of its own")]
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// The first API process.
    pub fn http(&self) -> Http {
        self.apis[0].http
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.apis.iter().map(|api| api.http.address).collect()
    }

    pub fn redis(&self) -> &RedisServer {
        self.redis.as_ref().expect("a stack with Redis")
    }

    pub fn redis_mut(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a stack with Redis")
    }

    pub fn redis_set(&self) -> &RedisSet {
        self.redis_set.as_ref().expect("a stack with Redis servers that fail over")
    }

    pub fn redis_set_mut(&mut self) -> &mut RedisSet {
        self.redis_set.as_mut().expect("a stack with Redis servers that fail over")
    }

    /// A session of the test's own on the database.
    pub async fn database(&self) -> Client {
        connect(&self.postgres.url()).await
    }

    pub async fn users(&self, count: usize) -> Vec<User> {
        insert_users(&self.database().await, count, false).await
    }

    pub async fn user(&self) -> User {
        self.users(1).await.remove(0)
    }

    pub async fn administrator(&self) -> User {
        insert_users(&self.database().await, 1, true).await.remove(0)
    }

    /// A sale that is open for an hour, made through the API.
    pub async fn sale(&self, quantity: i64) -> Sale {
        let now = Utc::now();
        self.sale_between(quantity, now - TimeDelta::minutes(1), now + TimeDelta::hours(1)).await
    }

    pub async fn sale_between(&self, quantity: i64, start: DateTime<Utc>, end: DateTime<Utc>) -> Sale {
        let administrator = self.administrator().await;
        let body = json!({
            "name": format!("Thing {}", Uuid::new_v4()), "description": "made by a test", "price_in_cents": 1999,
            "quantity": quantity, "start_date": start, "end_date": end,
        });
        let created = self.http().post("/sales").bearer(&administrator.token).json(&body).send().await.expect(201);
        let sale = Sale::of(&created.value());
        for api in &self.apis {
            eventually("every API process knows a new sale", Duration::from_secs(10), async || {
                let reply = api.http.get(&format!("/sales/{}", sale.flash_sale_id)).send().await;
                if reply.status == 200 { Ok(()) } else { Err(format!("{} {}", reply.status, reply.text())) }
            })
            .await;
        }
        sale
    }

    /// Waits until the queue is empty and no order of any sale is in progress.
    pub async fn wait_until_drained(&self, deadline: Duration) {
        let database = self.database().await;
        eventually("the queue is empty and every order is settled", deadline, async || {
            let row = database
                .query_one(
                    "select (select count(*) from pgmq.q_purchases),
                            (select count(*) from flashsale.orders where status = 'in_progress')",
                    &[],
                )
                .await
                .map_err(|error| error.to_string())?;
            match (row.get::<_, i64>(0), row.get::<_, i64>(1)) {
                (0, 0) => Ok(()),
                (queued, in_progress) => Err(format!("{queued} messages, {in_progress} orders in progress")),
            }
        })
        .await;
    }

    pub fn logs(&self) -> String {
        let apis = self.apis.iter().map(|api| &api.process);
        apis.chain(&self.workers).map(Process::log_text).collect::<Vec<_>>().join("\n")
    }

    /// Panics and secrets in the logs, each as a line.
    pub fn wrong_in_logs(&self) -> Vec<String> {
        let logs = self.logs();
        let panics = logs.lines().filter(|line| line.contains("panicked at"));
        let mut wrong: Vec<String> = panics.map(|line| format!("a process panicked: {line}")).collect();
        for secret in [JWT_SECRET, PASSWORD, "$argon2id$", "eyJ"].into_iter().chain(PASSWORDS) {
            let line = logs.lines().find(|line| line.contains(secret));
            wrong.extend(line.map(|line| format!("a secret ({secret:?}) is in a log: {line:?}")));
        }
        wrong
    }
}

/// The processes of a stack log in with no more rights than they need.
fn log_in_as(role: &str, environment: &mut [(String, String)]) {
    for (_, url) in environment.iter_mut().filter(|(name, _)| name == "DATABASE_URL") {
        if let Some((_, address)) = url.rsplit_once('@') {
            *url = format!("postgres://{role}:{PASSWORD}@{address}");
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.logs_are_checked && !std::thread::panicking() {
            let wrong = self.wrong_in_logs();
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

impl Api {
    pub async fn wait_until_ready(&mut self) {
        let (process, http) = (&mut self.process, self.http);
        eventually(&format!("{} is ready", process.name.clone()), READY_WITHIN, || {
            let ended = process.exited();
            async move {
                if let Some(status) = ended {
                    panic!("the API ended at its start: {status}");
                }
                match http.get("/readyz").try_send().await {
                    Ok(reply) if reply.status == 200 => Ok(()),
                    Ok(reply) => Err(format!("/readyz answered {} {}", reply.status, reply.text())),
                    Err(error) => Err(error.to_string()),
                }
            }
        })
        .await;
    }
}

impl Sale {
    pub fn of(body: &Value) -> Self {
        let id = |name: &str| body[name].as_str().and_then(|text| text.parse().ok());
        Self {
            flash_sale_id: id("flash_sale_id").unwrap_or_else(|| panic!("a sale has a flash_sale_id: {body}")),
            product_id: id("product_id").unwrap_or_else(|| panic!("a sale has a product_id: {body}")),
            quantity: body["quantity"].as_i64().unwrap_or_else(|| panic!("a sale has a quantity: {body}")),
        }
    }
}

/// A directory below the temporary one that ends with the test.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn create() -> Self {
        let path = std::env::temp_dir().join(format!("flashsale-it-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&path).expect("create a temporary directory");
        Self { path }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A port nobody listens on, below those the kernel gives to outgoing connections, and never the same one twice in one
/// process. Processes start at different places, so that two rarely try the same port.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 1000).expect("below 1000") * 20;
    for _ in 0..1000 {
        let port = 12_000 + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 12000 and 32000");
}
