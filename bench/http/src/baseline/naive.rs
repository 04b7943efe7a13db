//! A sale as a plain handler would sell it: per request one transaction that locks the sale's row with an UPDATE and
//! INSERTs the order. The tables, their constraints and indexes are the engine's, so that the books can be audited alike.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use flashsale::app::sessions::Sessions;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::bearer::Bearer;
use super::listen;
use crate::tokens;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    pool_size: usize,
    #[arg(env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[arg(env = "JWT_SECRET", hide_env_values = true)]
    jwt_secret: String,
}

struct Shop {
    pool: Pool,
    sessions: Sessions,
}

#[derive(Clone)]
struct Shared(Arc<Shop>);

impl AsRef<Sessions> for Shared {
    fn as_ref(&self) -> &Sessions {
        &self.0.sessions
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purchase {
    product_id: Uuid,
}

type Answer = (StatusCode, Json<Value>);

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let manager = Manager::from_config(
        arguments.database_url.parse().context("DATABASE_URL cannot be parsed")?,
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let pool = Pool::builder(manager).max_size(arguments.pool_size).build()?;
    let shop = Shop { pool, sessions: tokens::sessions(&arguments.jwt_secret)? };
    let router = Router::new().route("/orders", post(place_order)).with_state(Shared(Arc::new(shop)));
    listen::serve(arguments.address, router).await
}

async fn place_order(
    State(Shared(shop)): State<Shared>,
    Bearer(user_id): Bearer,
    Json(purchase): Json<Purchase>,
) -> Result<Answer, Answer> {
    let unavailable = |error: &dyn std::fmt::Display| {
        eprintln!("naive: {error}");
        refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    let mut connection = shop.pool.get().await.map_err(|error| unavailable(&error))?;
    match sell(&mut connection, user_id, purchase.product_id).await {
        Ok(Some(order_id)) => {
            let order = json!({
                "order_id": order_id, "user_id": user_id, "product_id": purchase.product_id, "status": "success"
            });
            Ok((StatusCode::OK, Json(order)))
        }
        Ok(None) => Err(refusal(StatusCode::BAD_REQUEST, "sold_out")),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            Err(refusal(StatusCode::BAD_REQUEST, "already_purchased"))
        }
        Err(error) => Err(unavailable(&error)),
    }
}

/// Sells one unit; the order's id, or nothing when the sale is over or sold out.
async fn sell(
    connection: &mut deadpool_postgres::Object,
    user_id: Uuid,
    product_id: Uuid,
) -> Result<Option<Uuid>, tokio_postgres::Error> {
    let transaction = connection.transaction().await?;
    let take_unit = transaction
        .prepare_cached(
            "update flashsale.flash_sales set sold = sold + 1
             where product_id = $1 and start_date <= clock_timestamp() and clock_timestamp() < end_date
                 and sold < quantity
             returning flash_sale_id",
        )
        .await?;
    let Some(sale) = transaction.query_opt(&take_unit, &[&product_id]).await? else { return Ok(None) };
    let insert_order = transaction
        .prepare_cached(
            "insert into flashsale.orders
                 (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status)
             values ($1, $2, $3, $4, clock_timestamp(), clock_timestamp(), 'success')",
        )
        .await?;
    let order_id = Uuid::now_v7();
    let flash_sale_id: Uuid = sale.get(0);
    transaction.execute(&insert_order, &[&order_id, &product_id, &user_id, &flash_sale_id]).await?;
    transaction.commit().await?;
    Ok(Some(order_id))
}

fn refusal(status: StatusCode, code: &str) -> Answer {
    (status, Json(json!({ "status": status.as_u16(), "code": code })))
}
