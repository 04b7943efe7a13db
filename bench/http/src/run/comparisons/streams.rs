//! Memory of an idle client of `GET /sales/events`: what an API process of its own grows by when thousands follow it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit};
use tokio::task::spawn_blocking;

use super::announce;
use crate::books;
use crate::client;
use crate::run::alone::Alone;
use crate::run::engine::Backends;
use crate::run::memory::resident_kb;
use crate::run::ratio::Side;
use crate::run::shop_window::wait_until_on_sale;
use crate::run::{Run, goals};

/// File descriptors of a process for everything but clients.
const OTHER_DESCRIPTORS: u64 = 512;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Nobody buys in it.
const UNITS: i32 = 100;

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    if resident_kb(std::process::id()).is_none() {
        eprintln!("  left out: this system has no /proc to read a process's memory from");
        return Ok(());
    }
    let clients = clients_within_limits(run.settings.stream_clients)?;
    // A database of its own with one sale, so that what a client is sent is as long as in a small shop.
    let alone = Alone::create(&run.testbed, "streams").await?;
    let sale = books::open_sale(&alone.client, UNITS).await?;
    let (mut gained, mut counts) = (Vec::new(), Vec::new());
    for round in 1..=run.settings.long_rounds {
        announce(round, run.settings.long_rounds);
        // A process that nobody has followed yet: what others have left behind would be used again.
        let backends = Backends { database_url: &alone.url, redis_url: None };
        let (mut api, address) = run.testbed.engine.start_api("api-streams", backends).await?;
        wait_until_on_sale(address, sale).await?;
        let idle = Duration::from_secs(run.settings.stream_idle_seconds);
        let kb = kb_gained(api.pid(), address, clients, idle).await?;
        api.ensure_running()?;
        api.stop().await;
        run.findings.audited("streams", books::audit(&alone.client, sale, 0).await?);
        eprintln!("  {clients} clients, {:.1} kB each", kb / clients as f64);
        gained.push(kb);
        counts.push(clients as f64);
    }
    run.findings.ratios.push(
        goals::MEMORY_PER_STREAM
            .of(Side::of("resident memory gained", "kB", gained), Side::of("idle clients", "clients", counts)),
    );
    alone.remove(&run.testbed).await
}

/// As many clients as the limit of open files leaves room for, in this process and in the API's.
fn clients_within_limits(wanted: usize) -> anyhow::Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let room = usize::try_from(hard.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(usize::MAX);
    anyhow::ensure!(room > 0, "a process may open only {hard} files (`ulimit -Hn`): raise that to hold streams open");
    if room < wanted {
        eprintln!("  {room} clients instead of {wanted}: a process may open only {hard} files (`ulimit -Hn`)");
    }
    Ok(wanted.min(room))
}

/// Kilobytes that a process gains by clients that have had their first event and are then left alone for a while.
async fn kb_gained(pid: u32, address: SocketAddr, clients: usize, idle: Duration) -> anyhow::Result<f64> {
    // One comes and goes: what the first stream brings once for all is not a client's.
    spawn_blocking(move || follow(address, 1)).await??;
    let before = resident_kb(pid).context("the API's memory cannot be read")?;
    let streams = spawn_blocking(move || follow(address, clients)).await??;
    tokio::time::sleep(idle).await;
    let after = resident_kb(pid).context("the API's memory cannot be read")?;
    let left = spawn_blocking(move || streams.iter().filter(|stream| is_open(stream)).count()).await?;
    anyhow::ensure!(left == clients, "{left} of {clients} streams are still open");
    Ok(after - before)
}

/// Opens streams and waits until each has had its first event.
fn follow(address: SocketAddr, clients: usize) -> anyhow::Result<Vec<TcpStream>> {
    let request = client::get(&address.to_string(), "/sales/events");
    let open = || -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(&request)?;
        Ok(stream)
    };
    let opened = (0..clients).map(|number| open().with_context(|| format!("stream {number} of {clients}")));
    let mut streams = opened.collect::<anyhow::Result<Vec<_>>>()?;
    for stream in &mut streams {
        read_first_event(stream)?;
    }
    Ok(streams)
}

fn read_first_event(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    // The blank line that ends the event, not the one that ends the head.
    while memchr::memmem::find(&received, b"event: sales").is_none() || !received.ends_with(b"\n\n\r\n") {
        let read = stream.read(&mut chunk).context("no first event on a stream")?;
        anyhow::ensure!(read > 0, "a stream ended before its first event: {}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&chunk[..read]);
    }
    Ok(())
}

/// Whether the other side has kept the connection: nothing to read, or signs of life.
fn is_open(mut stream: &TcpStream) -> bool {
    let mut chunk = [0; 4096];
    let read = stream.set_nonblocking(true).and_then(|()| stream.read(&mut chunk));
    match read {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
