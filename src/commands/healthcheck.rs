//! `flashsale healthcheck`: whether the process that listens on BIND_ADDR answers, for containers that have no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks for `/healthz`.
///
/// # Errors
/// When there is no answer in time, or another one than 200.
pub async fn run(bind_addr: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(bind_addr);
    let answer = tokio::time::timeout(ANSWER_WITHIN, ask(address)).await;
    let answer = answer.with_context(|| format!("{address} did not answer within {ANSWER_WITHIN:?}"))?;
    let answer = answer.with_context(|| format!("BIND_ADDR {address} cannot be asked: is the process running?"))?;
    let status = answer.lines().next().unwrap_or_default();
    anyhow::ensure!(status.contains(" 200 "), "{address} answered {status:?} to GET /healthz");
    println!("ok");
    Ok(())
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Who listens on every address is asked on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn every_address_is_asked_on_the_loopback() {
        for (bound, asked) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), asked);
        }
    }
}
