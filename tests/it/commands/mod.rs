//! The binary's commands: how they start, what they refuse, what they leave behind.

mod admin;
mod dev;
mod migrate;
mod start;
