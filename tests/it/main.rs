//! The integration tests, one binary so that it is linked once: real PostgreSQL with pgmq, real Redis, the real binary
//! in processes of its own. The modules mirror src.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod books;
mod commands;
mod db;
mod failover;
mod following;
mod gate;
mod harness;
mod http;
mod kill;
mod many;
mod oracle;
mod read_cache;
mod redis_tls;
mod standby;
mod upgrade;
mod watch;
mod worker;
