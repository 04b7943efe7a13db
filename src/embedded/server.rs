//! One server process, and the watchdog that ends it when we are killed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::binaries::Binaries;
use super::cluster;
use super::error::EmbeddedError;
use super::log::{self, Log};
use super::place::Place;
use super::postmaster;

const POLL_PAUSE: Duration = Duration::from_millis(10);

/// A running postmaster, our child.
#[derive(Debug)]
pub struct Server {
    child: Child,
    watchdog: Option<Watchdog>,
    log: Log,
}

impl Server {
    /// Starts the server and waits until it accepts connections, or ends, or `deadline` passes.
    pub fn spawn(place: &Place, binaries: &Binaries, port: u16, deadline: Instant) -> Result<Self, EmbeddedError> {
        let program = binaries.program("postgres");
        let (log, output) = Log::open(&place.data_dir)?;
        let spawn_failed = |source| EmbeddedError::Spawn { program: program.clone(), source };
        let errors = output.try_clone().map_err(spawn_failed)?;
        let mut command = place.account.command(&program, &place.base);
        command
            .arg("-D")
            .arg(place.cluster_dir())
            .args(["-p", &port.to_string()])
            .arg("-c")
            .arg(format!("config_file={}", cluster::settings_path(place).display()))
            .arg("-c")
            .arg(format!("hba_file={}", cluster::access_path(place).display()))
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors))
            // Out of the terminal's reach: on ctrl-c it goes after our own work is done, not at once.
            .process_group(0);
        let child = command.spawn().map_err(spawn_failed)?;
        // The command holds the log's writing end; only the server may, or the log would never end.
        drop(command);
        let mut server = Self { child, watchdog: None, log };
        server.watchdog = Some(Watchdog::spawn(place, server.pid())?);
        server.wait_until_ready(place, port, deadline)?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self, place: &Place, port: u16, deadline: Instant) -> Result<(), EmbeddedError> {
        let began = Instant::now();
        let cluster_dir = place.cluster_dir();
        loop {
            if let Some(status) = self.ended() {
                return Err(EmbeddedError::EndedAtStart { status, port, output: self.log.last_words() });
            }
            if postmaster::is_ready(&cluster_dir, self.pid()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let seconds = began.elapsed().as_secs();
                return Err(EmbeddedError::NotReady { seconds, log: log::path_in(&place.data_dir) });
            }
            thread::sleep(POLL_PAUSE);
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub fn stop_fast(mut self) -> Result<(), EmbeddedError> {
        self.stop(0)
    }

    pub fn stop_immediately(mut self) -> Result<(), EmbeddedError> {
        self.stop(1)
    }

    /// Waits for an end that somebody else brings about, as init does for the children of a dead process.
    #[cfg(test)]
    pub fn wait_for_test(mut self) {
        self.watchdog = None;
        let _ = self.child.wait();
    }

    /// `gentler_steps_skipped`: 0 begins with a fast shutdown, 1 with an immediate one.
    fn stop(&mut self, gentler_steps_skipped: usize) -> Result<(), EmbeddedError> {
        // First, while the process id is certainly still the server's.
        self.watchdog = None;
        let pid = self.pid();
        let steps = &postmaster::FAST_FIRST[gentler_steps_skipped..];
        postmaster::stop(pid, steps, || self.ended().is_some())
    }
}

impl Drop for Server {
    /// A start given up on must not leave its process behind; after a stop this finds it ended.
    fn drop(&mut self) {
        if let Err(error) = self.stop(0) {
            tracing::error!(%error, "the embedded PostgreSQL was not stopped");
        }
    }
}

/// A shell that waits for the end of a pipe only we hold, that is for our death, and then shuts the server down. It
/// covers SIGKILL and a closed terminal; without it the server would run until the next start.
#[derive(Debug)]
struct Watchdog {
    child: Child,
    _pipe: Option<ChildStdin>,
}

impl Watchdog {
    fn spawn(place: &Place, pid: u32) -> Result<Self, EmbeddedError> {
        let shell = Path::new("/bin/sh");
        let mut command = place.account.command(shell, Path::new("/"));
        command
            .args(["-c", "read -r line; kill -INT \"$1\"", "flashsale-postgres-watchdog", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command.spawn().map_err(|source| EmbeddedError::Spawn { program: shell.to_owned(), source })?;
        let pipe = child.stdin.take();
        Ok(Self { child, _pipe: pipe })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
