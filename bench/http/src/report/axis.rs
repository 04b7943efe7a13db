//! Axes: linear or logarithmic by the span of what is shown, with ticks that a person would have chosen.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Figures that span at least so many times their least are shown on a logarithmic axis.
const LOG_SPAN: f64 = 10.0;
const LINEAR_TICKS: f64 = 5.0;
/// Wide digits of the plots' font, in pixels.
const DIGIT_PIXELS: f64 = 9.0;
const GAP_PIXELS: f64 = 8.0;
/// What an axis of factors may begin, end and be marked with.
const FACTORS: [f64; 18] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 5.0, 10.0, 20.0, 100.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// An axis that plotters draws; values are what was varied or measured, whatever the scale.
#[derive(Clone, Debug)]
pub struct Axis {
    scale: Scale,
    /// Values, or their logarithms, at the ends.
    ends: Range<f64>,
    ticks: Vec<f64>,
}

impl Axis {
    /// For what was varied: ticks where something was measured, as far as their labels fit in `pixels`.
    pub fn of_values(values: impl IntoIterator<Item = f64>, pixels: f64) -> Self {
        let values = sorted(values);
        let (first, last) = first_and_last(&values);
        let scale = if first > 0.0 && last / first >= LOG_SPAN { Scale::Log } else { Scale::Linear };
        let (from, to) = (scale.position(first), scale.position(last));
        let margin = if to > from { (to - from) * 0.05 } else { 0.5 };
        let ends = from - margin..to + margin;
        let pixels_each = pixels / (ends.end - ends.start);
        let ticks = fitting(&values, |value| scale.position(value) * pixels_each);
        Self { scale, ends, ticks }
    }

    /// For what was measured: from zero, or logarithmic when it spans too much.
    pub fn of_figures(figures: impl IntoIterator<Item = f64>) -> Self {
        let figures = sorted(figures);
        let (least, greatest) = first_and_last(&figures);
        let spans_much = least > 0.0 && greatest / least >= LOG_SPAN;
        if spans_much { Self::logarithmic(least, greatest) } else { Self::from_zero(greatest) }
    }

    /// Linear, from zero to the round number above.
    pub fn from_zero(greatest: f64) -> Self {
        let step = round_up(greatest.max(f64::MIN_POSITIVE) / LINEAR_TICKS);
        let count = (greatest / step).ceil().max(1.0);
        let ticks = (0..=count as u32).map(|index| f64::from(index) * step).collect();
        Self { scale: Scale::Linear, ends: 0.0..count * step, ticks }
    }

    /// From the round number below to the one above; every power of ten, or 1-2-5 when these are few.
    fn logarithmic(least: f64, greatest: f64) -> Self {
        let (from, to) = (round_down(least), round_up(greatest));
        let exponents = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let multiples: &[f64] = if (to / from).log10() > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let ticks =
            exponents.flat_map(|exponent| multiples.iter().map(move |multiple| multiple * 10f64.powi(exponent)));
        let within = |tick: &f64| (from * 0.999..=to * 1.001).contains(tick);
        Self { scale: Scale::Log, ends: from.log10()..to.log10(), ticks: ticks.filter(within).collect() }
    }

    /// Logarithmic, for factors: as close around 1 as they allow.
    pub fn around_one(factors: impl IntoIterator<Item = f64>, pixels: f64) -> Self {
        let factors = sorted(factors.into_iter().filter(|factor| *factor > 0.0));
        let (least, greatest) = first_and_last(&factors);
        let below = FACTORS.into_iter().rev().find(|factor| *factor <= least.min(0.95)).unwrap_or(least);
        let above = FACTORS.into_iter().find(|factor| *factor >= greatest.max(1.05)).unwrap_or(greatest);
        let ends = below.log10() - 0.01..above.log10() + 0.01;
        let pixels_each = pixels / (ends.end - ends.start);
        let within: Vec<f64> = FACTORS.into_iter().filter(|factor| (below..=above).contains(factor)).collect();
        let ticks = fitting(&within, |factor| factor.log10() * pixels_each);
        Self { scale: Scale::Log, ends, ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (self.scale.position(*value) - self.ends.start) / (self.ends.end - self.ends.start);
        first + (share.clamp(0.0, 1.0) * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.scale.value(self.ends.start)..self.scale.value(self.ends.end)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        short(*value)
    }
}

impl Scale {
    fn position(self, value: f64) -> f64 {
        if self == Self::Log { value.log10() } else { value }
    }

    fn value(self, position: f64) -> f64 {
        if self == Self::Log { 10f64.powf(position) } else { position }
    }
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

fn first_and_last(sorted: &[f64]) -> (f64, f64) {
    (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(1.0))
}

/// Values whose labels do not run into each other; the last one always.
fn fitting(values: &[f64], pixel: impl Fn(f64) -> f64) -> Vec<f64> {
    let width = |value: f64| short(value).len() as f64 * DIGIT_PIXELS;
    let apart = |a: f64, b: f64| pixel(b) - pixel(a) >= width(a).midpoint(width(b)) + GAP_PIXELS;
    let mut kept: Vec<f64> = Vec::new();
    for &value in values.iter().rev() {
        if kept.last().is_none_or(|&after| apart(value, after)) {
            kept.push(value);
        }
    }
    kept
}

/// The least 1, 2 or 5 times a power of ten that is not below.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|multiple| multiple * power)
        .find(|round| *round >= value * 0.999)
        .unwrap_or(10.0 * power)
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [5.0, 2.0].into_iter().map(|multiple| multiple * power).find(|round| *round <= value * 1.001).unwrap_or(power)
}

/// `1,500`, `10k`, `1M`: as short as a tick's label has to be.
fn short(value: f64) -> String {
    let rounded = value.round();
    if (value - rounded).abs() > 1e-6 * value.abs() && value.abs() < 100.0 {
        return format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    match rounded {
        whole if whole >= 1e6 => format!("{}M", short(whole / 1e6)),
        whole if whole >= 1e4 => format!("{}k", short(whole / 1e3)),
        whole => thousands(whole),
    }
}

/// A figure with commas, and digits after the point only where they say something.
pub fn thousands(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{:.0}", value.abs());
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    format!("{}{}", if value < 0.0 { "-" } else { "" }, groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(Axis::format).collect()
    }

    #[test]
    fn a_wide_range_is_logarithmic_and_a_narrow_one_starts_at_zero() {
        assert_eq!(
            labels(&Axis::of_figures([30.0, 4000.0])),
            ["20", "50", "100", "200", "500", "1,000", "2,000", "5,000"]
        );
        assert_eq!(labels(&Axis::of_figures([20.0, 900_000.0])), ["100", "1,000", "10k", "100k", "1M"]);
        assert_eq!(labels(&Axis::of_figures([810.0, 930.0])), ["0", "200", "400", "600", "800", "1,000"]);
    }

    #[test]
    fn ticks_are_where_something_was_measured_and_do_not_overlap() {
        let wide = Axis::of_values([1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0], 2000.0);
        assert_eq!(wide.ticks.len(), 8);
        let narrow = Axis::of_values([1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0], 200.0);
        assert!(narrow.ticks.len() < 6, "{:?}", labels(&narrow));
        assert_eq!(narrow.ticks[0], 2000.0);
    }

    #[test]
    fn one_point_alone_has_an_axis() {
        let axis = Axis::of_values([8.0], 300.0);
        assert_eq!(axis.map(&8.0, (0, 300)), 150);
    }

    #[test]
    fn factors_lie_close_around_one() {
        assert_eq!(labels(&Axis::around_one([0.93, 1.02], 400.0)), ["1.1", "1", "0.9"]);
        assert!(Axis::around_one([0.3, 4.0], 400.0).map(&1.0, (0, 100)) > 40);
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!([thousands(1_234_567.0), thousands(999.6), thousands(1.25)], ["1,234,567", "1,000", "1.25"]);
        assert_eq!([short(2_500_000.0), short(15_000.0), short(0.5)], ["2.5M", "15k", "0.5"]);
    }
}
