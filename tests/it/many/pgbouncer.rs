//! A real PgBouncer between the processes of a test and their PostgreSQL.

use std::path::Path;
use std::time::Duration;

use super::tools::debian_tool;
use crate::harness::postgres::try_connect;
use crate::harness::process::Process;
use crate::harness::stack::{LOGINS, PASSWORD, free_port};
use crate::harness::{Stack, eventually};

const READY_WITHIN: Duration = Duration::from_secs(15);

pub struct PgBouncer(#[allow(dead_code, reason = "it ends with this")] Process);

impl PgBouncer {
    /// Starts it before the PostgreSQL of a stack, for the processes that are started from now on.
    pub async fn before_postgres(stack: &mut Stack, pool_mode: &str) -> Self {
        let direct = stack.postgres.url();
        let (server, database) = direct.rsplit_once('/').expect("a URL with a database");
        let (login, server_port) = server.rsplit_once(':').expect("a URL with a port");
        let port = free_port();
        let directory = stack.directory().to_owned();
        std::fs::write(directory.join("userlist.txt"), user_list(login)).expect("write the pooler's users");
        let file = directory.join("pgbouncer.ini");
        let text = configuration(&directory, database, server_port, port, pool_mode);
        std::fs::write(&file, text).expect("write the pooler's configuration");
        let (program, environment) = debian_tool("pgbouncer");
        let arguments = [file.to_str().expect("a path in UTF-8")];
        let process = Process::spawn("pgbouncer", program, &arguments, &environment, &directory);
        let url = format!("{login}:{port}/{database}");
        eventually("PgBouncer lets us through", READY_WITHIN, async || try_connect(&url).await.map(drop)).await;
        stack.set_environment("DATABASE_URL", &url);
        Self(process)
    }
}

/// Names and passwords as it shows them to the server, too.
fn user_list(login: &str) -> String {
    let owner = login.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("a URL with a user").0;
    let (name, password) = owner.split_once(':').unwrap_or((owner, ""));
    let processes = LOGINS.map(|name| format!("\"{name}\" \"{PASSWORD}\"\n")).concat();
    format!("\"{name}\" \"{password}\"\n{processes}")
}

fn configuration(directory: &Path, database: &str, server_port: &str, port: u16, pool_mode: &str) -> String {
    let users = directory.join("userlist.txt");
    let database = database.split('?').next().unwrap_or_default();
    format!(
        "[databases]\n\
         {database} = host=127.0.0.1 port={server_port}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = scram-sha-256\n\
         auth_file = {}\n\
         pool_mode = {pool_mode}\n\
         default_pool_size = 60\n\
         ; Settings that our drivers send when they connect, and that it cannot hand on.\n\
         ignore_startup_parameters = extra_float_digits, options\n\
         {}",
        users.display(),
        // It refuses to run as root.
        if nix::unistd::geteuid().is_root() { "user = nobody\n" } else { "" },
    )
}
