//! One request and its answer over a connection of its own: for preparing and probing, not for load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

use super::answer::{Parsed, parse};

const TIMEOUT: Duration = Duration::from_secs(15);

/// A whole response.
pub struct Exchanged {
    pub status: u16,
    /// Status line and headers.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Exchanged {
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// Sends rendered bytes and reads the answer.
pub fn try_exchange(address: SocketAddr, request: &[u8]) -> anyhow::Result<Exchanged> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match parse(&received).map_err(anyhow::Error::msg)? {
            Parsed::Whole(answer) => {
                let body = received[answer.head_bytes..answer.bytes].to_vec();
                received.truncate(answer.head_bytes);
                return Ok(Exchanged { status: answer.status, head: received, body });
            }
            Parsed::Partial(_) => {
                let read = stream.read(&mut chunk)?;
                anyhow::ensure!(read > 0, "the connection was closed before the answer was whole");
                received.extend_from_slice(&chunk[..read]);
            }
        }
    }
}

/// As `try_exchange`; any other status than `status` is an error that shows the answer.
pub fn exchange(address: SocketAddr, request: &[u8], status: u16) -> anyhow::Result<Exchanged> {
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let answer = try_exchange(address, request).with_context(|| format!("{line} to {address}"))?;
    anyhow::ensure!(answer.status == status, "{line} answered {} instead of {status}", answer.text());
    Ok(answer)
}
