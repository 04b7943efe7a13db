//! A PostgreSQL in a container, where `scripts/test.sh` has found Docker: a program of its own (tests/containers) starts it,
//! so that nothing of what Docker's client needs is compiled where there is none.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::stack::free_port;

pub struct Container {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub url: String,
}

impl Container {
    /// A new server in a container, if `TEST_CONTAINERS` names the program that starts one.
    pub fn start() -> Option<Self> {
        let mut command = Command::new(std::env::var_os("TEST_CONTAINERS")?);
        command.arg(free_port().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Not to die with us: it ends the container when its input ends, which it does then.
        let mut child = command.spawn().expect("start the program that TEST_CONTAINERS names");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut container = Self { input: child.stdin.take(), child, output, url: String::new() };
        container.url = container.said();
        Some(container)
    }

    /// kill -9 of the whole server.
    pub fn stop(&mut self) {
        self.tell("stop");
    }

    pub fn start_again(&mut self) {
        self.tell("start");
    }

    fn tell(&mut self, word: &str) {
        let input = self.input.as_mut().expect("a container that was not dropped");
        writeln!(input, "{word}").expect("tell the container");
        assert_eq!(self.said(), "done", "the container was told to {word}");
    }

    fn said(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("hear of the container");
        assert!(!line.is_empty(), "no PostgreSQL in a container: its program ended, see its error above");
        line.trim_end().to_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
