//! What a fault needs of the machine. Where that is missing it is skipped, and says so: in its line, in the table, and in
//! the results.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::clock;
use crate::harness::disk::SmallDisk;

const CLOCKS: &str = "flashsale-faults-clocks-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// PostgreSQL's data on a file system of its own, which takes root to mount.
    SmallDisk,
    /// PostgreSQL under libfaketime.
    DatabaseClock,
    /// API and worker processes under libfaketime.
    ProcessClocks,
}

impl Need {
    /// Why it is missing here, with what to do about it.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::SmallDisk => {
                SmallDisk::remove_leftovers();
                (!SmallDisk::can_be_mounted()).then(|| "it mounts a small file system: run it as root".to_owned())
            }
            Self::DatabaseClock if clock::postgres_programs().is_none() => Some(
                "it wraps the system's PostgreSQL: install postgresql, or name its programs in PG_BIN_DIR".to_owned(),
            ),
            Self::DatabaseClock | Self::ProcessClocks => clock::library()
                .is_none()
                .then(|| "libfaketime is missing: install it (Debian: apt-get install faketime)".to_owned()),
        }
    }
}

/// A folder of clocks for one run, gone when the run is over. Below the temporary one, because PostgreSQL's account has to
/// get there.
pub struct Provisions {
    folder: Option<PathBuf>,
}

impl Provisions {
    /// Gives the process of a run what it needs.
    pub fn give(need: Need, command: &mut Command) -> Self {
        if !matches!(need, Need::DatabaseClock | Need::ProcessClocks) {
            return Self { folder: None };
        }
        remove_clocks_of_the_dead();
        let folder = std::env::temp_dir().join(format!("{CLOCKS}{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("make the folder of the clocks");
        if need == Need::DatabaseClock {
            command.env("PG_BIN_DIR", clock::wrap_postgres(&folder));
        }
        command.env(clock::FOLDER_VARIABLE, &folder);
        Self { folder: Some(folder) }
    }
}

/// Those of campaigns that were killed.
fn remove_clocks_of_the_dead() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(CLOCKS)?.parse::<i32>().ok());
        if pid.is_some_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Provisions {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
