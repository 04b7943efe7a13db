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
    /// The invariant that must be found broken, by its number.
    invariant: &'static str,
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
        invariant: "3",
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
        invariant: "2",
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
        invariant: "1",
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
        invariant: "9",
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
        invariant: "5",
    },
    Sabotage {
        name: "orders are not in the log of transactions",
        fault: "disk-full",
        sql: "alter table flashsale.orders set unlogged",
        invariant: "3",
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
        invariant: "7",
    },
    Sabotage {
        name: "nobody hears that a session has ended",
        fault: "logged-out",
        sql:
            "create or replace function flashsale.end_session(p_session_id uuid, p_expires_at timestamptz) returns void
              language sql as ''",
        invariant: "strangers",
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
        invariant: "strangers",
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
        invariant: "1",
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
        let caught = violations.iter().filter(|line| line.split(' ').next() == Some(sabotage.invariant)).count();
        if caught > 0 {
            println!("caught   {}: invariant {}, {caught} times", sabotage.name, sabotage.invariant);
        } else {
            blind += 1;
            println!("MISSED   {}: invariant {} was not found broken", sabotage.name, sabotage.invariant);
            print_violations(&outcome, true);
        }
    }
    let note = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{} passed, {blind} failed{note}", SABOTAGES.len() - blind - skipped);
    if blind == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
