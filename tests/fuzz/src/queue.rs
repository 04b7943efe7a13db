//! A real PostgreSQL with a sale in it, for messages that no API has sent. The server ends with this process, however that
//! ends.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use flashsale::app::settle_orders::settle_once;
use flashsale::config::deadlines;
use flashsale::db::{Database, migrate};
use flashsale::embedded::EmbeddedPostgres;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Messages settled by one call.
const BATCH_MAX: i32 = 100;
/// Orders with this token cannot be changed: an error in the middle of settling.
const POISON: &str = "poison";

/// What a sale needs, without the day-to-day waiting for the disk; and a trigger for orders that cannot be settled.
const SET_UP: &str = "
    set synchronous_commit = off;
    alter database flashsale set synchronous_commit = off;
    create function public.refuse_poison() returns trigger language plpgsql as
        $$ begin raise 'this order cannot be changed'; end $$;
    create trigger poison before update on flashsale.orders for each row
        when (old.reserved_token = 'poison') execute function public.refuse_poison();
    select flashsale.create_sale(gen_random_uuid(), gen_random_uuid(), 'lamp', '', 1, 10000000,
        now() - interval '1 day', now() + interval '1 day');
    insert into flashsale.users (user_id, email, password)
    select id, id || '@example.org', '$argon2id$' from (select gen_random_uuid() as id from generate_series(1, 100)) u;
";

/// Statements that return no row while the books hold, with their names.
const BOOKS: [(&str, &str); 4] = [
    ("the queue is empty", "select message::text from pgmq.q_purchases"),
    (
        "units sold are orders that succeeded, live ones have their place",
        "select concat_ws(' ', s.sold, i.live, o.won, o.live)
         from flashsale.flash_sales s
         join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
         cross join lateral (
             select count(*) filter (where status = 'success') as won, count(*) filter (where status <> 'failed') as live
             from flashsale.orders o where o.flash_sale_id = s.flash_sale_id
         ) o
         where s.sold <> o.won or i.live <> o.live",
    ),
    (
        "what is in progress is what cannot be changed, and is set aside",
        "select o.order_id::text from flashsale.orders o
         where (o.status = 'in_progress') <> (o.reserved_token = 'poison')",
    ),
    (
        "nothing is set aside twice",
        "select d.message ->> 'msg_id' from pgmq.q_purchases_dead d group by 1 having count(*) > 1",
    ),
];

/// The queue and what is known of it.
pub struct Queue {
    runtime: Runtime,
    client: Client,
    worker: Database,
    _postgres: EmbeddedPostgres,
}

/// A message on the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent(i64);

impl Queue {
    pub fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("flashsale-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("create a directory for PostgreSQL");
        end_with_us(&directory);
        let postgres = EmbeddedPostgres::start(&directory.join("postgres")).expect("start PostgreSQL");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            migrate::migrate(postgres.url()).await.expect("migrate");
            let (client, connection) = tokio_postgres::connect(postgres.url(), NoTls).await.expect("connect");
            tokio::spawn(connection);
            client.batch_execute(SET_UP).await.expect("set up a sale");
            client
        });
        let worker = Database::new(postgres.url(), 1, "fuzz worker", deadlines::SETTLE_STATEMENT).expect("a database");
        Self { runtime, client, worker, _postgres: postgres }
    }

    /// Empties the tables of orders and messages: every batch is a case of its own.
    pub fn forget(&self) {
        // Not `truncate`, which makes new files each time.
        let sql = "delete from flashsale.orders; delete from pgmq.q_purchases; delete from pgmq.q_purchases_dead;
            update flashsale.flash_sales set sold = 0; update flashsale.sale_intakes set live = 0";
        self.runtime.block_on(self.client.batch_execute(sql)).expect("forget");
    }

    /// Places orders as the API does, each of another user; answers their ids. One that is `true` cannot be settled.
    pub fn place_orders(&self, orders: &[bool]) -> Vec<Uuid> {
        let ids: Vec<Uuid> = orders.iter().map(|_| Uuid::new_v4()).collect();
        let tokens: Vec<&str> = orders.iter().map(|poison| if *poison { POISON } else { "none" }).collect();
        let sql = "select p.outcome from flashsale.place_orders((select product_id from flashsale.products), $1,
            (select array_agg(user_id) from (select user_id from flashsale.users limit cardinality($1::uuid[])) u), $2,
            array_fill(null::text, array[cardinality($1::uuid[])])) p";
        let rows = self.runtime.block_on(self.client.query(sql, &[&ids, &tokens])).expect("place orders");
        assert!(rows.iter().all(|row| row.get::<_, &str>(0) == "in_progress"), "{rows:?}");
        ids
    }

    /// Sends a message that PostgreSQL takes for JSON, and answers what stands in it for the id of an order; `None` for one
    /// it does not take.
    pub fn send(&self, message: &str) -> Option<(Sent, Option<String>)> {
        let sql = "select pgmq.send('purchases', $1::text::jsonb), $1::text::jsonb ->> 'order_id'";
        let sent = self.runtime.block_on(self.client.query_one(sql, &[&message]));
        sent.ok().map(|row| (Sent(row.get(0)), row.get(1)))
    }

    /// The messages of an order.
    pub fn messages_of(&self, order: Uuid) -> Vec<Sent> {
        let sql = "select msg_id from pgmq.q_purchases where message ->> 'order_id' = $1";
        let rows = self.runtime.block_on(self.client.query(sql, &[&order.to_string()])).expect("find messages");
        rows.iter().map(|row| Sent(row.get(0))).collect()
    }

    /// Settles as a worker does until the queue is empty. An error is one that would stop the worker.
    pub fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..100 {
                let settled = settle_once(&self.worker, BATCH_MAX).await;
                if settled.unwrap_or_else(|error| panic!("the worker stopped: {error}")).messages == 0 {
                    return;
                }
            }
            panic!("the queue is never empty");
        });
    }

    /// The messages that were set aside.
    pub fn dead(&self) -> BTreeSet<Sent> {
        let sql = "select (message ->> 'msg_id')::bigint from pgmq.q_purchases_dead";
        let rows = self.runtime.block_on(self.client.query(sql, &[])).expect("find dead letters");
        rows.iter().map(|row| Sent(row.get(0))).collect()
    }

    pub fn check_books(&self) {
        for (name, sql) in BOOKS {
            let rows = self.runtime.block_on(self.client.query(sql, &[])).expect(name);
            assert!(rows.is_empty(), "not so: {name}: {:?}", rows[0].get::<_, String>(0));
        }
    }
}

/// A shell that waits for the end of this process and stops the server: libFuzzer leaves by `_exit`.
fn end_with_us(directory: &Path) {
    let script = r#"read -r _; kill -QUIT $(head -q -n 1 "$0"/postgres*/postgres*/postmaster.pid); rm -rf "$0""#;
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(directory).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Its end of the pipe is held until this process is gone.
    std::mem::forget(command.spawn().expect("start the watchdog"));
}
