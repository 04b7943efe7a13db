//! The supervisor on real binaries: one start each of what a user or an accident does to it.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::log::{self, Log};
use super::{EmbeddedError, EmbeddedPostgres, postmaster};

/// A data folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("flashsale-{test}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn cluster_dir(&self) -> PathBuf {
        self.0.canonicalize().unwrap().join("postgres/data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn port_of(url: &str) -> u16 {
    url.strip_suffix("/flashsale").unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

fn accepts_connections(postgres: &EmbeddedPostgres) -> bool {
    TcpStream::connect(("127.0.0.1", port_of(postgres.url()))).is_ok()
}

fn is_running(pid: u32, cluster_dir: &Path) -> bool {
    postmaster::is_ready(cluster_dir, pid)
}

#[test]
fn second_start_finds_the_cluster_its_password_and_its_port_again() {
    let folder = Folder::new("again");
    let first = EmbeddedPostgres::start(&folder.0).unwrap();
    let (url, version) = (first.url().to_owned(), first.version().to_owned());
    assert!(accepts_connections(&first));
    drop(first);
    let second = EmbeddedPostgres::start(&folder.0).unwrap();
    assert_eq!((second.url(), second.version()), (url.as_str(), version.as_str()));
    assert!(accepts_connections(&second));
}

#[test]
fn second_process_on_one_folder_is_refused() {
    let folder = Folder::new("in-use");
    let first = EmbeddedPostgres::start(&folder.0).unwrap();
    let second = EmbeddedPostgres::start(&folder.0);
    assert!(matches!(second, Err(EmbeddedError::InUse { .. })), "{second:?}");
    assert!(accepts_connections(&first));
}

#[test]
fn restart_after_a_kill_or_an_immediate_stop_keeps_the_url() {
    let folder = Folder::new("restart");
    let mut postgres = EmbeddedPostgres::start(&folder.0).unwrap();
    let url = postgres.url().to_owned();

    kill(Pid::from_raw(postgres.pid().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    postgres.restart().unwrap();
    assert!(accepts_connections(&postgres));

    postgres.stop_immediately().unwrap();
    assert_eq!(postgres.pid(), None);
    assert!(!accepts_connections(&postgres));
    postgres.restart().unwrap();
    assert!(accepts_connections(&postgres));
    assert_eq!(postgres.url(), url);
}

#[test]
fn server_of_a_killed_process_is_stopped_by_the_next_start() {
    let folder = Folder::new("leftover");
    let mut abandoned = EmbeddedPostgres::start(&folder.0).unwrap();
    let pid = abandoned.pid().unwrap();
    // What SIGKILL does to the supervisor: nothing is stopped, only the lock goes. The child stays ours to wait for.
    let server = abandoned.server.take().unwrap();
    let waiter = std::thread::spawn(move || server.wait_for_test());
    drop(abandoned);
    assert!(is_running(pid, &folder.cluster_dir()));

    let next = EmbeddedPostgres::start(&folder.0).unwrap();
    assert_ne!(next.pid(), Some(pid));
    assert!(accepts_connections(&next));
    waiter.join().unwrap();
}

#[test]
fn data_of_another_major_version_is_refused_with_its_version() {
    let folder = Folder::new("major");
    drop(EmbeddedPostgres::start(&folder.0).unwrap());
    fs::write(folder.cluster_dir().join("PG_VERSION"), "9\n").unwrap();
    let error = EmbeddedPostgres::start(&folder.0).unwrap_err();
    assert!(matches!(error, EmbeddedError::OtherMajor { major: 9, .. }), "{error}");
}

#[test]
fn password_is_secret_on_disk_and_replaced_when_lost() {
    let folder = Folder::new("password");
    let url = EmbeddedPostgres::start(&folder.0).unwrap().url().to_owned();
    let path = folder.0.join("postgres.password");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&path).unwrap();
    let again = EmbeddedPostgres::start(&folder.0).unwrap();
    assert_ne!(again.url(), url);
    assert!(again.url().contains(fs::read_to_string(&path).unwrap().trim()));
}

#[test]
fn log_is_bounded_and_its_last_words_are_kept() {
    let folder = Folder::new("log");
    let (log, mut pipe) = Log::open(&folder.0).unwrap();
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    for _ in 0..20 * 1024 {
        pipe.write_all(&line).unwrap();
    }
    pipe.write_all(b"the end\n").unwrap();
    drop(pipe);
    assert!(log.last_words().ends_with("the end"));
    let path = log::path_in(&folder.0);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(&path).unwrap().ends_with("the end\n") {
        assert!(Instant::now() < deadline, "the last line did not reach {}", path.display());
    }
    for path in [path.clone(), path.with_extension("log.1")] {
        assert!(path.metadata().unwrap().len() <= 8 * 1024 * 1024, "{}", path.display());
    }
}
