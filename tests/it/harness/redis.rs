//! A redis-server of the test's own, which can be killed, emptied, and set back to an old dump.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::process::Process;
use super::stack::free_port;
use super::wait::eventually;

const START_WITHIN: Duration = Duration::from_secs(15);

pub struct RedisServer {
    process: Process,
    directory: PathBuf,
    port: u16,
}

impl RedisServer {
    pub async fn start(parent: &Path) -> Self {
        let directory = parent.join("redis");
        std::fs::create_dir_all(&directory).expect("create the directory of redis");
        let port = free_port();
        let arguments = [
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            directory.to_str().expect("a path in UTF-8"),
            "--enable-debug-command",
            "yes",
        ];
        let process = Process::spawn("redis-server", "redis-server", &arguments, &[], parent);
        let mut server = Self { process, directory, port };
        server.wait_until_ready().await;
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        eventually("redis-server takes a connection", START_WITHIN, async || self.try_connect().await).await
    }

    pub async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    async fn wait_until_ready(&mut self) {
        eventually("redis-server answers", START_WITHIN, async || {
            let mut connection = self.try_connect().await?;
            redis::cmd("PING").query_async::<String>(&mut connection).await
        })
        .await;
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the killed server again, with whatever dump lies in its directory (none: empty).
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.wait_until_ready().await;
    }

    /// `DEBUG SLEEP`: the server answers nobody for as long. Returns at once.
    pub async fn block_for(&self, seconds: u32) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connect to redis");
        stream.write_all(format!("DEBUG SLEEP {seconds}\r\n").as_bytes()).await.expect("send DEBUG SLEEP");
    }

    pub async fn flush_all(&self) {
        let mut connection = self.connect().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("FLUSHALL");
    }

    /// Everything in the server now, for `restore`.
    pub async fn dump(&self) -> Vec<u8> {
        let mut connection = self.connect().await;
        redis::cmd("SAVE").query_async::<()>(&mut connection).await.expect("SAVE");
        let file = self.directory.join("dump.rdb");
        let dump = std::fs::read(&file).expect("read the dump");
        std::fs::remove_file(&file).expect("remove the dump, so that a restart starts empty");
        dump
    }

    /// kill −9 and start with an old dump.
    pub async fn restore(&mut self, dump: &[u8]) {
        self.kill();
        std::fs::write(self.directory.join("dump.rdb"), dump).expect("write the dump");
        self.start_again().await;
    }
}
