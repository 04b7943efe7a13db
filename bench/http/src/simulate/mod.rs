//! `simulate`: a herd of a million on machines that nobody here has, from costs that were measured here.

mod costs;
mod herd;
mod machine;
mod plot;
mod settings;

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub use settings::Settings as Arguments;

use herd::Herd;

/// Fails when the settings make no sense or the picture cannot be written.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = arguments.checked()?;
    let herd = herd::simulate(&settings, &settings.costs.clone().of_burst(), arrivals(&settings))?;
    show(&settings, &herd);
    let plot = plot::draw(&settings, &herd)?;
    if let Some(folder) = settings.output.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&settings.output, plot.file()).with_context(|| format!("cannot write {}", settings.output.display()))?;
    println!("drawn in {}", settings.output.display());
    Ok(ExitCode::SUCCESS)
}

/// Everybody at a moment of their own, all moments alike.
fn arrivals(settings: &Arguments) -> Vec<f64> {
    let mut random = SmallRng::seed_from_u64(settings.seed);
    let mut moments: Vec<f64> = (0..settings.people).map(|_| random.random::<f64>() * settings.within * 1e6).collect();
    moments.sort_by(f64::total_cmp);
    moments
}

fn show(settings: &Arguments, herd: &Herd) {
    let last = |moments: &[f64]| moments.iter().copied().fold(0.0, f64::max) / 1e6;
    let (accepted, refused) = (latencies_ms(herd, true), latencies_ms(herd, false));
    println!("{} people, {} units, all pressing within {} s", settings.people, settings.units, settings.within);
    println!("  last purchase confirmed   {:>9.3} s after T0", last(&herd.placed_us));
    println!("  last unit sold            {:>9.3} s", last(&herd.settled_us));
    println!("  last person answered      {:>9.3} s", last(&herd.answered_us));
    for (who, latencies) in [("who got a unit", accepted), ("who was refused", refused)] {
        let at = |share: f64| {
            latencies.get(((latencies.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
        };
        println!("  answer to {who:<16} {:>7.1} ms in the middle, p99 {:.1} ms", at(0.5), at(0.99));
    }
    let names = ["load generator", "Redis", "PostgreSQL, placing", "PostgreSQL, settling", "APIs"];
    for (name, busy_us) in names.iter().zip(herd.busy_us) {
        if settings.one_machine.is_some() || *name != names[0] {
            println!("  {name:<24} {:>9.3} s of a core", busy_us / 1e6);
        }
    }
}

/// From pressing the button to the answer, sorted.
fn latencies_ms(herd: &Herd, has_unit: bool) -> Vec<f64> {
    let people = herd.has_unit.iter().zip(&herd.arrived_us).zip(&herd.answered_us);
    let of_these = people.filter(|((has, _), _)| **has == has_unit);
    let mut latencies: Vec<f64> = of_these.map(|((_, arrived), answered)| (answered - arrived) / 1e3).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}
