//! Every ratio with the bound it should keep: the table of bench/README.md, in one place.

use super::ratio::Goal;

pub const BUY_PGBENCH: Goal = Goal::at_least("buy/pgbench", 0.65);
pub const BUY_NAIVE: Goal = Goal::at_least("buy/naive", 15.0);
pub const REFUSE: Goal = Goal::at_least("refuse/constant", 0.93);
pub const LOOK: Goal = Goal::at_least("look/constant", 0.95);
pub const HERD: Goal = Goal::at_most("herd/buy", 1.5);
pub const LATENCY: Goal = Goal::at_most("p99_accepted/p99_constant", 6.0);
pub const SETTLE_INSERT: Goal = Goal::at_least("settle/insert", 0.7);
pub const SETTLE_LARGE: Goal = Goal::at_most("settle_large/settle_small", 1.2);
pub const SETTLE_DEEP: Goal = Goal::at_most("settle_deep/settle_shallow", 1.2);
pub const OPEN_TRANSACTION: Goal = Goal::at_least("dba_transaction_open/without", 0.8);
pub const BUY_DURING_SIGN_INS: Goal = Goal::at_least("buy_during_sign_ins/without", 0.5);
pub const SIGN_INS: Goal = Goal::at_least("sign_ins/argon2", 0.9);
pub const TWO_AND_TWO: Goal = Goal::at_least("two_and_two/one_and_one", 0.9);
pub const MEMORY_PER_STREAM: Goal = Goal::at_most("memory_per_stream_kb", 12.0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ratio::Direction;

    const ALL: [Goal; 14] = [
        BUY_PGBENCH,
        BUY_NAIVE,
        REFUSE,
        LOOK,
        HERD,
        LATENCY,
        SETTLE_INSERT,
        SETTLE_LARGE,
        SETTLE_DEEP,
        OPEN_TRANSACTION,
        BUY_DURING_SIGN_INS,
        SIGN_INS,
        TWO_AND_TWO,
        MEMORY_PER_STREAM,
    ];

    #[test]
    fn the_readme_shows_every_goal_with_its_bound() {
        let rows: Vec<_> = include_str!("../../../README.md").lines().filter(|line| line.starts_with("| `")).collect();
        for goal in ALL {
            let row = rows.iter().find(|row| row.starts_with(&format!("| `{}`", goal.name)));
            let sign = if goal.direction == Direction::AtLeast { "≥" } else { "≤" };
            let bound = format!("| {sign} {} |", goal.bound);
            assert!(row.is_some_and(|row| row.ends_with(&bound)), "{} {bound}: {row:?}", goal.name);
        }
    }
}
