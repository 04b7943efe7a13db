//! Answers per second that touch no database: refusals of a sold-out sale and looks at the sales, each against a server
//! that gives the same bytes as a constant.

use std::net::SocketAddr;
use std::time::Duration;

use super::{announce, in_turn};
use crate::books::{self, Sale};
use crate::client::{self, Load, Pace, Requests, Tally};
use crate::run::plain::{Answers, purchase};
use crate::run::ratio::{Goal, Side};
use crate::run::{Run, cpu, goals};

/// Different users whose tokens are sent in turn.
const USERS: u32 = 1000;
const TIMEOUT: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_millis(200);

/// What is asked, and what must be answered.
pub struct Question {
    goal: Goal,
    name: &'static str,
    what: &'static str,
    render: fn(SocketAddr, Sale, &[String]) -> Requests,
    status: u16,
    code: &'static str,
}

pub const REFUSALS: Question = Question {
    goal: goals::REFUSE,
    name: "refuse",
    what: "sold-out answers",
    // The first user has bought.
    render: |server, sale, tokens| tokens[1..].iter().map(|token| purchase(server, sale, token)).collect(),
    status: 400,
    code: "sold_out",
};

pub const LOOKS: Question = Question {
    goal: goals::LOOK,
    name: "look",
    what: "answers to GET /sales",
    render: |server, _, _| std::iter::once(client::get(&server.to_string(), "/sales")).collect(),
    status: 200,
    code: "",
};

struct Server {
    address: SocketAddr,
    pid: u32,
    process: &'static str,
    requests: Requests,
    rates: Vec<f64>,
}

pub async fn measure(run: &mut Run, question: &Question) -> anyhow::Result<()> {
    let tokens = run.testbed.tokens(USERS).await?;
    let answers = Answers::record(&run.testbed, &tokens).await?;
    let (plain, plain_address) = answers.serve(&run.testbed, &answers.refusal).await?;
    let server = |process, address, pid| {
        let requests = (question.render)(address, answers.sale, &tokens);
        Server { address, pid, process, requests, rates: Vec::new() }
    };
    let mut api = server("api", run.testbed.api_address, run.testbed.api.pid());
    let mut constant = server("constant", plain_address, plain.pid());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        for server in in_turn(round, [&mut api, &mut constant]) {
            ask(run, question, server).await?;
        }
        eprintln!();
    }
    plain.stop().await;
    run.testbed.ensure_running()?;
    run.findings.audited(question.name, books::audit(&run.testbed.client, answers.sale, 1).await?);
    let unit = "answers per second";
    let by_api = Side::of(question.what, unit, api.rates);
    let by_constant = Side::of("the same bytes as a constant", unit, constant.rates);
    run.findings.ratios.push(question.goal.of(by_api, by_constant));
    Ok(())
}

async fn ask(run: &mut Run, question: &Question, server: &mut Server) -> anyhow::Result<()> {
    let connections = run.settings.connections;
    load(connections, server, WARM_UP).await?;
    let cpu_before = cpu::seconds(server.pid);
    let tally = load(connections, server, Duration::from_secs(run.settings.read_seconds)).await?;
    let (name, process) = (question.name, server.process);
    let expected = tally.count(question.status, question.code);
    anyhow::ensure!(expected == tally.sent, "{name} of {process}: {}", tally.outcomes());
    let rate = tally.answers_per_second();
    eprint!("  {process} {rate:.0}/s (p99 {:.1} ms)", tally.latency_ms(0.99));
    server.rates.push(rate);
    run.findings.cpu_seconds.push(cpu::Spent {
        measurement: name,
        process,
        cpu_seconds: cpu::seconds(server.pid) - cpu_before,
        of_seconds: tally.elapsed.as_secs_f64(),
        requests: tally.answers(),
    });
    Ok(())
}

async fn load(connections: usize, server: &mut Server, time_max: Duration) -> anyhow::Result<Tally> {
    let requests = std::mem::take(&mut server.requests);
    let address = server.address;
    let (tally, requests) = tokio::task::spawn_blocking(move || {
        let load = Load {
            address,
            requests: &requests,
            copies: 1,
            connections,
            pace: Pace::Closed,
            count_max: u64::MAX,
            time_max,
            timeout: TIMEOUT,
        };
        (load.run(), requests)
    })
    .await?;
    server.requests = requests;
    tally
}
