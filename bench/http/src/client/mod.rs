//! A lean HTTP/1.1 load generator: one thread, one epoll, keep-alive connections, requests rendered before the clock
//! starts. It shares the machine's cores with what it measures, so every microsecond it saves is one the server gets.

mod answer;
mod connection;
mod exchange;
mod load;
mod requests;
mod tally;

pub use exchange::{Exchanged, exchange, try_exchange};
pub use load::{Load, Pace};
pub use requests::{Requests, get, post};
pub use tally::Tally;
