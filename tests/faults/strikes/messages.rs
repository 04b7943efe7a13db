//! Messages no API sent: copies of others, poison, and messages about orders, users and sales that nobody knows.

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::record::Record;
use crate::world::World;

pub async fn send_bad_messages(world: &mut World) {
    let database = world.stack.database().await;
    for (from, to) in [(0.05, 0.2), (0.3, 0.5), (0.6, 0.9)] {
        world.moment(from, to).await;
        let copies = send_copies(&database).await;
        let poison = poison(world.sales.main.product_id, world.sales.main.flash_sale_id);
        let what = format!("{copies} copies of messages and {} poisonous ones", poison.len());
        world.recorder.strike(what, copies > 0);
        for message in &poison {
            database.execute("select pgmq.send('purchases', $1)", &[message]).await.expect("send poison");
        }
        let messages = i64::try_from(poison.len()).expect("a number of messages");
        world.recorder.write(&Record::Poison { messages });
        world.healed();
    }
}

/// Delivers again what is queued, and orders of any state, each twice.
async fn send_copies(database: &Client) -> u64 {
    let queued = "select pgmq.send('purchases', m.message) from (select message from pgmq.q_purchases limit 50) m";
    let known = "select pgmq.send('purchases', jsonb_build_object('order_id', o.order_id, 'user_id', o.user_id,
                     'product_id', o.product_id, 'flash_sale_id', o.flash_sale_id))
                 from (select * from flashsale.orders order by random() limit 25) o, generate_series(1, 2)";
    let mut copies = 0;
    for statement in [queued, known] {
        copies += database.execute(statement, &[]).await.expect("send copies");
    }
    copies
}

fn poison(product_id: Uuid, flash_sale_id: Uuid) -> Vec<Value> {
    let order = |product_id: Uuid, flash_sale_id: Uuid| {
        json!({
            "order_id": Uuid::now_v7(), "user_id": Uuid::new_v4(),
            "product_id": product_id, "flash_sale_id": flash_sale_id,
        })
    };
    vec![
        order(product_id, flash_sale_id),
        order(Uuid::new_v4(), Uuid::new_v4()),
        json!({}),
        json!("x"),
        json!(null),
        json!([]),
        json!(42),
        json!({ "order_id": "not-a-uuid" }),
        json!({ "order_id": null, "flash_sale_id": "x" }),
    ]
}
