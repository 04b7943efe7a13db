//! What an API shows of a sale: awaited before a measurement, audited after it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::books::Sale;
use crate::client;

const PATIENCE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until an API sells what the database offers.
pub async fn wait_until_on_sale(api: SocketAddr, sale: Sale) -> anyhow::Result<()> {
    expect(wait_for(api, sale, "active", sale.quantity).await?)
}

/// Waits until an API knows of a sale that begins later.
pub async fn wait_until_upcoming(api: SocketAddr, sale: Sale) -> anyhow::Result<()> {
    expect(wait_for(api, sale, "upcoming", sale.quantity).await?)
}

/// What is wrong with an API's view of a sale that is sold out in the database.
pub async fn audit_sold_out(api: SocketAddr, sale: Sale) -> anyhow::Result<Option<String>> {
    let shown = wait_for(api, sale, "active", 0).await?;
    Ok(shown.map(|shown| format!("the API does not see that the sale is sold out: {shown}")))
}

fn expect(shown: Option<String>) -> anyhow::Result<()> {
    let complain = |shown| anyhow::anyhow!("the API does not show a sale that is in the database: {shown}");
    shown.map_or(Ok(()), |shown| Err(complain(shown)))
}

/// Waits a few seconds until `GET /sales` shows this status and stock; otherwise answers what it shows.
async fn wait_for(api: SocketAddr, sale: Sale, status: &str, stock: i32) -> anyhow::Result<Option<String>> {
    let request = client::get(&api.to_string(), &format!("/sales?product_id={}", sale.product_id));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client::exchange(api, &request, 200)?;
        let listed = &answer.json()?["sales"][0];
        if listed["status"] == status && listed["remaining_stock"] == stock {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Ok(Some(answer.text()));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
