//! The engine's answers as constants: recorded once, given by a plain server.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;

use super::process::Process;
use super::shop_window::{audit_sold_out, wait_until_on_sale};
use super::testbed::Testbed;
use crate::baseline::constant::{Recorded, Recording};
use crate::books::{self, Sale};
use crate::client::{self, Exchanged};

const PATIENCE: Duration = Duration::from_secs(10);

/// What the engine said when the one unit of a sale was sold to the first of the users, and afterwards.
pub struct Answers {
    pub sale: Sale,
    /// To the user who got the unit.
    pub accepted: Exchanged,
    /// To the last of the users, who came too late.
    pub refusal: Exchanged,
    /// To `GET /sales`.
    pub sales: Exchanged,
}

impl Answers {
    pub async fn record(testbed: &Testbed, tokens: &[String]) -> anyhow::Result<Self> {
        let (api, database) = (testbed.api_address, &testbed.client);
        let (buyer, late) = tokens.first().zip(tokens.last()).context("no user to ask as")?;
        let sale = books::open_sale(database, 1).await?;
        wait_until_on_sale(api, sale).await?;
        let accepted = client::exchange(api, &purchase(api, sale, buyer), 200)?;
        books::wait_until_settled(database, sale, 1, PATIENCE).await?;
        if let Some(wrong) = audit_sold_out(api, sale).await? {
            anyhow::bail!(wrong);
        }
        let refusal = client::exchange(api, &purchase(api, sale, late), 400)?;
        let sales = client::exchange(api, &client::get(&api.to_string(), "/sales"), 200)?;
        Ok(Self { sale, accepted, refusal, sales })
    }

    /// Starts a plain server that answers every purchase with `purchase` and every look with the recorded sales.
    pub async fn serve(&self, testbed: &Testbed, purchase: &Exchanged) -> anyhow::Result<(Process, SocketAddr)> {
        let recording = Recording { purchase: Recorded::of(purchase)?, sales: Recorded::of(&self.sales)? };
        let file = testbed.dir().join("recorded.json");
        std::fs::write(&file, serde_json::to_vec(&recording)?)?;
        testbed.start_plain("serve-constant", &["--recorded", &file.to_string_lossy()]).await
    }
}

/// The request of one user for one unit.
pub fn purchase(server: SocketAddr, sale: Sale, token: &str) -> Vec<u8> {
    let body = format!(r#"{{"product_id":"{}"}}"#, sale.product_id);
    client::post(&server.to_string(), "/orders", Some(token), &body)
}
