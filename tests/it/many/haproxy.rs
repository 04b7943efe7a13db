//! A real HAProxy with the configuration of deploy/haproxy in front of the API processes of a test.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::tools::debian_tool;
use crate::harness::process::Process;
use crate::harness::stack::free_port;
use crate::harness::{Http, Stack, eventually};

const CONFIGURATION: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");
const READY_WITHIN: Duration = Duration::from_secs(15);

pub struct HaProxy {
    _process: Process,
    pub http: Http,
}

impl HaProxy {
    /// Starts it before the API processes that the stack has now.
    pub async fn before(stack: &Stack) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let file = stack.directory().join("haproxy.cfg");
        std::fs::write(&file, configuration(address, &stack.addresses())).expect("write the proxy's configuration");
        let (program, environment) = debian_tool("haproxy");
        let arguments = ["-f", file.to_str().expect("a path in UTF-8")];
        let mut process = Process::spawn("haproxy", program, &arguments, &environment, stack.directory());
        let http = Http { address };
        eventually("HAProxy has somebody to ask", READY_WITHIN, || {
            let ended = process.exited();
            async move {
                assert!(ended.is_none(), "HAProxy ended at its start: {ended:?}");
                match http.get("/readyz").try_send().await {
                    Ok(reply) if reply.status == 200 => Ok(()),
                    Ok(reply) => Err(format!("{} {}", reply.status, reply.text())),
                    Err(error) => Err(error.to_string()),
                }
            }
        })
        .await;
        Self { _process: process, http }
    }
}

/// What is shipped, but for where it listens, whom it asks (Docker's names there), and how many connections it is built for.
fn configuration(address: SocketAddr, apis: &[SocketAddr]) -> String {
    let servers: Vec<String> =
        apis.iter().enumerate().map(|(number, api)| format!("    server api-{number} {api}")).collect();
    let lines = CONFIGURATION.lines().map(|line| match line.trim_start() {
        "bind :8080" => format!("    bind {address}"),
        line if line.starts_with("maxconn ") => "    maxconn 2000".to_owned(),
        line if line.starts_with("server-template api ") => servers.join("\n"),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}
