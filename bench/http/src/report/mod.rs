//! `report`: draws what `run` and `sweep` have written, as one page that needs nothing else, and each plot as a file that
//! documents can embed.

pub mod axis;
pub mod canvas;
mod cpu_plot;
mod input;
mod page;
pub mod palette;
mod ratio_plot;
mod rows;
mod sweep_plot;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use canvas::Plot;
use input::{Latest, Sweeps};
use page::{Ratios, Swept};

/// Draw what `run` and `sweep` have written, as one page with plots
///
/// The page shows the ratios against their bounds, processor time by process, and a plot for each series of `sweep`; it
/// needs no network and no scripts. Each plot is also written as an SVG file. Measures nothing. A file of results that is missing is said on the page, not an error.
#[derive(clap::Args)]
pub struct Arguments {
    /// What `flashsale-bench run` has written
    #[arg(long, default_value = "bench/results/latest.json")]
    latest: PathBuf,
    /// What `flashsale-bench sweep` has written
    #[arg(long, default_value = "bench/results/sweeps.json")]
    sweeps: PathBuf,
    /// The page; the plots' own files go into the folder `plots` beside it
    #[arg(long, default_value = "bench/results/report.html")]
    output: PathBuf,
}

/// Fails when a file of results cannot be read or the page cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let ratios = input::read(&arguments.latest)?.map(draw_ratios).transpose()?;
    let swept = input::read(&arguments.sweeps)?.map(draw_sweeps).transpose()?;
    for (missing, path) in [(ratios.is_none(), &arguments.latest), (swept.is_none(), &arguments.sweeps)] {
        if missing {
            println!("{} is missing: the page says so", path.display());
        }
    }
    let plots_dir = arguments.output.with_file_name("plots");
    fs::create_dir_all(&plots_dir).with_context(|| format!("cannot create {}", plots_dir.display()))?;
    let of_ratios = ratios.iter().flat_map(|ratios| [&ratios.ratios, &ratios.cpu].into_iter().flatten());
    let of_sweeps = swept.iter().flat_map(|swept| swept.plots.iter().flatten());
    let mut count = 0;
    for plot in of_ratios.chain(of_sweeps) {
        write(&plots_dir.join(format!("{}.svg", plot.name)), &plot.file())?;
        count += 1;
    }
    write(&arguments.output, &page::page(ratios.as_ref(), swept.as_ref()))?;
    println!("written to {}; {count} plots in {}", arguments.output.display(), plots_dir.display());
    Ok(ExitCode::SUCCESS)
}

fn draw_ratios(latest: Latest) -> anyhow::Result<Ratios> {
    let (ratios, cpu) = (ratio_plot::draw(&latest.ratios)?, cpu_plot::draw(&latest.cpu)?);
    Ok(Ratios { latest, ratios, cpu })
}

fn draw_sweeps(sweeps: Sweeps) -> anyhow::Result<Swept> {
    let plots: anyhow::Result<Vec<Vec<Plot>>> = sweeps.series.iter().map(sweep_plot::draw).collect();
    Ok(Swept { plots: plots?, sweeps })
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
