//! Every fault by name: what its stack looks like and how it strikes. A strike returns when the fault is over; what heals
//! by itself is measured from there.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::load::Shape;
use crate::needs::Need;
use crate::strikes::{
    clock, disk, failpoints, guessing, messages, network, postgres, processes, quantity, redis, sessions, strangers,
};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// With Redis or without it, as the dice falls.
    Any,
    Redis,
    /// Redis is configured and not there when the processes start.
    AbsentAtFirst,
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub gate: Gate,
    /// The processes reach PostgreSQL through the proxy.
    pub is_proxied: bool,
    pub is_herd: bool,
    /// Messages may have copies: then every order in progress has at least one.
    pub has_duplicates: bool,
    pub hang_up_share: f64,
    pub need: Need,
    /// Nothing strikes from outside: the fault is in the load itself, or nowhere.
    pub is_in_the_load: bool,
    /// A quantity is lowered: then orders in progress may fail.
    pub is_lowered: bool,
    pub has_rate_limits: bool,
    /// A transaction is forgotten for as long as the load runs.
    pub is_under_a_snapshot: bool,
    /// Processes are only stopped gracefully: nobody is cut off.
    pub is_graceful: bool,
    /// It strikes people who buy: a blow that meets no purchase has missed.
    pub strikes_purchases: bool,
}

const PLAIN: Setup = Setup {
    gate: Gate::Any,
    is_proxied: false,
    is_herd: false,
    has_duplicates: false,
    hang_up_share: 0.01,
    need: Need::Nothing,
    is_in_the_load: false,
    is_lowered: false,
    has_rate_limits: false,
    is_under_a_snapshot: false,
    is_graceful: false,
    strikes_purchases: true,
};
const IN_THE_LOAD: Setup = Setup { is_in_the_load: true, ..PLAIN };
const GRACEFUL: Setup = Setup { is_graceful: true, ..PLAIN };
const BESIDE_THE_LOAD: Setup = Setup { strikes_purchases: false, ..PLAIN };
const REDIS: Setup = Setup { gate: Gate::Redis, ..PLAIN };
const PROXIED: Setup = Setup { is_proxied: true, ..PLAIN };

impl Setup {
    /// Whether a clock can be set while people buy.
    pub fn has_clock(&self) -> bool {
        matches!(self.need, Need::DatabaseClock | Need::ProcessClocks)
    }

    pub fn shape(&self, short: bool) -> Shape {
        let shape = match (self.is_herd, self.has_clock()) {
            (true, _) => Shape::herd(short),
            (false, true) => Shape::long(short),
            (false, false) if self.is_under_a_snapshot => Shape::under_a_snapshot(forgotten_for()),
            (false, false) => Shape::usual(short),
        };
        Shape { hang_up_share: self.hang_up_share, ..shape }
    }
}

/// How long a DBA forgets a transaction: `MINUTES`, or less than one.
pub fn forgotten_for() -> Duration {
    let minutes = std::env::var_os("MINUTES").and_then(|text| text.to_str()?.parse::<u64>().ok());
    minutes.map_or(Duration::from_secs(45), |minutes| Duration::from_secs(minutes * 60))
}

type Strike = for<'a> fn(&'a mut World) -> BoxFuture<'a, ()>;

pub struct Fault {
    pub name: &'static str,
    pub about: &'static str,
    pub setup: Setup,
    pub strike: Strike,
    /// The seed it runs with in `--short`, when it does.
    pub short: Option<u64>,
}

const fn fault(name: &'static str, about: &'static str, setup: Setup, strike: Strike) -> Fault {
    Fault { name, about, setup, strike, short: None }
}

const fn short(fault: Fault, seed: u64) -> Fault {
    Fault { short: Some(seed), ..fault }
}

pub const FAULTS: &[Fault] = &[
    fault("none", "nothing breaks: the baseline", IN_THE_LOAD, |world| Box::pin(nothing(world))),
    short(
        fault("worker-kill", "kill -9 of workers, again and again", PLAIN, |world| {
            Box::pin(processes::kill_workers(world))
        }),
        1,
    ),
    fault("worker-kill-mid-batch", "kill -9 of both workers before the COMMIT of a batch", PLAIN, |world| {
        Box::pin(processes::kill_workers_before_commit(world))
    }),
    fault("worker-failpoints", "kill -9 of a worker at each named point before its COMMIT", PLAIN, |world| {
        Box::pin(failpoints::kill_workers(world))
    }),
    fault("worker-freeze", "SIGSTOP of one worker, then of both, then SIGCONT", PLAIN, |world| {
        Box::pin(processes::freeze_workers(world))
    }),
    short(
        fault("api-kill", "kill -9 of API processes with requests in flight", PLAIN, |world| {
            Box::pin(processes::kill_apis(world))
        }),
        2,
    ),
    fault("api-kill-mid-batch", "kill -9 of an API before the COMMIT of a batch", PLAIN, |world| {
        Box::pin(processes::kill_api_before_commit(world))
    }),
    fault("api-failpoints", "kill -9 of an API at each named point before its COMMIT", PLAIN, |world| {
        Box::pin(failpoints::kill_apis(world))
    }),
    fault("api-stop", "graceful stop of an API under load, and start", GRACEFUL, |world| {
        Box::pin(processes::stop_api_gracefully(world))
    }),
    fault("api-freeze", "SIGSTOP of an API, then SIGCONT", PLAIN, |world| Box::pin(processes::freeze_api(world))),
    fault("rolling-restart", "every process stopped gracefully and started again, one by one", GRACEFUL, |world| {
        Box::pin(processes::restart_all(world))
    }),
    short(
        fault("postgres-stop", "immediate stop of PostgreSQL, an outage, start", PLAIN, |world| {
            Box::pin(postgres::stop_immediately(world))
        }),
        3,
    ),
    fault("backend-kill", "kill -9 of a backend: every session ends and the server recovers", PLAIN, |world| {
        Box::pin(postgres::kill_backends(world))
    }),
    fault("backend-terminate", "pg_terminate_backend of every session of the product", PLAIN, |world| {
        Box::pin(postgres::terminate_backends(world))
    }),
    fault("connections-exhausted", "somebody else takes every connection of PostgreSQL", PLAIN, |world| {
        Box::pin(postgres::exhaust_connections(world))
    }),
    fault(
        "disk-full",
        "no room for tables, then none for the log of transactions",
        Setup { need: Need::SmallDisk, ..PLAIN },
        |world| Box::pin(disk::fill(world)),
    ),
    fault(
        "clock-database",
        "the database's clock is set by 2 minutes and by an hour, forward and back",
        Setup { need: Need::DatabaseClock, ..PLAIN },
        |world| Box::pin(clock::set_database_clock(world)),
    ),
    fault(
        "clock-api",
        "clocks of APIs and workers are set by 2 minutes and by an hour, forward and back",
        Setup { need: Need::ProcessClocks, ..PLAIN },
        |world| Box::pin(clock::set_process_clocks(world)),
    ),
    fault(
        "dba-transaction",
        "a snapshot held open under load (MINUTES=10: for so long), and a table locked for a moment",
        Setup { is_under_a_snapshot: true, ..PLAIN },
        |world| Box::pin(postgres::leave_transaction_open(world)),
    ),
    short(
        fault("redis-kill", "kill -9 of Redis, an outage, start empty", REDIS, |world| {
            Box::pin(redis::kill_and_start_empty(world))
        }),
        4,
    ),
    fault("redis-flush", "FLUSHALL, again and again", REDIS, |world| Box::pin(redis::flush(world))),
    fault("redis-old-dump", "Redis set back to an old dump", REDIS, |world| Box::pin(redis::restore_old_dump(world))),
    fault("redis-slow", "Redis answers nobody for a while (DEBUG SLEEP)", REDIS, |world| {
        Box::pin(redis::be_slow(world))
    }),
    fault(
        "redis-absent",
        "Redis is not there at the start and comes later",
        Setup { gate: Gate::AbsentAtFirst, ..PLAIN },
        |world| Box::pin(redis::come_late(world)),
    ),
    short(
        fault("commit-reply-lost", "the reply of a COMMIT never comes", PROXIED, |world| {
            Box::pin(network::lose_replies(world))
        }),
        5,
    ),
    fault("connection-reset", "resets before, during and after a statement", PROXIED, |world| {
        Box::pin(network::reset_connections(world))
    }),
    fault("reply-late", "replies held past the time-out of their statement", PROXIED, |world| {
        Box::pin(network::hold_replies(world))
    }),
    fault("network-cut", "PostgreSQL cannot be reached for a while", PROXIED, |world| Box::pin(network::cut(world))),
    fault("network-stall", "nothing moves between the product and PostgreSQL for a while", PROXIED, |world| {
        Box::pin(network::stall(world))
    }),
    short(
        fault(
            "bad-messages",
            "duplicates, poison, and messages for unknown orders, users and sales",
            Setup { has_duplicates: true, ..PLAIN },
            |world| Box::pin(messages::send_bad_messages(world)),
        ),
        6,
    ),
    fault(
        "hang-up",
        "a third of the shoppers hang up mid-request",
        Setup { hang_up_share: 0.33, ..IN_THE_LOAD },
        |world| Box::pin(nothing(world)),
    ),
    fault(
        "strangers",
        "slow heads, slow and huge bodies, deep JSON, bad UTF-8, forged tokens",
        BESIDE_THE_LOAD,
        |world| Box::pin(strangers::visit(world)),
    ),
    fault("logged-out", "tokens of people who have signed out are used again", PLAIN, |world| {
        Box::pin(sessions::sign_out(world))
    }),
    fault(
        "guessing",
        "passwords of many users guessed from one address, and of one user from many",
        Setup { has_rate_limits: true, ..BESIDE_THE_LOAD },
        |world| Box::pin(guessing::guess(world)),
    ),
    fault(
        "lowered-quantity",
        "an administrator takes units away while they are bought",
        Setup { is_lowered: true, ..PLAIN },
        |world| Box::pin(quantity::lower_and_raise(world)),
    ),
    fault("herd", "fifty times the stock in the first second", Setup { is_herd: true, ..IN_THE_LOAD }, |world| {
        Box::pin(nothing(world))
    }),
];

pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}

/// The fault is in the load itself, or nowhere.
async fn nothing(world: &mut World) {
    world.progress.wait_for_share(1.0).await;
}
