//! A TCP proxy in front of PostgreSQL that breaks the network at the level of bytes: it withholds the reply of a COMMIT,
//! resets a connection before, during or after a statement, holds everything up, or lets nobody through.
//!
//! Every statement of the product is its own transaction, so the reply to an Execute is the reply of its COMMIT.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Stack;

const CHUNK_BYTES: usize = 64 * 1024;
/// Tricks are played on connections of these application names: those that place orders and those that settle them.
const VICTIMS: [(Victim, &[u8]); 2] = [
    (Victim::Placing, b"application_name\0flashsale api placing\0"),
    (Victim::Settling, b"application_name\0flashsale worker\0"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Placing,
    Settling,
}

/// What to do to the next statement of a victim.
#[derive(Clone, Copy, Debug)]
pub enum Trick {
    /// The statement commits; its reply never comes and the connection is reset.
    LoseReply,
    /// Half of the reply comes, then a reset.
    BreakReply,
    /// The connection is reset and the statement never arrives.
    LoseRequest,
    /// The statement arrives, and so much later the connection is reset on both sides.
    ResetAfter(Duration),
    /// The reply comes this much later.
    HoldReply(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Open,
    /// Nothing moves, nothing breaks.
    Stalled,
    /// Every connection is reset, new ones too.
    Cut,
}

pub struct Proxy {
    pub port: u16,
    network: watch::Sender<Network>,
    tricks: Arc<Tricks>,
}

#[derive(Default)]
struct Tricks {
    waiting: Mutex<VecDeque<(Victim, Trick)>>,
    played: AtomicUsize,
}

impl Proxy {
    /// Starts it before the PostgreSQL of a stack, for the processes that are started from now on.
    pub async fn before_postgres(stack: &mut Stack) -> Self {
        let url = stack.postgres.url();
        let (before, database) = url.rsplit_once('/').expect("a URL with a database");
        let (server, port) = before.rsplit_once(':').expect("a URL with a port");
        let proxy = Self::start(port.parse().expect("a port")).await;
        stack.set_environment("DATABASE_URL", &format!("{server}:{}/{database}", proxy.port));
        proxy
    }

    pub async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for the proxy");
        let port = listener.local_addr().expect("the address of the proxy").port();
        let (network, watched) = watch::channel(Network::Open);
        let tricks = Arc::new(Tricks::default());
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target_port));
        let shared = Arc::clone(&tricks);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (watched, shared) = (watched.clone(), Arc::clone(&shared));
                tokio::spawn(async move { serve(client, target, watched, &shared).await });
            }
        });
        Self { port, network, tricks }
    }

    pub fn arm(&self, victim: Victim, trick: Trick) {
        self.tricks.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((victim, trick));
    }

    /// How many tricks have been played.
    pub fn played(&self) -> usize {
        self.tricks.played.load(Ordering::Relaxed)
    }

    /// Forgets the tricks that nobody met.
    pub fn disarm(&self) {
        self.tricks.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Tricks {
    /// The next trick, if it is for this victim.
    fn next_for(&self, victim: Option<Victim>) -> Option<Trick> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, trick) = waiting.pop_front_if(|(wanted, _)| Some(*wanted) == victim)?;
        self.played.fetch_add(1, Ordering::Relaxed);
        Some(trick)
    }
}

/// Serves one connection to its end. Both sides see a reset, as from a network that broke.
async fn serve(client: TcpStream, target: SocketAddr, mut network: watch::Receiver<Network>, tricks: &Tricks) {
    let _ = client.set_zero_linger();
    if *network.borrow_and_update() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = server.set_zero_linger();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut pair = Pair { client, server, victim: None };
    let (mut up, mut down) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    loop {
        let state = *network.borrow_and_update();
        let lives = match state {
            Network::Cut => return,
            Network::Stalled => network.changed().await.ok(),
            // Only the waiting is given up when the network changes: a chunk that was read is moved as a whole.
            Network::Open => tokio::select! {
                changed = network.changed() => changed.ok(),
                read = pair.client.read(&mut up) => pair.upwards(&up[..read.unwrap_or(0)], tricks).await,
                read = pair.server.read(&mut down) => pair.downwards(&down[..read.unwrap_or(0)]).await,
            },
        };
        if lives.is_none() {
            return;
        }
    }
}

/// `None` ends the connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    victim: Option<Victim>,
}

impl Pair {
    async fn downwards(&mut self, chunk: &[u8]) -> Option<()> {
        chunk.first()?;
        self.client.write_all(chunk).await.ok()
    }

    async fn upwards(&mut self, chunk: &[u8], tricks: &Tricks) -> Option<()> {
        let kind = chunk.first()?;
        let named = VICTIMS.iter().find(|(_, name)| contains(chunk, name));
        self.victim = self.victim.or(named.map(|(victim, _)| *victim));
        // Bind, Execute and Sync of a prepared statement travel together.
        match tricks.next_for(self.victim.filter(|_| *kind == b'B')) {
            Some(trick) => self.play(trick, chunk).await,
            None => self.server.write_all(chunk).await.ok(),
        }
    }

    async fn play(&mut self, trick: Trick, statement: &[u8]) -> Option<()> {
        if matches!(trick, Trick::LoseRequest) {
            return None;
        }
        self.server.write_all(statement).await.ok()?;
        if let Trick::ResetAfter(time) = trick {
            tokio::time::sleep(time).await;
            return None;
        }
        let reply = self.whole_reply().await?;
        match trick {
            Trick::HoldReply(time) => {
                tokio::time::sleep(time).await;
                self.client.write_all(&reply).await.ok()
            }
            Trick::BreakReply => {
                let _ = self.client.write_all(&reply[..reply.len() / 2]).await;
                None
            }
            Trick::LoseReply | Trick::LoseRequest | Trick::ResetAfter(_) => None,
        }
    }

    /// Reads up to ReadyForQuery, which the server sends after its COMMIT.
    async fn whole_reply(&mut self) -> Option<Vec<u8>> {
        let mut reply = Vec::new();
        loop {
            let read = self.server.read_buf(&mut reply).await.ok()?;
            if reply.len() >= 6 && &reply[reply.len() - 6..reply.len() - 1] == b"Z\0\0\0\x05" {
                return Some(reply);
            }
            if read == 0 {
                return None;
            }
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
