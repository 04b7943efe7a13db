//! A flash-sale engine: a stateless API puts purchases into a queue inside PostgreSQL, workers settle them in batches,
//! Redis is a pre-filter and a read cache. ARCHITECTURE.md has the picture; the modules stand here in the order of
//! their floors, and imports go down only (tests/tidy.rs checks).

// Floor 5: the command line.
pub mod commands;
// Floor 4: the two faces, which never see each other.
pub mod http;
pub mod worker;
// Floor 3: the use cases.
pub mod app;
// Floor 2: PostgreSQL and Redis, which never see each other.
pub mod db;
pub mod gate;
// Floor 1: the process and its surroundings.
pub mod batcher;
pub mod config;
pub mod embedded;
pub mod shutdown;
pub mod telemetry;
// Floor 0: the words.
pub mod domain;
