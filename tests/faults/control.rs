//! The control: promises are broken on purpose, by changing the product's own SQL after `migrate`, and the checker has to
//! notice each. A control run that is green means that the harness is blind.

use std::process::ExitCode;

use crate::campaign::{print_violations, run_one};
use crate::catalogue;

struct Sabotage {
    name: &'static str,
    /// The fault that brings it to light.
    fault: &'static str,
    sql: &'static str,
    /// How a violation begins that it must bring about: another of the same invariant might come of a product that just
    /// does not work any more.
    finds: &'static str,
}

/// Each replaces a piece of a function's text; that it was found is checked, or nothing would be broken.
const SABOTAGES: &[Sabotage] = &[
    Sabotage {
        name: "a worker deletes messages without settling their orders",
        fault: "none",
        sql: "create or replace function flashsale.settle_messages(p_messages pgmq.message_record[])
              returns table (messages integer, succeeded integer, failed integer, duplicates integer,
                             dead_lettered integer)
              language sql as 'select cardinality(p_messages), 0, 0, 0, 0'",
        finds: "3 user",
    },
    Sabotage {
        name: "a user may have two orders of a product",
        fault: "none",
        sql: "drop index flashsale.one_order_per_user_and_product;
              do $$
              declare v_before text := pg_get_functiondef('flashsale.place_orders'::regproc);
              declare v_after text := replace(v_before, 'and o.user_id = r.user_id and o.failure_reason is null offset 0
            ) and not exists', 'and false offset 0
            ) and not exists');
              begin
                  if v_before = v_after then raise 'place_orders has changed'; end if;
                  execute v_after;
              end $$",
        finds: "2 one order",
    },
    Sabotage {
        name: "more orders are admitted and settled than there are units",
        fault: "none",
        sql: "alter table flashsale.flash_sales drop constraint no_oversell;
              create or replace function flashsale.free_units(p_flash_sale_id uuid) returns integer
              language sql as 'select 1000000';
              do $$
              declare v_before text := pg_get_functiondef('flashsale.settle_messages'::regproc);
              declare v_after text := replace(v_before, '<= s.quantity - s.sold', '> 0');
              begin
                  if v_before = v_after then raise 'settle_messages has changed'; end if;
                  execute v_after;
              end $$",
        finds: "1 no oversell",
    },
    Sabotage {
        name: "an order takes two places of the intake, so that units stay unsold",
        fault: "none",
        sql: "do $$
              declare v_before text := pg_get_functiondef('flashsale.place_orders'::regproc);
              declare v_after text :=
                  replace(v_before, 'i.live + cardinality(v_messages)', 'i.live + 2 * cardinality(v_messages)');
              begin
                  if v_before = v_after then raise 'place_orders has changed'; end if;
                  execute v_after;
              end $$",
        finds: "9 sale",
    },
    Sabotage {
        name: "a worker deletes messages in a transaction of their own, before it settles their orders",
        fault: "worker-failpoints",
        sql: "create extension dblink schema public;
              create role saboteur superuser login password 'saboteur';
              alter function flashsale.take_messages(integer) rename to take_messages_at_once;
              create function flashsale.take_messages(p_batch_max integer) returns pgmq.message_record[]
              language sql as $$
                  select t.messages::pgmq.message_record[] from public.dblink(
                      format('host=127.0.0.1 port=%s dbname=%s user=saboteur password=saboteur',
                          inet_server_port(), current_database()),
                      format('select flashsale.take_messages_at_once(%s)::text', p_batch_max)
                  ) t (messages text)
              $$",
        finds: "5 orders in progress",
    },
    Sabotage {
        name: "orders are not in the log of transactions",
        fault: "disk-full",
        sql: "alter table flashsale.orders set unlogged",
        finds: "3 user",
    },
    Sabotage {
        name: "windows are judged by a clock that goes the other way when it is set",
        fault: "clock-database",
        sql: "do $$
              declare v_before text := pg_get_functiondef('flashsale.place_orders'::regproc);
              declare v_after text := replace(v_before, ':= clock_timestamp()',
                  ':= pg_postmaster_start_time() - (clock_timestamp() - pg_postmaster_start_time())');
              begin
                  if v_before = v_after then raise 'place_orders has changed'; end if;
                  execute v_after;
              end $$",
        finds: "7 ",
    },
    Sabotage {
        name: "nobody hears that a session has ended",
        fault: "logged-out",
        sql:
            "create or replace function flashsale.end_session(p_session_id uuid, p_expires_at timestamptz) returns void
              language sql as ''",
        finds: "strangers must be refused: a token of an ended session",
    },
    Sabotage {
        name: "a user who exists is told apart from one who does not",
        fault: "guessing",
        sql: "do $$
              declare v_before text := pg_get_functiondef('flashsale.find_user_by_email'::regproc);
              declare v_after text := replace(v_before, 'u.password, u', '(1 / (0 * length(u.email)))::text, u');
              begin
                  if v_before = v_after then raise 'find_user_by_email has changed'; end if;
                  execute v_after;
              end $$",
        finds: "strangers must be refused: Guess",
    },
    Sabotage {
        name: "units are given out that an administrator has taken away",
        fault: "lowered-quantity",
        sql: "alter table flashsale.flash_sales drop constraint no_oversell;
              do $$
              declare v_before text := pg_get_functiondef('flashsale.settle_messages'::regproc);
              declare v_after text := replace(v_before, '<= s.quantity - s.sold', '> 0');
              begin
                  if v_before = v_after then raise 'settle_messages has changed'; end if;
                  execute v_after;
              end $$",
        finds: "1 no oversell",
    },
    Sabotage {
        name: "some are told that all is sold out whose order was placed",
        fault: "none",
        sql: "do $$
              declare v_before text := pg_get_functiondef('flashsale.place_orders'::regproc);
              declare v_after text := replace(v_before, 'select r.ordinal::integer, ''in_progress'', r.order_id',
                  'select r.ordinal::integer, case when random() < 0.1 then ''sold_out'' else ''in_progress'' end,
                          r.order_id');
              begin
                  if v_before = v_after then raise 'place_orders has changed'; end if;
                  execute v_after;
              end $$",
        finds: "4 order",
    },
    Sabotage {
        name: "a key is forgotten at once",
        fault: "none",
        sql: "do $$
              declare v_before text := pg_get_functiondef('flashsale.claim_idempotency_keys'::regproc);
              declare v_after text := replace(v_before, '24 hours', '0 s');
              begin
                  if v_before = v_after then raise 'claim_idempotency_keys has changed'; end if;
                  execute v_after;
              end $$;
              do $$
              declare v_before text := pg_get_functiondef('flashsale.place_orders'::regproc);
              declare v_after text := replace(v_before, 'when live.idempotency_key = r.idempotency_key', 'when false');
              begin
                  if v_before = v_after then raise 'place_orders has changed'; end if;
                  execute v_after;
              end $$",
        finds: "6 a key",
    },
    Sabotage {
        name: "the reconciler finds no order and takes the tokens of all",
        fault: "none",
        sql: "create or replace function flashsale.live_orders(p_product_id uuid, p_flash_sale_id uuid)
              returns table (user_id uuid, order_id uuid)
              language sql as 'select null::uuid, null::uuid where false'",
        finds: "8 gate",
    },
    Sabotage {
        name: "failed orders go on counting as live",
        fault: "lowered-quantity",
        sql: "create or replace function flashsale.note_failed(p_orders flashsale.orders[]) returns void
              language sql as ''",
        finds: "1 the intake",
    },
];

pub fn run(seed: u64) -> ExitCode {
    let mut blind = 0;
    let mut skipped = 0;
    for sabotage in SABOTAGES {
        let fault = catalogue::find(sabotage.fault).expect("a fault that is listed");
        let outcome = run_one(fault, seed, true, &[("SABOTAGE_SQL", sabotage.sql)]);
        if let Some(reason) = &outcome.skipped {
            skipped += 1;
            println!("SKIPPED  {}: {reason}", sabotage.name);
            continue;
        }
        let violations = &outcome.verdict.violations;
        let caught = violations.iter().filter(|line| line.starts_with(sabotage.finds)).count();
        if caught > 0 {
            println!("caught   {}: {:?}, {caught} times", sabotage.name, sabotage.finds);
        } else {
            blind += 1;
            println!("MISSED   {}: nothing begins with {:?}", sabotage.name, sabotage.finds);
            print_violations(&outcome, true);
        }
    }
    let note = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{} passed, {blind} failed{note}", SABOTAGES.len() - blind - skipped);
    if blind == 0 && skipped < SABOTAGES.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
