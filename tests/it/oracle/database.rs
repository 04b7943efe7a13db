//! The real thing: operations as calls of the SQL functions, and the state of the tables in the lines of the oracle.

use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::model::{Settled, World};
use super::program::{Op, POISON, PRODUCTS, Request, Step, USERS};
use crate::harness::Stack;

/// Numbers out of ids, messages as text, and a trigger that stands for any defect.
const PREPARE: &str = "
    create function public.number(id uuid) returns bigint language sql immutable
    return right(id::text, 12)::bigint;
    create function public.message(message jsonb) returns text language sql immutable
    return case when message ->> 'order_id' ~* '^0190abcd-0000-7000-8000-[0-9]{12}$'
        then 'order ' || public.number((message ->> 'order_id')::uuid) else coalesce(message::text, 'null') end;
    create table public.defects (order_id uuid primary key, defect text);
    create function public.raise_defect() returns trigger language plpgsql as $$
    declare
        v_defect text;
    begin
        select d.defect into v_defect from public.defects d where d.order_id = new.order_id;
        if v_defect is null or (v_defect <> 'OfEverything' and new.failure_reason = 'dead_lettered') then
            return new;
        end if;
        raise exception 'a defect' using errcode = case v_defect when 'Passing' then '40001' else 'P0001' end;
    end
    $$;
    create trigger defect before update on flashsale.orders for each row execute function public.raise_defect();";

/// In PL/pgSQL, which plans a query once: it is asked after every step.
const STATE: &str = "
    create function public.state() returns setof text language plpgsql as $$
    begin
    return query
    select 'settled in all: ' || concat_ws(' ', coalesce(sum(messages), 0), coalesce(sum(succeeded), 0),
        coalesce(sum(failed), 0), coalesce(sum(duplicates), 0), coalesce(sum(dead_lettered), 0))
    from flashsale.settled_batches
    union all
    select format('sale %s of product %s: %s %s units, %s sold, %s live',
        public.number(s.flash_sale_id), public.number(s.product_id),
        case when clock_timestamp() < s.start_date then 'upcoming'
            when clock_timestamp() < s.end_date then 'open' else 'ended' end,
        s.quantity, s.sold, coalesce(i.live::text, '-'))
    from flashsale.flash_sales s left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    union all
    select format('settlements of sale %s: %s succeeded, %s failed',
        public.number(flash_sale_id), sum(succeeded), sum(failed))
    from flashsale.sale_settlements group by flash_sale_id
    union all
    select concat_ws(' ', 'order ' || public.number(order_id) || ':', status, failure_reason) from flashsale.orders
    union all
    select format('queue %s: %s%s', row_number() over (order by msg_id), public.message(message),
        case when vt > clock_timestamp() + interval '1 minute' then ' (hidden)' end)
    from pgmq.q_purchases
    union all
    select format('dead: %s: %s: %s', message ->> 'reason', public.message(message -> 'message'), count(*))
    from pgmq.q_purchases_dead group by message ->> 'reason', public.message(message -> 'message');
    end
    $$;";

/// A session on the database.
pub struct Database {
    client: Client,
}

impl Database {
    pub async fn prepare(stack: &Stack) -> Self {
        let database = Self::connect(stack).await;
        for sql in [PREPARE, STATE] {
            database.client.batch_execute(sql).await.expect("prepare the database");
        }
        database
    }

    /// Nothing here needs to survive a crash.
    pub async fn connect(stack: &Stack) -> Self {
        let client = stack.database().await;
        client.batch_execute("set synchronous_commit = off").await.expect("a session");
        Self { client }
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Users and products, and nothing else.
    pub async fn start_anew(&self) {
        let sql = format!(
            "delete from flashsale.orders; delete from flashsale.flash_sales; delete from flashsale.products;
             delete from flashsale.users; delete from flashsale.sale_settlements; delete from flashsale.settled_batches;
             delete from pgmq.q_purchases; delete from pgmq.q_purchases_dead; delete from public.defects;
             insert into flashsale.users (user_id, email, password)
             select ('0190abcd-0000-7000-b000-' || lpad(n::text, 12, '0'))::uuid, n || '@example.org', '$argon2id$none'
             from generate_series(0, {USERS} - 1) n;
             insert into flashsale.products (product_id, name, price_in_cent, quantity)
             select ('0190abcd-0000-7000-a000-' || lpad(n::text, 12, '0'))::uuid, 'product ' || n, 100, 1000
             from generate_series(0, {PRODUCTS} - 1) n;"
        );
        self.client.batch_execute(&sql).await.expect("empty the database");
    }

    /// Does one step as `World::apply` does; the world as it was before resolves what the operation picks.
    pub async fn step(&self, step: &Step, before: &World) -> Vec<String> {
        match step.rolled_back {
            true => self.in_transaction(step, before).await,
            false => self.answer(&step.op, before).await,
        }
    }

    /// Keeps the locks of the step for two more round trips, which is when other sessions meet them.
    pub async fn in_transaction(&self, step: &Step, before: &World) -> Vec<String> {
        self.client.batch_execute("begin").await.expect("begin");
        let answer = self.answer(&step.op, before).await;
        let end = if step.rolled_back { "rollback" } else { "commit" };
        self.client.batch_execute(end).await.expect(end);
        answer
    }

    async fn answer(&self, op: &Op, before: &World) -> Vec<String> {
        match self.lines(&statement(op, before)).await {
            Ok(lines) => lines,
            Err(error) => match error.as_db_error() {
                Some(error) => vec![format!("refused: {}", error.constraint().unwrap_or_else(|| error.message()))],
                None => vec![format!("refused: {error}")],
            },
        }
    }

    /// Settles until there is nothing to settle.
    pub async fn drain(&self) -> Result<Settled, String> {
        let mut sum = Settled::default();
        loop {
            let op = Op::Settle { at_most: 1000, singly: false };
            let answer = self.answer(&op, &World::default()).await.concat();
            let settled = settled(&answer).ok_or(answer)?;
            if settled.messages == 0 {
                return Ok(sum);
            }
            sum.add(settled);
        }
    }

    pub async fn state(&self) -> Vec<String> {
        self.lines("select * from public.state()").await.expect("the state of the tables")
    }

    /// The columns of each row with a space between them.
    async fn lines(&self, sql: &str) -> Result<Vec<String>, Error> {
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let columns = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|column| row.get(column).unwrap_or("-").to_owned()).collect::<Vec<_>>().join(" ")
        };
        Ok(rows.map(columns).collect())
    }
}

/// The answer of a settle function, unless it was refused.
pub fn settled(answer: &str) -> Option<Settled> {
    let numbers: Vec<i64> = answer.split(' ').map_while(|number| number.parse().ok()).collect();
    let [messages, succeeded, failed, duplicates, dead_lettered] = numbers[..] else { return None };
    Some(Settled { messages, succeeded, failed, duplicates, dead_lettered })
}

fn statement(op: &Op, before: &World) -> String {
    match op {
        Op::Open { product, units, has_intake } => {
            let sale = sale(before.sales_ever);
            let create = create(*product, *units, before, "0", "1 hour");
            match has_intake {
                true => create,
                false => format!("{create}; delete from flashsale.sale_intakes where flash_sale_id = {sale}"),
            }
        }
        Op::Announce { product, units } => create(*product, *units, before, "1 day", "2 days"),
        Op::Place { product, requests } => place(*product, requests),
        Op::SetQuantity { sale: number, units } => format!(
            "select case when flashsale.update_sale({}, null, null, null, {units}, null, null)
                 then 'done' else 'sale_not_found' end",
            sale(*number)
        ),
        Op::End { sale: number } => format!("select flashsale.end_sale({})", sale(*number)),
        Op::Delete { sale: number } => format!(
            "with gone as (delete from flashsale.flash_sales where flash_sale_id = {} returning 1)
             select case when exists (select from gone) then 'deleted' else 'sale_not_found' end",
            sale(*number)
        ),
        Op::SetDisabled { user: number, disabled } => format!(
            "update flashsale.users set disabled_at = case when {disabled} then clock_timestamp() end
             where user_id = {}; select 'done'",
            user(*number)
        ),
        Op::Deliver { order: which } => {
            let id = order(before.pick(*which));
            format!("select 'done' from pgmq.send('purchases', jsonb_build_object('order_id', upper({id}::text)))")
        }
        Op::Poison { which } => format!("select 'done' from pgmq.send('purchases', '{}'::jsonb)", POISON[*which]),
        Op::Hide { messages } => {
            format!("do 'begin perform pgmq.read(''purchases'', 600, {messages}); end'; select 'done'")
        }
        Op::Reveal => "update pgmq.q_purchases set vt = clock_timestamp(); select 'done'".to_owned(),
        Op::Break { order: which, defect } => format!(
            "insert into public.defects values ({}, '{defect:?}')
             on conflict (order_id) do update set defect = excluded.defect; select 'done'",
            order(before.pick(*which))
        ),
        Op::Repair => "delete from public.defects; select 'done'".to_owned(),
        Op::Settle { at_most, singly } => format!(
            "select messages, succeeded, failed, duplicates, dead_lettered from flashsale.settle_orders{}({at_most})",
            if *singly { "_singly" } else { "" }
        ),
    }
}

fn create(product: u8, units: u32, before: &World, starts_in: &str, ends_in: &str) -> String {
    format!(
        "select 'done' from flashsale.create_sale({}, {}, null, null, null, {units},
             clock_timestamp() + interval '{starts_in}', clock_timestamp() + interval '{ends_in}')",
        sale(before.sales_ever),
        id('a', u64::from(product))
    )
}

fn place(product: u8, requests: &[Request]) -> String {
    let list = |of: &dyn Fn(&Request) -> String| requests.iter().map(of).collect::<Vec<_>>().join(", ");
    format!(
        "select p.outcome, coalesce(public.number(p.order_id)::text, '-')
         from flashsale.place_orders({}, array[{}], array[{}], array_fill('none'::text, array[{}]), array[{}]::text[]) p
         order by p.ordinal",
        id('a', u64::from(product)),
        list(&|request| order(request.order(product))),
        list(&|request| user(request.user)),
        requests.len(),
        list(&|request| request.key.map_or("null".to_owned(), |key| format!("'key {key}'"))),
    )
}

fn order(number: u64) -> String {
    id('8', number)
}

fn sale(number: u8) -> String {
    id('9', u64::from(number))
}

fn user(number: u8) -> String {
    id('b', u64::from(number))
}

/// What kind of thing it is in one digit, and its number.
fn id(kind: char, number: u64) -> String {
    format!("'0190abcd-0000-7000-{kind}000-{number:012}'::uuid")
}
