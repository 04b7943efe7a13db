//! Sign-ins: what is left of purchases while they saturate the threads that hash passwords, and what is left of raw
//! argon2 when it is asked for over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordVerifier};
use flashsale::config::Config;
use serde_json::json;
use uuid::Uuid;

use super::{announce, in_turn};
use crate::client::{self, Pace};
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::surge::{Surge, Work};
use crate::run::testbed::Testbed;
use crate::run::{Run, goals};

/// Clients for each hash that may run at once: some always wait, none is shed.
const CLIENTS_PER_HASH: usize = 8;
const PASSWORD: &str = "correct horse battery";

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let tokens = run.testbed.tokens(run.settings.orders + WARM_UP_ORDERS).await?;
    let account = Account::sign_up(&run.testbed).await?;
    let time = Duration::from_secs(run.settings.sign_in_seconds);
    let (mut during, mut without) = (Vec::new(), Vec::new());
    let (mut alone, mut raw, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        for is_beside in in_turn(round, [false, true]) {
            if is_beside {
                let surge = Surge::start(account.http(run.testbed.api_address));
                let shop = Shop::engine("buy_during_sign_ins", &run.testbed);
                during.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
                beside.push(surge.stop().await?);
            } else {
                let shop = Shop::engine("without_sign_ins", &run.testbed);
                without.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
            }
        }
        for is_http in in_turn(round, [true, false]) {
            let work = if is_http { account.http(run.testbed.api_address) } else { account.argon2() };
            let surge = Surge::start(work);
            tokio::time::sleep(time).await;
            if is_http { &mut alone } else { &mut raw }.push(surge.stop().await?);
        }
        eprintln!(
            "  sign-ins {:.1?}/s, beside purchases {:.1?}/s, argon2 {:.1?}/s",
            last(&alone),
            last(&beside),
            last(&raw)
        );
    }
    run.testbed.ensure_running()?;
    let unit = "orders per second";
    run.findings.ratios.push(
        goals::BUY_DURING_SIGN_INS
            .of(Side::of("while sign-ins saturate", unit, during), Side::of("without", unit, without)),
    );
    let unit = "per second";
    run.findings.ratios.push(
        goals::SIGN_INS
            .of(Side::of("sign-ins over HTTP", unit, alone), Side::of("the same hashes by argon2", unit, raw)),
    );
    run.findings.figures.push(Side::of("sign-ins over HTTP while purchases saturate", unit, beside));
    Ok(())
}

fn last(rates: &[f64]) -> f64 {
    rates.last().copied().unwrap_or(f64::NAN)
}

/// Somebody who can sign in.
struct Account {
    email: String,
    /// As many passwords as the API hashes at once.
    hashes_in_flight_max: usize,
    /// In PHC format, with the parameters of argon2 in it.
    stored_hash: String,
}

impl Account {
    async fn sign_up(testbed: &Testbed) -> anyhow::Result<Self> {
        let email = format!("sign-in-{}@bench.invalid", Uuid::new_v4().simple());
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        let request = client::post(&testbed.api_address.to_string(), "/users", None, &body);
        client::exchange(testbed.api_address, &request, 201)?;
        let row = testbed.client.query_one("select password from flashsale.users where email = $1", &[&email]).await?;
        // The API reads the same environment.
        let hashes_in_flight_max = Config::from_env()?.bounds.password_hashes_in_flight_max;
        Ok(Self { stored_hash: row.get(0), email, hashes_in_flight_max })
    }

    /// Signing in over HTTP, by more clients than hashes run at once.
    fn http(&self, api: SocketAddr) -> Work {
        let body = json!({ "email": self.email, "password": PASSWORD }).to_string();
        let request = client::post(&api.to_string(), "/users/authenticate", None, &body);
        let once = move || client::exchange(api, &request, 200).map(drop);
        Work { threads: self.hashes_in_flight_max * CLIENTS_PER_HASH, once: Arc::new(once) }
    }

    /// The comparison that a sign-in needs, by the engine's own crate on as many threads as it may use.
    fn argon2(&self) -> Work {
        let stored_hash = self.stored_hash.clone();
        let once = move || {
            let matches = Argon2::default().verify_password(PASSWORD.as_bytes(), stored_hash.as_str());
            matches.map_err(|error| anyhow::anyhow!("the stored hash does not match its password: {error}"))
        };
        Work { threads: self.hashes_in_flight_max, once: Arc::new(once) }
    }
}
