//! The contract, route by route, as a client sees it.

mod account;
mod bad_input;
mod events;
mod health;
mod idempotency;
mod limits;
mod orders;
mod sales;
mod tokens;
