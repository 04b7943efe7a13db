//! The cluster's files: made by initdb on the first start, its settings written on every start.
//!
//! The npm package has no psql, createdb or createuser, so the database and the password are made in PostgreSQL's
//! single-user mode, before anything listens.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::log::one_line;
use super::place::Place;

/// Name of the superuser and of the database.
pub const USER: &str = "flashsale";
/// Random bytes of the password, written as hexadecimal digits so that it needs no quoting anywhere.
const PASSWORD_BYTES: usize = 24;
/// From 17 on PostgreSQL has a C.UTF-8 of its own, the same on every system.
const BUILTIN_LOCALE_MAJOR_MIN: u32 = 17;

const SETTINGS: &str = include_str!("postgresql.conf");
const ACCESS: &str = "# Only this machine, only with the password.\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// The major version `cluster_dir` was initialised with; `None` when there is no cluster yet.
pub fn initialised_major(cluster_dir: &Path) -> Result<Option<u32>, EmbeddedError> {
    let path = cluster_dir.join("PG_VERSION");
    if !cluster_dir.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(EmbeddedError::file("read", &path))?;
    let major = text.trim().parse();
    major.map(Some).map_err(|_| EmbeddedError::BadVersionFile { path, found: format!("found {:?}", text.trim()) })
}

/// Creates the cluster if there is none, writes the settings, and returns the password of [`USER`].
pub fn prepare(place: &Place, binaries: &Binaries) -> Result<String, EmbeddedError> {
    write_settings(place)?;
    let password_path = place.data_dir.join("postgres.password");
    let known = fs::read_to_string(&password_path).ok().map(|text| text.trim().to_owned());
    let known = known.filter(|text| text.len() == 2 * PASSWORD_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit()));
    let password = known.clone().unwrap_or_else(random_password);
    let cluster_dir = place.cluster_dir();
    if !cluster_dir.exists() {
        initialise(place, binaries, &cluster_dir, &password)?;
    } else if known.is_none() {
        single_user(place, binaries, &cluster_dir, &[set_password(&password)])?;
    }
    if known.is_none() {
        write_secret(&password_path, &password)?;
    }
    Ok(password)
}

/// Everything happens in a folder that gets its name only at the end: a start cut short leaves no half cluster.
fn initialise(place: &Place, binaries: &Binaries, cluster_dir: &Path, password: &str) -> Result<(), EmbeddedError> {
    let unfinished = place.base.join("data.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(EmbeddedError::file("remove", &unfinished))?;
    }
    let created = DirBuilder::new().mode(0o700).create(&unfinished);
    created.map_err(EmbeddedError::file("create the folder", &unfinished))?;
    place.account.own(&unfinished)?;
    let mut initdb = place.account.command(&binaries.program("initdb"), &place.base);
    initdb.arg("--pgdata").arg(&unfinished);
    initdb.args(["--username", USER, "--encoding=UTF8", "--auth=reject", "--data-checksums", "--no-instructions"]);
    if binaries.major >= BUILTIN_LOCALE_MAJOR_MIN {
        initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]);
    } else if cfg!(target_os = "macos") {
        initdb.arg("--locale=C");
    } else {
        initdb.arg("--locale=C.UTF-8");
    }
    run(initdb, &binaries.program("initdb"), "")?;
    single_user(place, binaries, &unfinished, &[set_password(password), format!("create database {USER}")])?;
    fs::rename(&unfinished, cluster_dir).map_err(EmbeddedError::file("move into place", &unfinished))
}

fn set_password(password: &str) -> String {
    format!("alter role {USER} password '{password}'")
}

/// Runs statements, one a line, in single-user mode; the first error ends it.
fn single_user(place: &Place, binaries: &Binaries, dir: &Path, sql: &[String]) -> Result<(), EmbeddedError> {
    let program = binaries.program("postgres");
    let mut postgres = place.account.command(&program, &place.base);
    postgres.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(dir).arg("postgres");
    run(postgres, &program, &format!("{}\n", sql.join("\n")))
}

fn run(mut command: Command, program: &Path, input: &str) -> Result<(), EmbeddedError> {
    let spawn_failed = |source| EmbeddedError::Spawn { program: program.to_owned(), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(spawn_failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended early says why in its output, which the status below brings out.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(spawn_failed)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::Failed { program: program.to_owned(), status: output.status, output: one_line(&text) })
}

/// Settings and access rules live beside the cluster, in our own folder, so that root never writes into a folder
/// that belongs to somebody else.
fn write_settings(place: &Place) -> Result<(), EmbeddedError> {
    for (path, text) in [(settings_path(place), SETTINGS), (access_path(place), ACCESS)] {
        fs::write(&path, text).map_err(EmbeddedError::file("write", &path))?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))
            .map_err(EmbeddedError::file("set the mode of", &path))?;
    }
    Ok(())
}

pub fn settings_path(place: &Place) -> PathBuf {
    place.base.join("postgresql.conf")
}

pub fn access_path(place: &Place) -> PathBuf {
    place.base.join("pg_hba.conf")
}

fn random_password() -> String {
    rand::random::<[u8; PASSWORD_BYTES]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_secret(path: &Path, secret: &str) -> Result<(), EmbeddedError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{secret}\n").as_bytes()));
    written.map_err(EmbeddedError::file("write", path))
}
