//! Connections to PostgreSQL for preparing, watching and verifying: never for the load itself.

use anyhow::Context;
use tokio_postgres::{Client, NoTls};

/// Connects without TLS; the connection is driven by a task that ends with the client.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot connect to PostgreSQL")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("flashsale-bench: a connection to PostgreSQL broke: {error}");
        }
    });
    Ok(client)
}

/// The same server and user as `url`, another database.
pub fn sibling_url(url: &str, database: &str) -> anyhow::Result<String> {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(address, rest)| (address, Some(rest)));
    let (server, _) = address.rsplit_once('/').context("a database URL has a path")?;
    let parameters = parameters.map_or_else(String::new, |parameters| format!("?{parameters}"));
    Ok(format!("{server}/{database}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sibling_keeps_the_parameters() {
        let url = sibling_url("postgres://u:p@127.0.0.1:5432/flashsale?sslmode=disable", "other").unwrap();
        assert_eq!(url, "postgres://u:p@127.0.0.1:5432/other?sslmode=disable");
    }
}
