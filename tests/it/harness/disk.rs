//! A file system of its own in memory, small enough to be filled. Mounting takes root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Its name in the table of mounts, before the process id of who mounted it.
const NAME: &str = "flashsale-small-disk-";

/// Unmounted when it is dropped; one that a killed process left behind is removed by the next who looks.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    pub fn mount(path: &Path, megabytes: u32) -> Self {
        std::fs::create_dir_all(path).expect("create the place of a small disk");
        assert!(mount(path, megabytes), "mount a small disk at {}", path.display());
        Self { path: path.to_owned() }
    }

    /// Tried, because root in a container may not either.
    pub fn can_be_mounted() -> bool {
        let path = std::env::temp_dir().join(format!("{NAME}{}", std::process::id()));
        let can = std::fs::create_dir_all(&path).is_ok() && mount(&path, 1);
        unmount(&path);
        let _ = std::fs::remove_dir(&path);
        can
    }

    pub fn remove_leftovers() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for line in mounts.lines() {
            let mut fields = line.split(' ');
            let (name, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            let owner = name.strip_prefix(NAME).and_then(|pid| pid.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                eprintln!("unmounting {path}, left by a process that is gone");
                unmount(Path::new(path));
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

fn mount(path: &Path, megabytes: u32) -> bool {
    let (name, options) = (format!("{NAME}{}", std::process::id()), format!("size={megabytes}m,mode=755"));
    run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, &name]).arg(path))
}

/// Lazily: what a dying server still has open goes with it.
fn unmount(path: &Path) {
    run(Command::new("umount").arg("-l").arg(path));
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
