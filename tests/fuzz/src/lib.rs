//! What the fuzz targets share: the real router in front of a database that is a double, and what every answer must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod answer;
pub mod database;
pub mod door;
pub mod figures;
pub mod postgres;
pub mod queue;
pub mod token;

pub use answer::Answer;
pub use door::{ADMINISTRATOR, Door, PRODUCT, SALE};
pub use figures::accepted;
