//! Floor 4: HTTP. Handlers extract, call one use case, and map its answer; `router.rs` is the table of contents.

mod auth;
mod events;
mod health;
mod idempotency;
mod json;
mod limits;
mod openapi;
mod orders;
mod problem;
mod request_context;
mod router;
mod sales;
pub mod server;
mod state;
mod users;

pub use limits::Limits;
pub use router::router;
pub use state::{Api, ApiParts};
