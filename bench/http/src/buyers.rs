//! Users to buy as: created by SQL, because signing up costs a password hash each.

use tokio_postgres::Client;
use uuid::Uuid;

/// A hash of no password: nobody can sign in as a buyer.
const NO_PASSWORD: &str = "$argon2id$v=19$m=8,t=1,p=1$YmVuY2hiZW5jaA$none";

/// Buyers number 1 to `count`, created where they are missing. Buyer i is the user md5(i) of bench/pgbench/setup.sql.
pub async fn ensure(client: &Client, count: u32) -> anyhow::Result<Vec<Uuid>> {
    client
        .execute(
            "insert into flashsale.users (user_id, email, password)
             select md5(i::text)::uuid, 'bench' || i || '@bench.invalid', $2
             from generate_series(1, $1::bigint) i
             on conflict do nothing",
            &[&i64::from(count), &NO_PASSWORD],
        )
        .await?;
    let rows = client
        .query("select md5(i::text)::uuid from generate_series(1, $1::bigint) i order by i", &[&i64::from(count)])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
