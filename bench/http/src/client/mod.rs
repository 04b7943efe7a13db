//! A lean HTTP/1.1 load generator: one thread, one epoll, keep-alive connections, requests rendered before the clock
//! starts. It shares the machine's cores with what it measures, so every microsecond it saves is one the server gets.

mod alarm;
mod answer;
mod audience;
mod connection;
mod engine;
mod events;
mod exchange;
mod flow;
mod lane;
mod load;
mod requests;
mod tally;

pub use answer::text_member;
pub use audience::{Asked, Audience, Calls, Go};
pub use engine::Engine;
pub use exchange::{Exchanged, exchange, try_exchange};
pub use flow::{Flow, Pace};
pub use lane::Lane;
pub use load::Load;
pub use requests::{Requests, get, get_as, post, post_waiting};
pub use tally::Tally;
