//! Where a data folder's cluster lives, and the lock that keeps a second process out of it.
//!
//! Usually in `postgres/` inside the data folder. As root, when the account PostgreSQL runs as cannot get there (a
//! checkout under /root), in `/var/lib/flashsale/<hash of the data folder's path>`, and a note says so: nobody's
//! folders get their permissions changed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::EmbeddedError;

const ELSEWHERE: &str = "/var/lib/flashsale";
const NOTE: &str = "postgres-is-elsewhere.txt";

/// A locked place for one cluster.
#[derive(Debug)]
pub struct Place {
    /// The absolute data folder: password, port and log are here.
    pub data_dir: PathBuf,
    /// The folder that holds the cluster, its settings and perhaps a copy of the binaries. Ours, not the account's.
    pub base: PathBuf,
    /// Who runs the server.
    pub account: Account,
    /// Held as long as this lives; the kernel lets go of it when the process dies, however it dies.
    _lock: File,
}

impl Place {
    /// Creates the folders that are missing, settles where the cluster is and who runs it, takes the lock.
    pub fn open(data_dir: &Path) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(data_dir).map_err(EmbeddedError::file("create the folder", data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(EmbeddedError::file("find the folder", data_dir))?;
        let base = base_dir(&data_dir)?;
        create_base(&base)?;
        let account = Account::for_cluster(&cluster_dir(&base))?;
        let lock = lock(&base, &data_dir)?;
        if !account.can_enter(&base) {
            return Err(EmbeddedError::Unreachable { dir: base, uid: account.uid() });
        }
        Ok(Self { data_dir, base, account, _lock: lock })
    }

    pub fn cluster_dir(&self) -> PathBuf {
        cluster_dir(&self.base)
    }

    /// Mode of folders in `base` that the server's account must read.
    pub fn shared_dir_mode() -> u32 {
        if geteuid().is_root() { 0o755 } else { 0o700 }
    }
}

fn cluster_dir(base: &Path) -> PathBuf {
    base.join("data")
}

fn base_dir(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let note = data_dir.join(NOTE);
    if let Ok(text) = fs::read_to_string(&note)
        && let Some(line) = text.lines().next()
        && line.starts_with('/')
    {
        return Ok(PathBuf::from(line));
    }
    let in_place = data_dir.join("postgres");
    if !geteuid().is_root() || cluster_dir(&in_place).exists() {
        return Ok(in_place);
    }
    let account = Account::for_cluster(&cluster_dir(&in_place))?;
    if account.can_enter(data_dir) {
        return Ok(in_place);
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let elsewhere = Path::new(ELSEWHERE).join(name);
    let text = format!(
        "{}\n\nThe database of this folder is in the folder named above: the account PostgreSQL runs as (uid {})\n\
         cannot reach this one. `make clean-data` removes both.\n",
        elsewhere.display(),
        account.uid()
    );
    fs::write(&note, text).map_err(EmbeddedError::file("write", &note))?;
    Ok(elsewhere)
}

/// Creates `base` (and `/var/lib/flashsale` above it); only folders made here get a mode, whatever the umask.
fn create_base(base: &Path) -> Result<(), EmbeddedError> {
    for dir in [base.parent(), Some(base)].into_iter().flatten() {
        if dir.exists() {
            continue;
        }
        let mode = Place::shared_dir_mode();
        DirBuilder::new().mode(mode).create(dir).map_err(EmbeddedError::file("create the folder", dir))?;
        fs::set_permissions(dir, Permissions::from_mode(mode)).map_err(EmbeddedError::file("set the mode of", dir))?;
    }
    Ok(())
}

fn lock(base: &Path, data_dir: &Path) -> Result<File, EmbeddedError> {
    let path = base.join("lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(|source| {
        match path.metadata().or_else(|_| base.metadata()) {
            Ok(found) if found.uid() != geteuid().as_raw() => {
                EmbeddedError::NotOurs { dir: base.to_owned(), owner: found.uid() }
            }
            _ => EmbeddedError::file("open", &path)(source),
        }
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse { data_dir: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(EmbeddedError::file("lock", &path)(source)),
    }
}
