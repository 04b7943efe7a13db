//! Child processes that cannot outlive the test: each dies with the thread that started it, at the latest when its
//! handle is dropped, and the tail of its log is printed when the test fails.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::eventually;

const TAIL_LINES: usize = 60;

/// A child process with what is needed to start it again.
pub struct Process {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `program` with nothing of the test's own environment but PATH, HOME and what is given here. Standard
    /// output and error go to `<name>.log` in `directory`.
    pub fn spawn(
        name: &str,
        program: impl AsRef<Path>,
        arguments: &[&str],
        environment: &[(String, String)],
        directory: &Path,
    ) -> Self {
        let program = program.as_ref().to_owned();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let log = directory.join(format!("{name}.log"));
        let child = start(&program, &arguments, environment, &log);
        Self { name: name.to_owned(), program, arguments, environment: environment.to_vec(), log, child }
    }

    #[allow(dead_code, reason = "the fault harness looks at processes from outside")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal)
            .unwrap_or_else(|error| panic!("send {signal} to {}: {error}", self.name));
    }

    /// kill −9, and wait until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("wait for a killed child");
    }

    /// Starts the same command again; its log goes on in the same file.
    pub fn start_again(&mut self) {
        assert!(self.exited().is_some(), "{} is still running", self.name);
        self.child = start(&self.program, &self.arguments, &self.environment, &self.log);
    }

    /// kill −9 and start again.
    pub fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// What is started the next time.
    #[allow(dead_code, reason = "the fault harness upgrades nothing")]
    pub fn set_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("ask for the state of a child")
    }

    pub async fn wait_for_exit(&mut self, deadline: Duration) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("{name} ends"), deadline, || {
            let state = self.exited().ok_or("still running");
            async move { state }
        })
        .await
    }

    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn print_tail(&self) {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        eprintln!("--- end of the log of {} ({} lines) ---", self.name, lines.len());
        for line in &lines[from..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_tail();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(program: &Path, arguments: &[String], environment: &[(String, String)], log: &Path) -> Child {
    let out: File = OpenOptions::new().create(true).append(true).open(log).expect("open the log of a child");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("share the log of a child"))
        .stderr(out);
    die_with_parent(&mut command);
    command.spawn().unwrap_or_else(|error| panic!("start {}: {error}", program.display()))
}

/// On Linux the kernel kills the child when the thread that started it ends, also when the test runner is killed.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn die_with_parent(command: &mut Command) {
    use nix::libc::{PR_SET_PDEATHSIG, SIGKILL, prctl};
    // SAFETY: prctl is async-signal-safe and touches nothing of the parent.
    unsafe {
        command.pre_exec(|| match prctl(PR_SET_PDEATHSIG, SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_: &mut Command) {}
