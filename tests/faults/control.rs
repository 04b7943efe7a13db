//! The control: promises are broken on purpose, by changing the product's own SQL after `migrate`, and the checker has to
//! notice each. A control run that is green means that the harness is blind.

use std::process::ExitCode;

use crate::campaign::{print_violations, run_one};
use crate::catalogue::FAULTS;

struct Sabotage {
    name: &'static str,
    sql: &'static str,
    /// The invariant that must be found broken, by its number.
    invariant: &'static str,
}

/// Each replaces a piece of a function's text; that it was found is checked, or nothing would be broken.
const SABOTAGES: &[Sabotage] = &[
    Sabotage {
        name: "a worker deletes messages without settling their orders",
        sql: "create or replace function flashsale.settle_messages(p_messages pgmq.message_record[])
              returns table (messages integer, succeeded integer, failed integer, duplicates integer,
                             dead_lettered integer)
              language sql as 'select cardinality(p_messages), 0, 0, 0, 0'",
        invariant: "3",
    },
    Sabotage {
        name: "a user may have two orders of a product",
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
];

pub fn run(seed: u64) -> ExitCode {
    let mut blind = 0;
    for sabotage in SABOTAGES {
        let outcome = run_one(&FAULTS[0], seed, true, &[("SABOTAGE_SQL", sabotage.sql)]);
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
    println!("{} passed, {blind} failed", SABOTAGES.len() - blind);
    if blind == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
