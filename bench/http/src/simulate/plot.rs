//! The herd as lines over time: how many have asked, have been answered, have a promise, have a unit.

use plotters::chart::ChartBuilder;
use plotters::series::LineSeries;
use plotters::style::Color;

use super::herd::Herd;
use super::settings::Settings;
use crate::report::axis::{Axis, thousands};
use crate::report::canvas::{self, Area, Plot};
use crate::report::palette;

const CHART_HEIGHT: u32 = 260;
const POINTS: usize = 200;

/// Two charts with one axis of time: everybody, and, fifty times fewer, the units.
pub fn draw(settings: &Settings, herd: &Herd) -> anyhow::Result<Plot> {
    let people = [("asked", &herd.arrived_us), ("answered", &herd.answered_us)];
    let units = [("purchases confirmed", &herd.placed_us), ("units sold", &herd.settled_us)];
    let legend =
        people.iter().chain(&units).zip(0..).map(|((name, _), index)| (palette::series(index), (*name).to_owned()));
    let legend: Vec<_> = legend.collect();
    let legend_height = canvas::legend_height(legend.len());
    let end_s = herd.answered_us.iter().chain(&herd.settled_us).copied().fold(0.0, f64::max) / 1e6;
    let title = format!(
        "A herd of {} for {} units, simulated",
        thousands(settings.people as f64),
        thousands(settings.units as f64)
    );
    Plot::draw("simulation", title, legend_height + 2 * CHART_HEIGHT, |area| {
        let (above, below) = area.split_vertically(legend_height);
        let (upper, lower) = below.split_vertically(CHART_HEIGHT);
        canvas::legend(&above, &legend)?;
        chart(&upper, "people", end_s, 0, &people)?;
        chart(&lower, "units", end_s, 2, &units)
    })
}

fn chart(area: &Area<'_>, what: &str, end_s: f64, first: usize, lines: &[(&str, &Vec<f64>); 2]) -> anyhow::Result<()> {
    let greatest = lines.iter().map(|(_, moments)| moments.len()).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(48)
        .y_label_area_size(74)
        .build_cartesian_2d(Axis::from_zero(end_s), Axis::from_zero(greatest as f64))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(palette::GRID.light)
        .axis_style(palette::MUTED.light)
        .label_style(canvas::text(palette::MUTED))
        .axis_desc_style(canvas::text(palette::INK))
        .x_desc("seconds after T0")
        .y_desc(what)
        .draw()?;
    for ((_, moments), index) in lines.iter().zip(first..) {
        let line = LineSeries::new(so_far(moments, end_s), palette::series(index).stroke_width(2));
        chart.draw_series(line)?;
    }
    Ok(())
}

/// How many of the moments have passed, at evenly spaced times.
fn so_far(moments: &[f64], end_s: f64) -> Vec<(f64, f64)> {
    let mut sorted = moments.to_vec();
    sorted.sort_by(f64::total_cmp);
    let times = (0..=POINTS).map(|point| end_s * point as f64 / POINTS as f64);
    times.map(|time| (time, sorted.partition_point(|moment| *moment <= time * 1e6) as f64)).collect()
}
