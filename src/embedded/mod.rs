//! The PostgreSQL server that `flashsale dev` brings along: found, initialised, started, watched and stopped here.
//!
//! It supervises binaries that are already on the machine (see `binaries`), one private cluster per data folder
//! (`place`, `cluster`), one server process (`server`). Everything blocks; async callers use `spawn_blocking`.
//!
//! Files in the data folder: `postgres/` (the cluster, its settings, the lock), `postgres.password`, `postgres.port`,
//! `postgres.log`; where the account PostgreSQL runs as cannot reach the folder, `postgres-is-elsewhere.txt` says
//! where the cluster is instead.

#![allow(clippy::disallowed_methods, reason = "everything here blocks by contract, on a thread for blocking work")]

mod account;
mod binaries;
mod cluster;
mod error;
mod log;
mod npm_copy;
mod place;
mod port;
mod postmaster;
mod server;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{Duration, Instant};

pub use error::EmbeddedError;

use binaries::Binaries;
use place::Place;
use server::Server;

/// How long one start may take as a whole; crash recovery of `max_wal_size` (2 GB) fits on a slow disk.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause before the next attempt when a predecessor has not let go of its port or memory yet.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// A running (or stopped, see [`EmbeddedPostgres::stop`]) PostgreSQL server with a database and a superuser, both
/// named `flashsale`. Dropping it stops the server.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    // Field order matters: the server goes first, the lock on the folder (in `place`) last.
    server: Option<Server>,
    binaries: Binaries,
    port: u16,
    url: String,
    place: Place,
}

impl EmbeddedPostgres {
    /// Finds binaries, runs initdb on the first start, starts the server on a loopback port and waits until it
    /// accepts connections. A server left over by a killed predecessor in the same folder is stopped first.
    ///
    /// # Errors
    /// [`EmbeddedError::InUse`] when another process holds `data_dir`, [`EmbeddedError::NoBinaries`] when there is
    /// no PostgreSQL 15 or newer, [`EmbeddedError::OtherMajor`] when none of the version the data was made with;
    /// others as their messages say.
    pub fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let place = Place::open(data_dir)?;
        let cluster_dir = place.cluster_dir();
        postmaster::stop_leftover(&cluster_dir)?;
        let binaries = binaries::find(&place, cluster::initialised_major(&cluster_dir)?)?;
        tracing::info!(version = %binaries.version, binaries = %binaries.dir.display(), "starting the embedded PostgreSQL");
        let password = cluster::prepare(&place, &binaries)?;
        let mut postgres =
            Self { server: None, binaries, port: port::choose(&place.data_dir)?, url: String::new(), place };
        postgres.launch(PortRule::MayMove)?;
        postgres.url =
            format!("postgres://{user}:{password}@127.0.0.1:{port}/{user}", user = cluster::USER, port = postgres.port);
        Ok(postgres)
    }

    /// `postgres://flashsale:<password>@127.0.0.1:<port>/flashsale`; secret, the same after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's version, such as `18.4`.
    pub fn version(&self) -> &str {
        &self.binaries.version
    }

    /// The postmaster's process id; `None` once it was stopped through this handle.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    /// Fast shutdown: open connections are closed, everything is written. Falls back to an immediate one (which
    /// loses no committed data either) when that takes too long. Does nothing when the server is not running.
    ///
    /// # Errors
    /// [`EmbeddedError::WontStop`] when the process survives even SIGKILL.
    pub fn stop(&mut self) -> Result<(), EmbeddedError> {
        self.server.take().map_or(Ok(()), Server::stop_fast)
    }

    /// Stops the server the way a power cut would: the next start goes through crash recovery.
    ///
    /// # Errors
    /// [`EmbeddedError::WontStop`] when the process survives even SIGKILL.
    pub fn stop_immediately(&mut self) -> Result<(), EmbeddedError> {
        self.server.take().map_or(Ok(()), Server::stop_immediately)
    }

    /// Stops the server (unless it is down already, or was killed) and starts it on the same data, port and URL.
    ///
    /// # Errors
    /// As [`EmbeddedPostgres::start`]; a port that somebody else took meanwhile is waited for, up to the limit.
    pub fn restart(&mut self) -> Result<(), EmbeddedError> {
        self.stop()?;
        self.launch(PortRule::Fixed)
    }

    /// Starts the server process; tries again, within `START_TIMEOUT`, while a predecessor's last children still
    /// hold the shared memory or somebody holds the port.
    fn launch(&mut self, port_rule: PortRule) -> Result<(), EmbeddedError> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match Server::spawn(&self.place, &self.binaries, self.port, deadline) {
                Ok(server) => {
                    self.server = Some(server);
                    return Ok(());
                }
                Err(error) if error.may_pass() && Instant::now() < deadline => {
                    tracing::warn!(%error, "the embedded PostgreSQL did not start, trying again");
                }
                Err(error) => return Err(error),
            }
            std::thread::sleep(RETRY_PAUSE);
            if port_rule == PortRule::MayMove {
                self.port = port::choose(&self.place.data_dir)?;
            }
        }
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the embedded PostgreSQL was not stopped");
        }
    }
}

/// Whether a start may move to another port: the first one may, a restart keeps what its clients know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PortRule {
    MayMove,
    Fixed,
}
