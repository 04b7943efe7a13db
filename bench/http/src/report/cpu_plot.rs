//! Processor time per request as bars, a part for each process: where the time goes.

use plotters::chart::ChartBuilder;
use plotters::element::Rectangle;
use plotters::style::Color;

use super::axis::{Axis, thousands};
use super::canvas::{self, Area, Plot};
use super::input::CpuShare;
use super::palette;
use super::rows::{self, Row};

/// Plain servers that something is compared with: measured by themselves, so with a bar of their own.
const COMPARED_WITH: [&str; 2] = ["constant", "naive"];

/// One bar: a measurement, and what each process spent on a request of it.
struct Bar {
    name: String,
    /// Index of the process among all, and microseconds.
    parts: Vec<(usize, f64)>,
}

impl Bar {
    fn total(&self) -> f64 {
        self.parts.iter().map(|(_, us)| us).sum()
    }
}

pub fn draw(shares: &[CpuShare]) -> anyhow::Result<Option<Plot>> {
    let processes = distinct(shares.iter().map(|share| share.process.as_str()));
    let bars = bars(shares, &processes);
    if bars.is_empty() {
        return Ok(None);
    }
    let legend: Vec<_> = (0..).map(palette::series).zip(processes.iter().map(|&process| process.to_owned())).collect();
    let legend_height = canvas::legend_height(legend.len());
    let plot = Plot::draw("cpu", "Processor time per request", legend_height + rows::height(bars.len()), |area| {
        let (above, below) = area.split_vertically(legend_height);
        canvas::legend(&above, &legend)?;
        chart(&below, &bars)
    });
    plot.map(Some)
}

fn bars(shares: &[CpuShare], processes: &[&str]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for share in shares {
        let part = processes.iter().position(|process| *process == share.process).zip(share.cpu_us_per_request);
        let Some(part) = part.filter(|(_, us)| *us > 0.0) else { continue };
        let name = bar_name(share);
        match bars.iter_mut().find(|bar| bar.name == name) {
            Some(bar) => bar.parts.push(part),
            None => bars.push(Bar { name, parts: vec![part] }),
        }
    }
    bars
}

fn bar_name(share: &CpuShare) -> String {
    if COMPARED_WITH.contains(&share.process.as_str()) && share.measurement != share.process {
        format!("{}, {}", share.measurement, share.process)
    } else {
        share.measurement.clone()
    }
}

/// Each once, in the order of first appearance.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn chart(area: &Area<'_>, bars: &[Bar]) -> anyhow::Result<()> {
    let x = Axis::from_zero(bars.iter().map(Bar::total).fold(0.0, f64::max));
    let rows: Vec<_> = bars.iter().map(row).collect();
    rows::label(area, &rows)?;
    let mut chart = ChartBuilder::on(area)
        .margin(rows::MARGIN)
        .x_label_area_size(rows::AXIS_HEIGHT)
        .build_cartesian_2d(x, bars.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(palette::MUTED.light)
        .label_style(canvas::text(palette::MUTED))
        .axis_desc_style(canvas::text(palette::INK))
        .x_desc("microseconds of processor time per request")
        .draw()?;
    for (row, bar) in bars.iter().enumerate() {
        let (top, bottom) = (rows::middle(row) - 0.2, rows::middle(row) + 0.2);
        let mut from = 0.0;
        for &(process, us) in &bar.parts {
            let corners = [(from, top), (from + us, bottom)];
            chart.draw_series([Rectangle::new(corners, palette::series(process).filled())])?;
            from += us;
        }
    }
    Ok(())
}

fn row(bar: &Bar) -> Row {
    let value = format!("{} µs", thousands(bar.total()));
    Row { name: bar.name.clone(), value, paint: palette::MUTED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_adds_up_the_processes_of_its_measurement() {
        let share = |measurement: &str, process: &str, us| CpuShare {
            measurement: measurement.into(),
            process: process.into(),
            cores_busy: None,
            cpu_us_per_request: Some(us),
        };
        let shares = [
            share("buy", "api", 30.0),
            share("buy", "postgres", 37.5),
            share("look", "api", 11.0),
            share("look", "constant", 10.0),
        ];
        let bars = bars(&shares, &["api", "postgres", "constant"]);
        let totals: Vec<_> = bars.iter().map(|bar| (bar.name.as_str(), bar.total())).collect();
        assert_eq!(totals, [("buy", 67.5), ("look", 11.0), ("look, constant", 10.0)]);
        assert_eq!(bars[2].parts, [(2, 10.0)]);
    }
}
