//! Which driver should the hot path use? Calls `flashsale.place_orders` through a pool of tokio-postgres and through a
//! pool of sqlx, alternately, with batches of 1 and of 100, and prints purchases per second as medians of five rounds.
//!
//! usage: DATABASE_URL=… cargo run -p flashsale-drivers-prototype      (a database that `flashsale migrate` has installed)

use std::time::{Duration, Instant};

use anyhow::Context;
use uuid::Uuid;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const USERS_MAX: i32 = 400_000;
const CALL: &str = "select outcome, order_id from flashsale.place_orders($1, $2, $3, $4, $5)";
const SALE: &str = "select flashsale.create_sale($1, $2, 'drivers', '', 1, 10000000, now() - interval '1 hour', \
                    now() + interval '1 hour')";
const USERS: &str = "insert into flashsale.users (user_id, email, password) \
    select md5('drivers ' || i)::uuid, 'drivers-' || i || '@example.org', '$argon2id$none' \
    from generate_series(1, $1) i on conflict do nothing";

#[derive(Clone)]
enum Pool {
    TokioPostgres(deadpool_postgres::Pool),
    Sqlx(sqlx::PgPool),
}

impl Pool {
    const fn name(&self) -> &'static str {
        match self {
            Self::TokioPostgres(_) => "tokio-postgres",
            Self::Sqlx(_) => "sqlx",
        }
    }

    async fn place(&self, product: Uuid, users: &[Uuid]) -> anyhow::Result<usize> {
        let orders: Vec<Uuid> = users.iter().map(|_| Uuid::now_v7()).collect();
        let tokens = vec!["none"; users.len()];
        let keys: Vec<Option<&str>> = vec![None; users.len()];
        match self {
            Self::TokioPostgres(pool) => {
                let connection = pool.get().await?;
                let statement = connection.prepare_cached(CALL).await?;
                Ok(connection.query(&statement, &[&product, &orders, &users, &tokens, &keys]).await?.len())
            }
            Self::Sqlx(pool) => {
                let call = sqlx::query(CALL).bind(product).bind(orders).bind(users).bind(tokens).bind(keys);
                Ok(call.fetch_all(pool).await?.len())
            }
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var_os("DATABASE_URL").context("DATABASE_URL is missing")?;
    let url = url.to_string_lossy().into_owned();
    let sqlx = sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS as u32).connect(&url).await?;
    let manager = deadpool_postgres::Manager::new(url.parse()?, tokio_postgres::NoTls);
    let deadpool = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS).build()?;
    sqlx::query(USERS).bind(USERS_MAX).execute(&sqlx).await?;
    let users: Vec<Uuid> =
        sqlx::query_scalar("select user_id from flashsale.users where email like 'drivers-%' limit $1")
            .bind(i64::from(USERS_MAX))
            .fetch_all(&sqlx)
            .await?;
    let pools = [Pool::TokioPostgres(deadpool), Pool::Sqlx(sqlx.clone())];
    for batch in [1, 100] {
        let mut rates: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (pool, rates) in pools.iter().zip(&mut rates) {
                let product = Uuid::now_v7();
                sqlx::query(SALE).bind(Uuid::now_v7()).bind(product).execute(&sqlx).await?;
                rates.push(round(pool, product, &users, batch).await?);
            }
        }
        for (pool, rates) in pools.iter().zip(&mut rates) {
            rates.sort_by(f64::total_cmp);
            println!(
                "batch {batch:>3}  {:14} {:>8.0} purchases/s  ({:.0} to {:.0})",
                pool.name(),
                rates[ROUNDS / 2],
                rates[0],
                rates[ROUNDS - 1]
            );
        }
    }
    Ok(())
}

/// One round: as many calls at once as there are connections, each with users of its own; purchases per second.
async fn round(pool: &Pool, product: Uuid, users: &[Uuid], batch: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    let share = users.len() / CONNECTIONS;
    let mut callers = tokio::task::JoinSet::new();
    for users in users.chunks(share).take(CONNECTIONS) {
        let (pool, users) = (pool.clone(), users.to_vec());
        callers.spawn(async move {
            let mut placed = 0;
            for users in users.chunks(batch) {
                if started.elapsed() > ROUND {
                    break;
                }
                placed += pool.place(product, users).await?;
            }
            anyhow::Ok(placed)
        });
    }
    let mut placed = 0;
    while let Some(caller) = callers.join_next().await {
        placed += caller??;
    }
    Ok(placed as f64 / started.elapsed().as_secs_f64())
}
