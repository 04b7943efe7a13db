//! A copy of the npm package's programs (60 MB), for the one case where the server's account cannot read the
//! checkout: `make run` as root in a folder that is root's alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::error::EmbeddedError;
use super::place::Place;

/// Copies the package around `bin_dir` into the place's `native/`, unless that is already a copy of it. Returns the
/// copy's folder of programs.
pub fn refresh(bin_dir: &Path, version: &str, place: &Place) -> Result<PathBuf, EmbeddedError> {
    let package = bin_dir.parent().unwrap_or(bin_dir);
    let copy = place.base.join("native");
    let marker = copy.join("copied-from");
    let wanted = format!("{} {version}\n", package.display());
    if fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
        return Ok(copy.join("bin"));
    }
    remove_if_there(&copy)?;
    let unfinished = place.base.join("native.unfinished");
    remove_if_there(&unfinished)?;
    copy_tree(package, &unfinished)?;
    let marker = unfinished.join("copied-from");
    fs::write(&marker, wanted).map_err(EmbeddedError::file("write", &marker))?;
    fs::rename(&unfinished, &copy).map_err(EmbeddedError::file("move into place", &unfinished))?;
    Ok(copy.join("bin"))
}

fn remove_if_there(dir: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(EmbeddedError::file("remove", dir)(error)),
        _ => Ok(()),
    }
}

/// Copies folders, files and links; everybody may read the result, whatever the modes of the original.
fn copy_tree(from: &Path, to: &Path) -> Result<(), EmbeddedError> {
    fs::create_dir(to).map_err(EmbeddedError::file("create the folder", to))?;
    fs::set_permissions(to, Permissions::from_mode(0o755)).map_err(EmbeddedError::file("set the mode of", to))?;
    for entry in fs::read_dir(from).map_err(EmbeddedError::file("list", from))? {
        let entry = entry.map_err(EmbeddedError::file("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(EmbeddedError::file("look at", &source))?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&source).map_err(EmbeddedError::file("read the link", &source))?;
            symlink(link, &target).map_err(EmbeddedError::file("create the link", &target))?;
        } else {
            fs::copy(&source, &target).map_err(EmbeddedError::file("copy", &source))?;
            let mode = if is_executable(&source) { 0o755 } else { 0o644 };
            fs::set_permissions(&target, Permissions::from_mode(mode))
                .map_err(EmbeddedError::file("set the mode of", &target))?;
        }
    }
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o100 != 0)
}
