//! Where base URLs lead.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::Context;

const TARGETS_MAX: usize = 64;

#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    /// What the `host` header says.
    pub host: String,
}

impl Target {
    /// Understands `http://host[:port][/]`.
    pub fn parse(base_url: &str) -> anyhow::Result<Self> {
        let host = base_url
            .strip_prefix("http://")
            .context("--base-url must start with http:// (the load generator speaks no TLS: load behind the proxy)")?
            .trim_end_matches('/');
        anyhow::ensure!(!host.is_empty() && !host.contains('/'), "--base-url must be http://host:port without a path");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = with_port.to_socket_addrs().with_context(|| format!("cannot resolve {with_port}"))?;
        let address = addresses.next().with_context(|| format!("{with_port} has no address"))?;
        Ok(Self { address, host: host.to_owned() })
    }

    pub fn all(base_urls: &[String]) -> anyhow::Result<Vec<Self>> {
        anyhow::ensure!(base_urls.len() <= TARGETS_MAX, "--base-url may be given {TARGETS_MAX} times");
        base_urls.iter().map(|url| Self::parse(url)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_lead_to_addresses() {
        let target = Target::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!((target.address, target.host.as_str()), ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:8080"));
        assert_eq!(Target::parse("http://127.0.0.1").unwrap().address.port(), 80);
        for wrong in ["https://127.0.0.1", "127.0.0.1:80", "http://", "http://127.0.0.1/api"] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
