//! A series as lines over what was varied: the median of each point, with its least and greatest round.

use std::collections::BTreeSet;

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement};
use plotters::series::LineSeries;
use plotters::style::{Color, RGBColor};

use super::axis::Axis;
use super::canvas::{self, Area, Plot, WIDTH};
use super::palette;
use crate::sweep::series::{Line, Series};

const PLOT_HEIGHT: u32 = 300;
const X_LABELS_HEIGHT: u32 = 48;
const Y_LABELS_WIDTH: u32 = 74;
const MARGIN: u32 = 10;

/// One plot; or one a server, with the same axes, when there are both several lines and several servers.
pub fn draw(series: &Series) -> anyhow::Result<Vec<Plot>> {
    let names: BTreeSet<&str> = series.lines.iter().map(|line| line.name.as_str()).collect();
    let servers = servers(series);
    let all: Vec<&Line> = series.lines.iter().collect();
    let axes = Axes::of(series);
    if names.len() > 1 && servers.len() > 1 {
        let plots = servers.iter().map(|server| {
            let lines: Vec<&Line> = all.iter().copied().filter(|line| line.postgres == *server).collect();
            let entries = lines.iter().map(|line| line.name.clone()).collect();
            let file = format!("{}-postgresql-{server}", series.name);
            plot(series, file, format!("{}, PostgreSQL {server}", series.title), &axes, &lines, entries)
        });
        return plots.collect();
    }
    let by_name = names.len() > 1;
    let entry = |line: &Line| if by_name { line.name.clone() } else { format!("PostgreSQL {}", line.postgres) };
    let entries = all.iter().map(|line| entry(line)).collect();
    let title = match servers.as_slice() {
        [server] if by_name => format!("{}, PostgreSQL {server}", series.title),
        _ => series.title.clone(),
    };
    Ok(vec![plot(series, series.name.clone(), title, &axes, &all, entries)?])
}

/// In the order in which they were measured.
fn servers(series: &Series) -> Vec<&str> {
    let mut servers: Vec<&str> = Vec::new();
    for line in &series.lines {
        if !servers.contains(&line.postgres.as_str()) {
            servers.push(&line.postgres);
        }
    }
    servers
}

struct Axes {
    x: Axis,
    y: Axis,
}

impl Axes {
    fn of(series: &Series) -> Self {
        let points = || series.lines.iter().flat_map(|line| &line.points);
        let pixels = WIDTH - Y_LABELS_WIDTH - 2 * MARGIN;
        Self {
            x: Axis::of_values(points().map(|point| point.x), f64::from(pixels)),
            y: Axis::of_figures(points().flat_map(|point| [point.min, point.max])),
        }
    }
}

fn plot(
    series: &Series,
    name: String,
    title: String,
    axes: &Axes,
    lines: &[&Line],
    entries: Vec<String>,
) -> anyhow::Result<Plot> {
    let colours = (0..).map(palette::series);
    let legend: Vec<_> = colours.zip(entries).collect();
    let legend_height = canvas::legend_height(legend.len());
    Plot::draw(name, title, legend_height + PLOT_HEIGHT, |area| {
        let (above, below) = area.split_vertically(legend_height);
        canvas::legend(&above, &legend)?;
        chart(&below, series, axes, lines)
    })
}

fn chart(area: &Area<'_>, series: &Series, Axes { x, y }: &Axes, lines: &[&Line]) -> anyhow::Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .x_label_area_size(X_LABELS_HEIGHT)
        .y_label_area_size(Y_LABELS_WIDTH)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(palette::GRID.light)
        .axis_style(palette::MUTED.light)
        .label_style(canvas::text(palette::MUTED))
        .axis_desc_style(canvas::text(palette::INK))
        .x_desc(&series.x_axis)
        .y_desc(&series.y_axis)
        .draw()?;
    for (line, index) in lines.iter().zip(0..) {
        let colour: RGBColor = palette::series(index);
        let medians = || line.points.iter().map(|point| (point.x, point.median));
        chart.draw_series(LineSeries::new(medians(), colour.stroke_width(2)))?;
        chart.draw_series(medians().map(|median| Circle::new(median, 4, colour.filled())))?;
        let spreads = line.points.iter().map(|point| [(point.x, point.min), (point.x, point.max)]);
        chart.draw_series(spreads.map(|spread| PathElement::new(spread, colour.stroke_width(1))))?;
    }
    Ok(())
}
