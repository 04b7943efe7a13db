//! Floor 4: HTTP. Handlers extract, call one use case, and map its answer; `router.rs` is the table of contents.

mod activity;
mod auth;
mod body;
mod calendar;
mod client;
mod etag;
mod events;
mod health;
mod idempotency;
mod json;
mod limits;
mod openapi;
mod operation;
mod orders;
mod page;
mod pictures;
mod problem;
mod report_csv;
mod request_context;
mod router;
mod sales;
pub mod server;
mod state;
mod users;

pub use limits::Limits;
pub use operation::{Operation, operation_router};
pub use router::{document, router};
pub use state::{Api, ApiParts};
