//! Shows a load while it goes on: a view when stderr is a terminal, otherwise a line a second.

use std::io::{IsTerminal, stderr, stdin};
use std::sync::mpsc::Receiver;

use super::progress::{PartNow, Snapshot, Stop};
use super::view;

/// How long before the start the seconds are counted down.
const COUNTDOWN_S: f64 = 3.5;

/// Shows snapshots until the load is over.
pub fn show(snapshots: &Receiver<Snapshot>, stop: &Stop, title: &str, plain: bool) -> anyhow::Result<()> {
    if !plain && stderr().is_terminal() && stdin().is_terminal() {
        return view::show(snapshots, stop, title);
    }
    eprintln!("load           {title} (ctrl-c ends it early and prints the summary)");
    for snapshot in snapshots {
        let starts_in = snapshot.starts_in.as_secs_f64();
        if starts_in == 0.0 {
            eprintln!("{}", line(&snapshot));
        } else if starts_in < COUNTDOWN_S {
            eprintln!("starts         in {starts_in:.0} s");
        }
    }
    Ok(())
}

/// A second of a load: the parts that had something to do, and what is special.
fn line(snapshot: &Snapshot) -> String {
    let active = snapshot.parts.iter().filter(|part| part.is_running && part.name != "watch");
    let mut words: Vec<_> = active.map(part).collect();
    if snapshot.units > 0 {
        words.push(format!(
            "{} of {} units left, {} waiting",
            snapshot.units_left,
            snapshot.units,
            snapshot.told.waiting()
        ));
    }
    if snapshot.generator_late_ms >= 5.0 {
        words.push(format!("GENERATOR {} ms LATE", milliseconds(snapshot.generator_late_ms)));
    }
    if snapshot.stopping {
        words.push("ending".to_owned());
    }
    format!("{:>5.1} s  {}", snapshot.elapsed.as_secs_f64(), words.join(" | "))
}

fn part(part: &PartNow) -> String {
    if part.holds {
        return format!("{} {} held, {} ended", part.name, part.in_flight, part.errors);
    }
    let (second, mut words) = (part.this_second, format!("{} {}/s", part.name, part.answers_this_second));
    if part.answers_this_second > 0 {
        words += &format!(
            " p50 {} p99 {} max {}",
            milliseconds(second.p50_ms),
            milliseconds(second.p99_ms),
            milliseconds(second.max_ms)
        );
    }
    for (what, count) in [("in flight", part.in_flight), ("overdue", part.overdue), ("errors", part.errors)] {
        if count > 0 {
            words += &format!(", {count} {what}");
        }
    }
    words
}

/// A number of milliseconds in at most six characters.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 1000.0 => format!("{ms:.1}"),
        ms => format!("{:.1}s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_fit_a_narrow_column() {
        assert_eq!([0.0, 9.876, 123.45, 12_345.0].map(milliseconds), ["0.00", "9.88", "123.5", "12.3s"]);
    }
}
