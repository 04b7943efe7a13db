//! A ratio of two figures measured in the same run, round by round.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    AtLeast,
    AtMost,
}

/// One figure of every round, with what is in the middle and at the ends.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    pub what: &'static str,
    pub unit: &'static str,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: Vec<f64>,
}

impl Side {
    pub fn of(what: &'static str, unit: &'static str, rounds: Vec<f64>) -> Self {
        let (min, median, max) = spread(&rounds);
        Self { what, unit, median, min, max, rounds }
    }
}

/// What is compared, and the bound it should keep.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub name: &'static str,
    pub direction: Direction,
    pub bound: f64,
}

impl Goal {
    pub const fn at_least(name: &'static str, bound: f64) -> Self {
        Self { name, direction: Direction::AtLeast, bound }
    }

    pub const fn at_most(name: &'static str, bound: f64) -> Self {
        Self { name, direction: Direction::AtMost, bound }
    }

    /// The ratio of each round's two figures, and the median of these ratios.
    pub fn of(self, numerator: Side, denominator: Side) -> Ratio {
        let pairs = numerator.rounds.iter().zip(&denominator.rounds);
        let rounds: Vec<f64> = pairs.map(|(above, below)| above / below).collect();
        let (min, value, max) = spread(&rounds);
        let holds = match self.direction {
            Direction::AtLeast => value >= self.bound,
            Direction::AtMost => value <= self.bound,
        };
        let Self { name, direction, bound } = self;
        Ratio { name, value, bound, direction, holds, min, max, rounds, numerator, denominator }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    pub name: &'static str,
    pub value: f64,
    pub bound: f64,
    pub direction: Direction,
    pub holds: bool,
    pub min: f64,
    pub max: f64,
    pub rounds: Vec<f64>,
    pub numerator: Side,
    pub denominator: Side,
}

/// Least, median and greatest; not a number for no rounds at all.
pub fn spread(rounds: &[f64]) -> (f64, f64, f64) {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let last = sorted.len().saturating_sub(1);
    (at(0), (at(last / 2) + at(last.div_ceil(2))) / 2.0, at(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]), (1.0, 2.5, 4.0));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (1.0, 2.0, 3.0));
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let above = Side::of("a", "per second", vec![1.0, 4.0, 9.0]);
        let below = Side::of("b", "per second", vec![1.0, 2.0, 3.0]);
        let ratio = Goal::at_least("a ÷ b", 2.0).of(above, below);
        assert_eq!((ratio.value, ratio.holds, ratio.rounds), (2.0, true, vec![1.0, 2.0, 3.0]));
    }
}
