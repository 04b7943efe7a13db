//! Servers that Debian has and that are no service of this machine: where `scripts/test-packages.sh` put them.

use std::path::{Path, PathBuf};

const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/debian-tools");
const FOLDERS: [&str; 3] = ["usr/sbin", "usr/bin", "sbin"];

/// A program of the system's or an unpacked one, and the variables it needs to find its libraries.
pub fn debian_tool(name: &str) -> (PathBuf, Vec<(String, String)>) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).chain(FOLDERS.map(|folder| Path::new("/").join(folder)));
    if let Some(program) = installed.map(|folder| folder.join(name)).find(|program| program.exists()) {
        return (program, Vec::new());
    }
    let unpacked = FOLDERS.map(|folder| Path::new(UNPACKED).join(folder).join(name)).into_iter();
    let program = unpacked.into_iter().find(|program| program.exists()).unwrap_or_else(|| {
        panic!("{name} is not here: `make test` unpacks it (scripts/test-packages.sh), or install Debian's {name}")
    });
    let libraries = std::fs::read_dir(Path::new(UNPACKED).join("usr/lib")).into_iter().flatten().flatten();
    let libraries: Vec<_> = libraries.map(|entry| entry.path().display().to_string()).collect();
    (program, vec![("LD_LIBRARY_PATH".to_owned(), libraries.join(":"))])
}
