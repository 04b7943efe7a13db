//! The server's port on 127.0.0.1: remembered in the data folder, another free one when it is taken.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::error::EmbeddedError;

/// Below the range the system hands out to outgoing connections, which could take the port during a restart.
const LOW: u16 = 20_000;
const HIGH: u16 = 30_000;
const TRIES: u32 = 100;

/// The remembered port if it is free, otherwise a free one, which is then remembered.
pub fn choose(data_dir: &Path) -> Result<u16, EmbeddedError> {
    let path = data_dir.join("postgres.port");
    let remembered = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = remembered.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let port = (0..TRIES)
        .map(|_| rand::random_range(LOW..HIGH))
        .find(|port| is_free(*port))
        .ok_or(EmbeddedError::NoPort { tried: TRIES, low: LOW, high: HIGH })?;
    fs::write(&path, format!("{port}\n")).map_err(EmbeddedError::file("write", &path))?;
    Ok(port)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
