//! Server processes seen from outside: the file `postmaster.pid`, signals, and what a killed predecessor left.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::EmbeddedError;

/// What to send and how long to wait for the end, from gentle to certain: close connections and write everything;
/// stop at once and recover on the next start; kill.
pub const FAST_FIRST: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// Whether the server with this process id says in `postmaster.pid` that it accepts connections, if only to read (its eighth
/// line; pg_ctl waits for the same).
pub fn is_ready(cluster_dir: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(cluster_dir.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next().and_then(|line| line.parse().ok()) == Some(pid) && matches!(lines.nth(6), Some("ready" | "standby"))
}

/// Stops a server that a killed predecessor left running in `cluster_dir`. The caller holds the folder's lock, so
/// nobody else wants it.
pub fn stop_leftover(cluster_dir: &Path) -> Result<(), EmbeddedError> {
    let path = cluster_dir.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return Ok(()) };
    if runs_in(pid, cluster_dir) {
        tracing::warn!(pid, "stopping the PostgreSQL a killed process left running");
        return stop(pid, &FAST_FIRST, || !runs_in(pid, cluster_dir));
    }
    // The id may belong to another program of this user by now, which would keep PostgreSQL from starting. That no
    // child of the old server is left, PostgreSQL checks by itself.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(EmbeddedError::file("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// Sends each signal in turn until `ended` says so.
pub fn stop(pid: u32, steps: &[(Signal, Duration)], mut ended: impl FnMut() -> bool) -> Result<(), EmbeddedError> {
    for (signal, timeout) in steps {
        if ended() || send(pid, *signal) == Err(Errno::ESRCH) {
            return Ok(());
        }
        let deadline = Instant::now() + *timeout;
        while Instant::now() < deadline {
            if ended() {
                return Ok(());
            }
            thread::sleep(POLL_PAUSE);
        }
        tracing::warn!(pid, %signal, seconds = timeout.as_secs(), "the embedded PostgreSQL has not ended yet");
    }
    Err(EmbeddedError::WontStop { pid })
}

fn send(pid: u32, signal: Signal) -> Result<(), Errno> {
    kill(Pid::from_raw(i32::try_from(pid).map_err(|_| Errno::ESRCH)?), signal)
}

/// Whether `pid` is a PostgreSQL process of this cluster: each of them works in the cluster's folder. A dead process
/// that nobody has waited for does not count.
fn runs_in(pid: u32, cluster_dir: &Path) -> bool {
    if cfg!(target_os = "linux") {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir == cluster_dir);
    }
    let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&cluster_dir.display().to_string()))
}
