//! Redis servers that take over from each other, of the test's own: a master and a replica watched by three sentinels, or a
//! cluster of three masters with a replica each. All want a password. The servers are Debian's redis-server, which is a
//! sentinel too when it is told so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, Role};

use super::process::Process;
use super::stack::free_port;
use super::wait::eventually;

const START_WITHIN: Duration = Duration::from_secs(20);
/// After this the others hold a server that does not answer for dead. Production is told seconds.
const DOWN_AFTER_MS: &str = "1500";
const SERVICE: &str = "sale";
const MASTERS: usize = 3;
const SLOTS: usize = 16_384;
/// In the URL and in no log.
pub const PASSWORDS: [&str; 2] = ["correct-horse-of-redis", "battery-staple-of-sentinels"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    Sentinel,
    Cluster,
}

pub struct RedisSet {
    kind: SetKind,
    nodes: Vec<Node>,
    sentinels: Vec<Node>,
}

struct Node {
    process: Process,
    port: u16,
    password: &'static str,
}

impl RedisSet {
    pub async fn start(kind: SetKind, parent: &Path) -> Self {
        match kind {
            SetKind::Sentinel => start_sentinels(parent).await,
            SetKind::Cluster => start_cluster(parent).await,
        }
    }

    /// For `REDIS_URL`. Of a cluster two servers are named, the others are found.
    pub fn url(&self) -> String {
        let hosts =
            |nodes: &[Node]| nodes.iter().map(|n| format!("127.0.0.1:{}", n.port)).collect::<Vec<_>>().join(",");
        let [password, sentinel_password] = PASSWORDS;
        match self.kind {
            SetKind::Sentinel => format!(
                "redis+sentinel://:{password}@{}/{SERVICE}?sentinel_password={sentinel_password}",
                hosts(&self.sentinels)
            ),
            SetKind::Cluster => format!("redis+cluster://:{password}@{}", hosts(&self.nodes[1..=2])),
        }
    }

    /// Which server is written to for this key: by what the sentinels say, or by what the servers of the cluster say.
    pub async fn master_of(&self, key: &str) -> Result<usize, String> {
        if self.kind == SetKind::Sentinel {
            let named: (String, u16) = self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await?;
            let index = self.nodes.iter().position(|node| node.port == named.1).ok_or("an unknown master")?;
            return self.nodes[index].expect_master(key).await.map(|()| index);
        }
        let mut last = "no server".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            match node.expect_master(key).await {
                Ok(()) => return Ok(index),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub async fn connect_to_master_of(&self, key: &str) -> Result<MultiplexedConnection, String> {
        let index = self.master_of(key).await?;
        self.nodes[index].connect().await.map_err(|error| error.to_string())
    }

    pub fn port(&self, index: usize) -> u16 {
        self.nodes[index].port
    }

    pub fn kill(&mut self, index: usize) {
        self.nodes[index].process.kill();
    }

    pub fn start_again(&mut self, index: usize) {
        self.nodes[index].process.start_again();
    }

    /// As if its machine were gone: connections stay and nobody answers.
    pub fn freeze(&self, index: usize) {
        self.nodes[index].process.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self, index: usize) {
        self.nodes[index].process.signal(Signal::SIGCONT);
    }

    /// Waits until this server has become a replica.
    pub async fn wait_for_replica(&self, index: usize) {
        eventually("the old master is a replica", START_WITHIN, async || {
            match self.nodes[index].ask::<Role>(&["ROLE"]).await? {
                Role::Replica { .. } => Ok(()),
                role => Err(format!("{role:?}")),
            }
        })
        .await;
    }
}

impl Node {
    fn spawn(name: &str, parent: &Path, arguments: &[&str]) -> Self {
        let (port, [password, _]) = (free_port(), PASSWORDS);
        let directory = directory(parent, name);
        let directory = directory.to_str().expect("a path in UTF-8");
        let own = format!(
            "--port {port} --bind 127.0.0.1 --appendonly no --requirepass {password} --masterauth {password} \
             --repl-diskless-sync-delay 0 --dir {directory}"
        );
        let mut all: Vec<&str> = own.split(' ').collect();
        all.extend(["--save", ""]);
        all.extend(arguments);
        Self { process: Process::spawn(name, "redis-server", &all, &[], parent), port, password }
    }

    fn spawn_sentinel(name: &str, parent: &Path, master: u16) -> Self {
        let (port, [password, sentinel_password]) = (free_port(), PASSWORDS);
        let directory = directory(parent, name);
        // It writes into its file what it finds out.
        let file = directory.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nrequirepass {sentinel_password}\nsentinel sentinel-pass {sentinel_password}\n\
             sentinel monitor {SERVICE} 127.0.0.1 {master} 2\nsentinel auth-pass {SERVICE} {password}\n\
             sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\nsentinel failover-timeout {SERVICE} 5000\n",
            directory.display()
        );
        std::fs::write(&file, text).expect("write the sentinel's configuration");
        let arguments = [file.to_str().expect("a path in UTF-8"), "--sentinel"];
        let process = Process::spawn(name, "redis-server", &arguments, &[], parent);
        Self { process, port, password: sentinel_password }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://:{}@127.0.0.1:{}/", self.password, self.port))?;
        client.get_multiplexed_async_connection().await
    }

    async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, String> {
        let say = |error| format!("{words:?} of {}: {error}", self.process.name);
        let mut connection = self.connect().await.map_err(say)?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query_async(&mut connection).await.map_err(say)
    }

    async fn tell(&self, words: &[&str]) {
        eventually(&format!("{words:?}"), START_WITHIN, async || self.ask::<()>(words).await).await;
    }

    /// Waits until what it says of itself has all of these lines.
    async fn wait_for(&self, words: &[&str], lines: &[&str]) {
        eventually(&format!("{words:?} of {} says {lines:?}", self.process.name), START_WITHIN, async || {
            let text: String = self.ask(words).await?;
            match lines.iter().all(|line| text.lines().any(|said| said.trim().contains(line))) {
                true => Ok(()),
                false => Err(text),
            }
        })
        .await;
    }

    /// Whether it is a master, and the one for this key.
    async fn expect_master(&self, key: &str) -> Result<(), String> {
        match self.ask::<Role>(&["ROLE"]).await? {
            Role::Primary { .. } => self.ask::<i64>(&["EXISTS", key]).await.map(drop),
            role => Err(format!("{} is {role:?}", self.process.name)),
        }
    }
}

fn directory(parent: &Path, name: &str) -> PathBuf {
    let directory = parent.join(format!("of-{name}"));
    std::fs::create_dir_all(&directory).expect("create the directory of a server");
    directory
}

async fn start_sentinels(parent: &Path) -> RedisSet {
    let master = Node::spawn("redis-0", parent, &[]);
    let replica = Node::spawn("redis-1", parent, &["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replica.wait_for(&["INFO", "replication"], &["master_link_status:up"]).await;
    let sentinel = |n| Node::spawn_sentinel(&format!("sentinel-{n}"), parent, master.port);
    let sentinels: Vec<Node> = (0..3).map(sentinel).collect();
    for sentinel in &sentinels {
        sentinel.wait_for(&["INFO", "sentinel"], &["status=ok", "slaves=1,sentinels=3"]).await;
    }
    RedisSet { kind: SetKind::Sentinel, nodes: vec![master, replica], sentinels }
}

async fn start_cluster(parent: &Path) -> RedisSet {
    let mut nodes = Vec::new();
    let mut buses = Vec::new();
    for n in 0..2 * MASTERS {
        let bus = free_port().to_string();
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", DOWN_AFTER_MS, "--cluster-port", &bus];
        nodes.push(Node::spawn(&format!("redis-{n}"), parent, &arguments));
        buses.push(bus);
    }
    for (n, node) in nodes.iter().enumerate() {
        node.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await;
        if n < MASTERS {
            let (first, end) = (SLOTS * n / MASTERS, SLOTS * (n + 1) / MASTERS);
            node.tell(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]).await;
        }
        nodes[0].tell(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &buses[n]]).await;
    }
    for node in &nodes {
        node.wait_for(&["CLUSTER", "INFO"], &["cluster_known_nodes:6"]).await;
    }
    for n in 0..MASTERS {
        let master: String = nodes[n].ask(&["CLUSTER", "MYID"]).await.expect("a master's id");
        nodes[n + MASTERS].tell(&["CLUSTER", "REPLICATE", &master]).await;
    }
    for (n, node) in nodes.iter().enumerate() {
        node.wait_for(&["CLUSTER", "INFO"], &["cluster_state:ok"]).await;
        let link = if n < MASTERS { "connected_slaves:1" } else { "master_link_status:up" };
        node.wait_for(&["INFO", "replication"], &[link]).await;
    }
    RedisSet { kind: SetKind::Cluster, nodes, sentinels: Vec::new() }
}
