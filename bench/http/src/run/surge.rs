//! The same work over and over on many threads, until it is stopped: for what takes milliseconds of a core each time, so
//! that what drives it does not matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::task::{JoinHandle, spawn_blocking};

/// What is done over and over, by so many threads at once.
pub struct Work {
    pub threads: usize,
    pub once: Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync>,
}

/// Work that goes on, as a closed loop, until it is stopped.
pub struct Surge {
    started_at: Instant,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<u32>>>,
}

impl Surge {
    pub fn start(work: Work) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let threads = (0..work.threads).map(|_| {
            let (once, stopping) = (Arc::clone(&work.once), Arc::clone(&stopping));
            spawn_blocking(move || {
                let mut done = 0;
                while !stopping.load(Ordering::Relaxed) {
                    once()?;
                    done += 1;
                }
                Ok(done)
            })
        });
        let (started_at, threads) = (Instant::now(), threads.collect());
        Self { started_at, stopping, threads }
    }

    /// Waits for what is under way, which counts; answers how often it was done per second.
    pub async fn stop(mut self) -> anyhow::Result<f64> {
        self.stopping.store(true, Ordering::Relaxed);
        let mut done = 0;
        for thread in std::mem::take(&mut self.threads) {
            done += thread.await??;
        }
        Ok(f64::from(done) / self.started_at.elapsed().as_secs_f64())
    }
}

impl Drop for Surge {
    /// A surge that is given up ends too.
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}
