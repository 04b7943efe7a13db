//! A PostgreSQL server of the test's own with a migrated database in it.
//!
//! Every test gets a copy of one prepared data directory, so that it can stop, crash and fill its server without
//! another test noticing, and does not pay for initdb and the migrations again. The template is made by whichever test
//! process comes first, once for each build of the binary.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use flashsale::embedded::EmbeddedPostgres;
use nix::fcntl::{Flock, FlockArg};
use tokio_postgres::{Client, NoTls};

use super::container::Container;
use super::disk::SmallDisk;
use super::stack::FLASHSALE;

/// The fields are dropped in this order: the server is stopped before its disk goes and its watchdog lies down.
pub struct Postgres {
    server: Server,
    _disk: Option<SmallDisk>,
    _watchdog: Watchdog,
    /// The folder of its files, which is a disk of its own if it was asked for.
    #[allow(dead_code, reason = "the fault harness fills it")]
    pub data: PathBuf,
}

enum Server {
    Embedded(EmbeddedPostgres),
    Container(Container),
}

impl Postgres {
    /// Starts a server with a migrated, empty database in `directory`, on a disk of its own of this size or on the usual one;
    /// in a container, where there is Docker and nobody touches its files.
    pub fn start(directory: &Path, small_disk_mb: Option<u32>, own_files: bool) -> Self {
        let data = directory.join("postgres");
        let _disk = small_disk_mb.map(|megabytes| SmallDisk::mount(&data, megabytes));
        let _watchdog = Watchdog::start(directory);
        let container = if own_files || small_disk_mb.is_some() { None } else { Container::start() };
        let server = match container {
            Some(container) => {
                migrate(&container.url);
                Server::Container(container)
            }
            None => {
                copy(&template(), &data);
                Server::Embedded(EmbeddedPostgres::start(&data).expect("start PostgreSQL on a copy of the template"))
            }
        };
        Self { server, _disk, _watchdog, data }
    }

    /// Stops the server for a moment and starts a hot standby beside it that has everything up to now. It gets nothing later:
    /// whoever reads there is told what is stale.
    pub fn start_standby(&mut self, directory: &Path) -> Self {
        let Server::Embedded(server) = &mut self.server else { panic!("a container's files cannot be copied") };
        server.stop().expect("stop PostgreSQL to copy its files");
        let data = directory.join("postgres-standby");
        copy(&self.data, &data);
        self.start_again();
        let _ = std::fs::remove_file(data.join("postgres.port"));
        let cluster = data.join("postgres/data");
        std::fs::copy(cluster.join("PG_VERSION"), cluster.join("standby.signal")).expect("make it a standby");
        let _watchdog = Watchdog::start(directory);
        let server = EmbeddedPostgres::start(&data).expect("start a standby on a copy");
        Self { server: Server::Embedded(server), _disk: None, _watchdog, data }
    }

    /// The URL of the migrated database.
    pub fn url(&self) -> String {
        match &self.server {
            Server::Embedded(server) => server.url().to_string(),
            Server::Container(container) => container.url.clone(),
        }
    }

    /// The URL of another database of the same server.
    pub fn url_of(&self, database: &str) -> String {
        with_database(&self.url(), database)
    }

    pub async fn create_database(&self, name: &str) -> String {
        connect(&self.url()).await.batch_execute(&format!("create database {name}")).await.expect("create a database");
        self.url_of(name)
    }

    /// `pg_ctl stop -m immediate`: every backend dies where it stands, and recovery follows at the next start.
    pub fn stop_immediately(&mut self) {
        match &mut self.server {
            Server::Embedded(server) => server.stop_immediately().expect("stop PostgreSQL immediately"),
            Server::Container(container) => container.stop(),
        }
    }

    pub fn start_again(&mut self) {
        match &mut self.server {
            Server::Embedded(server) => server.restart().expect("start PostgreSQL again"),
            Server::Container(container) => container.start_again(),
        }
    }
}

/// A shell that waits for the end of this process and then does what it could not do itself if it was killed: stop the
/// server, which lives in a process group of its own, and remove its files.
struct Watchdog {
    child: Child,
}

impl Watchdog {
    fn start(directory: &Path) -> Self {
        let script = r#"read -r _; for pid in $(head -q -n 1 "$0"/postgres*/postgres*/postmaster.pid); do
            case $(ps -o comm= -p "$pid") in *postgres*) kill -QUIT "$pid";; esac
        done; umount -l "$0/postgres"; rm -rf "$0""#;
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(directory).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("start the watchdog") }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A session on a database, without the driver the product uses around it.
pub async fn connect(url: &str) -> Client {
    try_connect(url).await.expect("connect to PostgreSQL")
}

pub async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The same URL with another database in its path.
pub fn with_database(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    let (server, _) = before.rsplit_once('/').expect("a URL with a database in its path");
    match query {
        Some(query) => format!("{server}/{database}?{query}"),
        None => format!("{server}/{database}"),
    }
}

/// A stopped data directory with a migrated database, named after the build of the binary that migrated it.
fn template() -> PathBuf {
    let binary = std::fs::metadata(FLASHSALE).expect("the binary under test is built");
    let built = binary.modified().expect("a modification time").duration_since(UNIX_EPOCH).expect("after 1970");
    let prefix = format!("flashsale-it-template-{}-", nix::unistd::getuid());
    let temporary = std::env::temp_dir();
    let ready = temporary.join(format!("{prefix}{}-{}", built.as_nanos(), binary.len()));

    let lock = File::create(temporary.join(format!("{prefix}lock"))).expect("create the lock of the template");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("lock the template");
    if ready.exists() {
        return ready;
    }
    remove_old_templates(&temporary, &prefix);
    let unfinished = temporary.join(format!("{prefix}{}.unfinished", std::process::id()));
    let mut server = EmbeddedPostgres::start(&unfinished).expect("start PostgreSQL for the template");
    migrate(server.url());
    server.stop().expect("stop PostgreSQL of the template");
    // Each copy looks for a port of its own.
    let _ = std::fs::remove_file(unfinished.join("postgres.port"));
    std::fs::rename(&unfinished, &ready).expect("put the template in its place");
    ready
}

fn migrate(url: &str) {
    let migrated = Command::new(FLASHSALE).arg("migrate").env("DATABASE_URL", url).output().expect("run migrate");
    assert!(
        migrated.status.success(),
        "migrate failed on a new database:\n{}{}",
        String::from_utf8_lossy(&migrated.stdout),
        String::from_utf8_lossy(&migrated.stderr)
    );
}

/// But the newest, which another build may still be using.
fn remove_old_templates(temporary: &Path, prefix: &str) {
    let entries = std::fs::read_dir(temporary).expect("list the temporary directory").flatten();
    let templates = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut old: Vec<(SystemTime, PathBuf)> = templates
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort();
    old.pop();
    for (_, path) in old {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Copies what is in a folder with owners and modes: as root the server runs as somebody else.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("create the folder to copy into");
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("run cp");
    assert!(status.success(), "copy {} to {}", from.display(), to.display());
}
