//! Answers per second that touch no database: refusals of a sold-out sale and looks at the sales, each against a server
//! that gives the same bytes as a constant.

use std::net::SocketAddr;
use std::time::Duration;

use super::ratio::{Comparison, Side};
use super::testbed::Testbed;
use super::{Findings, Settings, buy, cpu};
use crate::baseline::constant::{Recorded, Recording};
use crate::books;
use crate::client::{self, Load, Pace, Requests, Tally};
use crate::{buyers, database, tokens};

/// Different users whose tokens are sent in turn.
const USERS: u32 = 1000;
const TIMEOUT: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_millis(200);

/// One of the two routes: what is asked, and what must be answered.
struct Question {
    wanted: super::Comparison,
    name: &'static str,
    measurement: &'static str,
    numerator: &'static str,
    path: &'static str,
    status: u16,
    code: &'static str,
    users: bool,
}

const QUESTIONS: [Question; 2] = [
    Question {
        wanted: super::Comparison::Refuse,
        name: "refuse/constant",
        measurement: "refuse",
        numerator: "sold-out answers",
        path: "/orders",
        status: 400,
        code: "sold_out",
        users: true,
    },
    Question {
        wanted: super::Comparison::Look,
        name: "look/constant",
        measurement: "look",
        numerator: "answers to GET /sales",
        path: "/sales",
        status: 200,
        code: "",
        users: false,
    },
];

pub async fn measure(settings: &Settings, testbed: &mut Testbed, findings: &mut Findings) -> anyhow::Result<()> {
    let database = database::connect(testbed.database_url()).await?;
    let users = buyers::ensure(&database, USERS).await?;
    let tokens = tokens::mint(testbed.secret(), &users)?;
    let sale = books::open_sale(&database, 1).await?;
    buy::wait_until_on_sale(testbed.api_address, sale).await?;
    let body = format!(r#"{{"product_id":"{}"}}"#, sale.product_id);
    let api = testbed.api_address;
    let order = |address: SocketAddr, token: &str| client::post(&address.to_string(), "/orders", Some(token), &body);
    let (Some(buyer), Some(late)) = (tokens.first(), tokens.last()) else { return Ok(()) };
    client::exchange(api, &order(api, buyer), 200)?;
    books::wait_until_settled(&database, sale, 1, TIMEOUT).await?;
    buy::wait_for_stock(api, sale, 0).await?;

    let recording = Recording {
        refusal: Recorded::of(&client::exchange(api, &order(api, late), 400)?)?,
        sales: Recorded::of(&client::exchange(api, &client::get(&api.to_string(), "/sales"), 200)?)?,
    };
    let file = testbed.dir().join("recorded.json");
    std::fs::write(&file, serde_json::to_vec(&recording)?)?;
    let file = file.to_string_lossy().into_owned();
    let (plain, plain_address) = testbed.start_plain("serve-constant", &["--recorded", &file]).await?;

    for question in QUESTIONS.iter().filter(|question| settings.only.contains(&question.wanted)) {
        let render = |address: SocketAddr| -> Requests {
            if question.users {
                tokens[1..].iter().map(|token| order(address, token)).collect()
            } else {
                std::iter::once(client::get(&address.to_string(), question.path)).collect()
            }
        };
        let servers = [
            Server { address: api, pid: testbed.api.pid(), process: "api", requests: render(api) },
            Server { address: plain_address, pid: plain.pid(), process: "constant", requests: render(plain_address) },
        ];
        compare(settings, question, servers, findings).await?;
        testbed.ensure_running()?;
        findings.audited(question.measurement, books::audit(&database, sale, 1).await?);
    }
    plain.stop().await;
    Ok(())
}

struct Server {
    address: SocketAddr,
    pid: u32,
    process: &'static str,
    requests: Requests,
}

async fn compare(
    settings: &Settings,
    question: &Question,
    mut servers: [Server; 2],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut rates = [Vec::new(), Vec::new()];
    for round in 1..=settings.rounds {
        eprint!("{} {round}/{}:", question.measurement, settings.rounds);
        // The order alternates, so that a machine that slows down or speeds up favours neither.
        let order = if round % 2 == 1 { [0, 1] } else { [1, 0] };
        for index in order {
            let server = &mut servers[index];
            load(settings, server, WARM_UP).await?;
            let cpu_before = cpu::seconds(server.pid);
            let tally = load(settings, server, Duration::from_secs(settings.read_seconds)).await?;
            let expected = tally.count(question.status, question.code);
            anyhow::ensure!(
                expected == tally.sent,
                "{} of {}: {}",
                question.measurement,
                server.process,
                tally.outcomes()
            );
            let (rate, elapsed) = (tally.answers_per_second(), tally.elapsed.as_secs_f64());
            eprint!("  {} {rate:.0}/s (p99 {:.1} ms)", server.process, tally.latency_ms(0.99));
            rates[index].push(rate);
            findings.cpu_seconds.push(cpu::Spent {
                measurement: question.measurement,
                process: server.process,
                cpu_seconds: cpu::seconds(server.pid) - cpu_before,
                of_seconds: elapsed,
                requests: tally.answers(),
            });
        }
        eprintln!();
    }
    let [by_api, by_constant] = rates;
    let unit = "answers per second";
    let comparison = Comparison::at_least(question.name, 0.85);
    findings.ratios.push(
        comparison.of(
            Side::of(question.numerator, unit, by_api),
            Side::of("the same bytes as a constant", unit, by_constant),
        ),
    );
    Ok(())
}

async fn load(settings: &Settings, server: &mut Server, time_max: Duration) -> anyhow::Result<Tally> {
    let requests = std::mem::take(&mut server.requests);
    let (address, connections) = (server.address, settings.connections);
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
