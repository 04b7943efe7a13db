//! Clocks that can be set: processes under libfaketime, each of which reads from a file how far its clock is off.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Says to the process of a run where the files of its clocks are.
pub const FOLDER_VARIABLE: &str = "FAULTS_CLOCKS";
const LIBRARIES: &str = "/usr/lib";
const SYSTEM_POSTGRES: &str = "/usr/lib/postgresql";

/// A clock by the name of its process.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// The clocks of a run are in one folder, which every account can read.
    pub fn of(folder: &Path, name: &str) -> Self {
        Self { file: folder.join(format!("{name}.clock")) }
    }

    /// Sets it ahead of the real one, or behind. In one step: who reads meanwhile reads the one or the other.
    pub fn set(&self, offset_s: i64) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{offset_s:+}\n")).expect("write a clock");
        fs::set_permissions(&next, Permissions::from_mode(0o644)).expect("let a clock be read");
        fs::rename(&next, &self.file).expect("set a clock");
    }

    /// What a process needs in its environment to go by this clock. Only the time of day is off: nobody sets a monotonic
    /// clock.
    pub fn environment(&self) -> Vec<(String, String)> {
        let library = library().expect("libfaketime, which was looked for before");
        let file = self.file.to_str().expect("a path in UTF-8").to_owned();
        let on = "1".to_owned();
        [
            ("LD_PRELOAD", library.to_str().expect("a path in UTF-8").to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", on.clone()),
            ("DONT_FAKE_MONOTONIC", on.clone()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", on),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// The library for programs with threads, wherever Debian put it.
pub fn library() -> Option<PathBuf> {
    let folders = fs::read_dir(LIBRARIES).ok()?.flatten().map(|entry| entry.path());
    let places = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    places.chain([PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")]).find(|path| path.exists())
}

/// Where the server's programs are, when PostgreSQL can be wrapped: a folder that was named, or the system's newest.
pub fn postgres_programs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PG_BIN_DIR").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let versions = fs::read_dir(SYSTEM_POSTGRES).ok()?.flatten();
    let known = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let (_, newest) = known.filter(|(_, path)| path.join("bin/postgres").exists()).max()?;
    Some(newest.join("bin"))
}

/// A folder of the server's programs in which `postgres` goes by a clock that can be set.
pub fn wrap_postgres(folder: &Path) -> PathBuf {
    let programs = postgres_programs().expect("a PostgreSQL, which was looked for before");
    let wrapped = folder.join("bin");
    fs::create_dir_all(&wrapped).expect("make the folder of the wrapped programs");
    for program in fs::read_dir(&programs).expect("list the programs of PostgreSQL").flatten() {
        if program.file_name() != "postgres" {
            symlink(program.path(), wrapped.join(program.file_name())).expect("link a program");
        }
    }
    let clock = Clock::of(folder, "postgres");
    clock.set(0);
    let variables: String = clock.environment().iter().map(|(name, value)| format!(" {name}='{value}'")).collect();
    let script = format!("#!/bin/sh\nexec env{variables} '{}/postgres' \"$@\"\n", programs.display());
    let postgres = wrapped.join("postgres");
    fs::write(&postgres, script).expect("write the wrapper of postgres");
    for path in [folder, &wrapped, &postgres] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("let everybody run it");
    }
    wrapped
}
