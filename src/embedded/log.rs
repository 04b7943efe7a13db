//! The server's messages: from its standard error into `postgres.log`, bounded to two files of 8 MB.
//!
//! A thread of ours writes them, so the bound holds during a run too, and the last lines are at hand for an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::error::EmbeddedError;

const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
const TAIL_BYTES_MAX: usize = 4096;
/// How long the last messages of a server that just ended may take to arrive.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The reading end of a server's messages.
#[derive(Debug)]
pub struct Log {
    tail: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Log {
    /// Opens the log in `data_dir` and returns it with the pipe a server's output belongs into.
    pub fn open(data_dir: &Path) -> Result<(Self, PipeWriter), EmbeddedError> {
        let path = path_in(data_dir);
        let failed = EmbeddedError::file("open the log", &path);
        let sink = Sink::open(path);
        let (reader, writer) = io::pipe().map_err(failed)?;
        let tail = Arc::new(Mutex::new(Vec::new()));
        let pump_tail = Arc::clone(&tail);
        let thread = thread::Builder::new()
            .name("postgres-log".into())
            .spawn(move || pump(reader, sink, &pump_tail))
            .map_err(EmbeddedError::file("start a thread for", &path_in(data_dir)))?;
        Ok((Self { tail, thread }, writer))
    }

    /// The last lines of a server that has ended, on one line.
    pub fn last_words(&self) -> String {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        one_line(&tail)
    }
}

/// Where the messages of a data folder's server are.
pub fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres.log")
}

/// Output of a program as one line for a message: the last 8 lines that say something.
pub fn one_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join(" | ")
}

/// Reads to the end whatever happens to the file: a server whose pipe is full would stand still.
fn pump(mut reader: PipeReader, mut sink: Sink, tail: &Mutex<Vec<u8>>) {
    let mut chunk = [0_u8; 8192];
    loop {
        let length = match reader.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        sink.write(&chunk[..length]);
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&chunk[..length]);
        let surplus = tail.len().saturating_sub(TAIL_BYTES_MAX);
        tail.drain(..surplus);
    }
}

/// The file behind the log. Failures are dropped: there is nowhere better to write them, and the server goes on.
struct Sink {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Sink {
    fn open(path: PathBuf) -> Self {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file
            .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "no log of the embedded PostgreSQL"))
            .ok();
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |found| found.len());
        Self { path, file, length }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() as u64 > FILE_BYTES_MAX {
            let _ = fs::rename(&self.path, self.path.with_extension("log.1"));
            *self = Self::open(std::mem::take(&mut self.path));
        }
        if let Some(file) = &mut self.file
            && file.write_all(bytes).is_ok()
        {
            self.length += bytes.len() as u64;
        }
    }
}
