//! Which process it is that stands in a place: found by the connection its session has.

use std::time::Instant;

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::{LOOK_EVERY, SOON};
use crate::harness::process::Process;
use crate::world::World;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Victims {
    Workers,
    Apis,
}

/// A process by its number, and its session.
#[derive(Clone, Copy)]
pub struct Found {
    pub index: usize,
    pub session: i32,
}

impl Victims {
    pub fn process(self, world: &mut World, index: usize) -> &mut Process {
        match self {
            Self::Workers => &mut world.stack.workers[index],
            Self::Apis => &mut world.stack.apis[index].process,
        }
    }

    /// Waits until a session of such a process waits for a lock in this statement.
    pub async fn wait_for_blocked(self, world: &World, database: &Client, statement: &str) -> Option<Found> {
        let blocked = "select pid, client_port from pg_stat_activity
                       where wait_event_type = 'Lock' and pid <> pg_backend_pid() and query like '%' || $1 || '%'";
        self.wait_for(world, database, blocked, &[&statement]).await
    }

    /// Waits until a session that is found by this query (its pid, its port) is of such a process.
    pub async fn wait_for(
        self,
        world: &World,
        database: &Client,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Option<Found> {
        let started = Instant::now();
        while started.elapsed() < SOON {
            for row in database.query(query, parameters).await.expect("look for who waits") {
                let (session, port): (i32, i32) = (row.get(0), row.get(1));
                if let Some(index) = self.owner_of(world, port) {
                    return Some(Found { index, session });
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }

    fn owner_of(self, world: &World, port: i32) -> Option<usize> {
        let owns = |process: &Process| owns_connection(process.pid(), port);
        match self {
            Self::Workers => world.stack.workers.iter().position(owns),
            Self::Apis => world.stack.apis.iter().position(|api| owns(&api.process)),
        }
    }
}

/// Whether a process holds the TCP connection with this port on its side.
fn owns_connection(pid: u32, port: i32) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    let sockets: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(1) == Some(&local.as_str()))
        .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}
