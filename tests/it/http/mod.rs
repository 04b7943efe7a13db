//! The contract, route by route, as a client sees it.

mod account;
mod activity;
mod bad_input;
mod calendar;
mod document;
mod end_sale;
mod events;
mod health;
mod idempotency;
mod limits;
mod order_history;
mod orders;
mod pictures;
mod report;
mod sales;
mod strangers;
mod tokens;
