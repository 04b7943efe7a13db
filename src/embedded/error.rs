//! What can go wrong with the embedded server; each message says what was tried, what was found and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded PostgreSQL could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// `looked_at` names each place with what was found there, here and below.
    #[error(
        "no PostgreSQL server of version {major_min} or newer found ({looked_at}): run `make postgres`, or install \
         PostgreSQL, or name its folder in PG_BIN_DIR, or set DATABASE_URL to a server of yours"
    )]
    NoBinaries { major_min: u32, looked_at: String },

    #[error(
        "the database in {} was made with PostgreSQL {major}, and no server of that version was found ({looked_at}): \
         install it (`make postgres` brings 18) or name its folder in PG_BIN_DIR, or move that folder away",
        .dir.display()
    )]
    OtherMajor { dir: PathBuf, major: u32, looked_at: String },

    #[error(
        "the database in {} is already in use by another process: stop that one, or set DATA_DIR to another folder",
        .data_dir.display()
    )]
    InUse { data_dir: PathBuf },

    #[error(
        "the database in {} belongs to the account with uid {owner}: run as that account or as root, or set \
         DATA_DIR to another folder",
        .dir.display()
    )]
    NotOurs { dir: PathBuf, owner: u32 },

    #[error(
        "PostgreSQL refuses to run as root, and there is no account with uid {uid} to run it as: create one, run as \
         an ordinary user, or set DATABASE_URL to a server of yours"
    )]
    NoAccount { uid: u32 },

    #[error(
        "the account PostgreSQL runs as (uid {uid}) cannot reach {}: let it pass through the folders above, or set \
         DATA_DIR to a new folder", .dir.display()
    )]
    Unreachable { dir: PathBuf, uid: u32 },

    #[error("could not {action} {}: {source}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },

    #[error("could not run {}: {source}", .program.display())]
    Spawn { program: PathBuf, source: io::Error },

    #[error("{} ended with {status} and said: {output}", .program.display())]
    Failed { program: PathBuf, status: std::process::ExitStatus, output: String },

    #[error("{found} in {}, which holds the major version of the data: restore it or move the folder away", .path.display())]
    BadVersionFile { path: PathBuf, found: String },

    #[error("PostgreSQL ended with {status} while starting on port {port} and said: {output}")]
    EndedAtStart { status: std::process::ExitStatus, port: u16, output: String },

    #[error("PostgreSQL did not accept connections within {seconds} s; see {}", .log.display())]
    NotReady { seconds: u64, log: PathBuf },

    #[error("PostgreSQL (process {pid}) is still there after SIGINT, SIGQUIT and SIGKILL: end it by hand")]
    WontStop { pid: u32 },

    #[error("no free port on 127.0.0.1 among {tried} tried between {low} and {high}: close something that listens")]
    NoPort { tried: u32, low: u16, high: u16 },
}

impl EmbeddedError {
    /// Builds a closure for `map_err` on file operations: `action` is a verb phrase such as `create the folder`.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// Whether the same start may work a moment later: the port or the memory of a predecessor that is just ending,
    /// or a port taken between the check and the use.
    pub(super) fn may_pass(&self) -> bool {
        const PASSING: [&str; 3] = ["still in use", "Address already in use", "\"postmaster.pid\" already exists"];
        matches!(self, Self::EndedAtStart { output, .. } if PASSING.iter().any(|text| output.contains(text)))
    }
}
