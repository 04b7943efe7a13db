//! Processor time of the processes of a run, from /proc; nothing where there is no /proc.

use std::fs;

use serde::Serialize;

/// Linux counts user and system time for /proc in hundredths of a second on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds of one process during one measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Spent {
    pub measurement: &'static str,
    pub process: &'static str,
    pub cpu_seconds: f64,
    /// Wall-clock seconds of the measurement.
    pub of_seconds: f64,
    /// What was served meanwhile.
    pub requests: u64,
}

/// Processor seconds so far of everything that takes part in a measurement.
pub struct Meter {
    measurement: &'static str,
    processes: Vec<(&'static str, f64)>,
}

impl Meter {
    pub fn read(measurement: &'static str, processes: Vec<(&'static str, f64)>) -> Self {
        Self { measurement, processes }
    }

    /// What was spent from this reading to a later one of the same processes.
    pub fn until(&self, later: &Self, of_seconds: f64, requests: u64) -> Vec<Spent> {
        let pairs = self.processes.iter().zip(&later.processes);
        let spent = pairs.map(|((process, before), (_, after))| Spent {
            measurement: self.measurement,
            process,
            cpu_seconds: after - before,
            of_seconds,
            requests,
        });
        spent.collect()
    }
}

/// User and system seconds of a process.
pub fn seconds(pid: u32) -> f64 {
    times(pid).map_or(0.0, |times| times.own / TICKS_PER_SECOND)
}

/// User and system seconds of a process and its children, those that have ended included.
pub fn seconds_with_children(pid: u32) -> f64 {
    let Some(own) = times(pid) else { return 0.0 };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children: f64 = pids.filter_map(times).filter(|child| child.parent == pid).map(|child| child.own).sum();
    (own.own + own.waited_for + children) / TICKS_PER_SECOND
}

/// User and system seconds of the children this process has waited for.
pub fn seconds_of_ended_children() -> f64 {
    times(std::process::id()).map_or(0.0, |times| times.waited_for / TICKS_PER_SECOND)
}

struct Times {
    parent: u32,
    own: f64,
    waited_for: f64,
}

fn times(pid: u32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Times {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        waited_for: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_parent_and_times() {
        let times = times(std::process::id()).unwrap();
        assert!(times.parent > 0 && times.own >= 0.0);
    }
}
