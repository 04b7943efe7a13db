//! Every round of every ratio against its bound: what is right of the line is better than was asked for.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement};
use plotters::style::Color;

use super::axis::{Axis, thousands};
use super::canvas::{self, Area, Plot};
use super::input::{Direction, Ratio};
use super::palette;
use super::rows::{self, Row};

pub fn draw(ratios: &[Ratio]) -> anyhow::Result<Option<Plot>> {
    let shown: Vec<&Ratio> = ratios.iter().filter(|ratio| ratio.value > 0.0 && ratio.bound > 0.0).collect();
    if shown.is_empty() {
        return Ok(None);
    }
    let plot =
        Plot::draw("ratios", "Ratios against their bounds", rows::height(shown.len()), |area| chart(area, &shown));
    plot.map(Some)
}

/// How many times better than the bound; 1 is the bound.
fn against_bound(ratio: &Ratio, figure: f64) -> f64 {
    if ratio.direction == Direction::AtMost { ratio.bound / figure } else { figure / ratio.bound }
}

fn chart(area: &Area<'_>, ratios: &[&Ratio]) -> anyhow::Result<()> {
    let rounds = |ratio: &Ratio| {
        let rounds = ratio.rounds.iter().flatten().filter(|figure| **figure > 0.0);
        rounds.map(|figure| against_bound(ratio, *figure)).collect::<Vec<_>>()
    };
    let medians = ratios.iter().map(|ratio| against_bound(ratio, ratio.value));
    let x = Axis::around_one(ratios.iter().flat_map(|ratio| rounds(ratio)).chain(medians), rows::width());
    rows::label(area, &ratios.iter().map(|ratio| row(ratio)).collect::<Vec<_>>())?;
    let mut chart = ChartBuilder::on(area)
        .margin(rows::MARGIN)
        .x_label_area_size(rows::AXIS_HEIGHT)
        .build_cartesian_2d(x, ratios.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(palette::MUTED.light)
        .label_style(canvas::text(palette::MUTED))
        .axis_desc_style(canvas::text(palette::INK))
        .x_desc("times as good as the bound asks (log scale)")
        .draw()?;
    for (index, ratio) in ratios.iter().enumerate() {
        let middle = rows::middle(index);
        let colour = paint(ratio).light;
        let upright = |at: f64, reach: f64| [(at, middle - reach), (at, middle + reach)];
        chart.draw_series([PathElement::new(upright(1.0, 0.24), palette::MUTED.light.stroke_width(2))])?;
        let dots = rounds(ratio).into_iter().map(|round| Circle::new((round, middle), 4, colour.mix(0.6).filled()));
        chart.draw_series(dots)?;
        let median = upright(against_bound(ratio, ratio.value), 0.18);
        chart.draw_series([PathElement::new(median, colour.stroke_width(3))])?;
    }
    Ok(())
}

fn row(ratio: &Ratio) -> Row {
    let verdict = if ratio.holds { "holds" } else { "missed" };
    let value = format!("{} ({} {}) {verdict}", thousands(ratio.value), ratio.direction.sign(), ratio.bound);
    Row { name: ratio.name.clone(), value, paint: paint(ratio) }
}

fn paint(ratio: &Ratio) -> palette::Paint {
    if ratio.holds { palette::GOOD } else { palette::BAD }
}
