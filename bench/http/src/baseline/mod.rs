//! The plain servers that the engine is compared with, each run as a process of its own as the engine is.

pub mod constant;
pub mod naive;

mod bearer;
mod listen;
