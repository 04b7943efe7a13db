//! The account the server runs as: our own, except as root, which PostgreSQL refuses.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, geteuid};

use super::error::EmbeddedError;

/// `nobody` on Debian, Fedora and Alpine.
const UNPRIVILEGED_ID: u32 = 65534;
/// Settings of libpq that a user may have exported for other servers; PGDATA and PGPORT would reach ours.
const FOREIGN_SETTINGS: [&str; 8] =
    ["PGDATA", "PGPORT", "PGHOST", "PGHOSTADDR", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGOPTIONS"];

/// Who runs PostgreSQL's programs and owns the cluster's files.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// User and group to change to before a program runs; `None`: stay who we are.
    change_to: Option<(u32, u32)>,
}

impl Account {
    /// The account for a cluster in `cluster_dir`: as root the owner of an existing cluster, otherwise `nobody`; not
    /// as root ourselves, who must then own the cluster.
    pub fn for_cluster(cluster_dir: &Path) -> Result<Self, EmbeddedError> {
        let owner = cluster_dir.metadata().ok().map(|found| (found.uid(), found.gid()));
        let me = geteuid();
        if !me.is_root() {
            return match owner {
                Some((uid, _)) if uid != me.as_raw() => {
                    Err(EmbeddedError::NotOurs { dir: cluster_dir.to_owned(), owner: uid })
                }
                _ => Ok(Self { change_to: None }),
            };
        }
        let change_to = match owner {
            Some((uid, gid)) if uid != 0 => (uid, gid),
            _ => (UNPRIVILEGED_ID, UNPRIVILEGED_ID),
        };
        // initdb looks its account up by name.
        match User::from_uid(Uid::from_raw(change_to.0)) {
            Ok(Some(_)) => Ok(Self { change_to: Some(change_to) }),
            _ => Err(EmbeddedError::NoAccount { uid: change_to.0 }),
        }
    }

    /// Whether programs run as somebody else than ourselves.
    pub fn is_dropped(self) -> bool {
        self.change_to.is_some()
    }

    pub fn uid(self) -> u32 {
        self.change_to.map_or_else(|| geteuid().as_raw(), |(uid, _)| uid)
    }

    /// A command that runs `program` as this account in `working_dir`, without input, in the C locale. Changing the
    /// user from root makes the standard library drop the supplementary groups too.
    pub fn command(self, program: &Path, working_dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(working_dir).stdin(Stdio::null()).env("LC_ALL", "C");
        for name in FOREIGN_SETTINGS {
            command.env_remove(name);
        }
        if let Some((uid, gid)) = self.change_to {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands `path` over to this account.
    pub fn own(self, path: &Path) -> Result<(), EmbeddedError> {
        let Some((uid, gid)) = self.change_to else { return Ok(()) };
        chown(path, Some(uid), Some(gid)).map_err(EmbeddedError::file("change the owner of", path))
    }

    /// Whether this account can enter `dir`: tried, not computed, so access lists and mounts count too.
    pub fn can_enter(self, dir: &Path) -> bool {
        self.command(Path::new("/bin/sh"), dir)
            .args(["-c", ":"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
