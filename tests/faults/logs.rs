//! What the processes complain of: once when an outage begins, not with every request. Judged in every run.

use std::collections::BTreeMap;

use crate::harness::Stack;

/// Warnings and errors of one process about one blow.
const LINES_MAX: usize = 4;
/// Of them with the same words: a connection that comes back may be lost once more.
const SAME_MAX: usize = 2;
/// Said at each start, and of each batch in which something was wrong.
const NOT_OF_OUTAGES: [&str; 2] = ["RATE_LIMITS=off", "messages were set aside"];
/// Many small blows in one run are one outage for who meets them.
const BLOWS_MAX: usize = 4;

/// Warnings and errors by what they say, of each process.
pub fn complaints(stack: &Stack) -> Vec<(String, BTreeMap<String, usize>)> {
    let processes = stack.apis.iter().map(|api| &api.process).chain(&stack.workers);
    let count = |text: &str| {
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| is_complaint(line)) {
            *counts.entry(words(line)).or_default() += 1;
        }
        counts
    };
    processes.map(|process| (process.name.clone(), count(&process.log_text()))).collect()
}

fn is_complaint(line: &str) -> bool {
    (line.contains(" WARN ") || line.contains(" ERROR ")) && !NOT_OF_OUTAGES.iter().any(|words| line.contains(words))
}

/// The largest number of warnings and errors of a process.
pub fn lines_max(complaints: &[(String, BTreeMap<String, usize>)]) -> usize {
    complaints.iter().map(|(_, counts)| counts.values().sum()).max().unwrap_or(0)
}

/// What was said too often, for so many blows.
pub fn too_many(complaints: &[(String, BTreeMap<String, usize>)], blows: usize) -> Vec<String> {
    let outages = blows.clamp(1, BLOWS_MAX);
    let mut wrong = Vec::new();
    for (name, counts) in complaints {
        let lines: usize = counts.values().sum();
        if lines > LINES_MAX * outages {
            wrong.push(format!("logs {name} warned {lines} times about {outages} outages"));
        }
        let repeated = counts.iter().filter(|(_, count)| **count > SAME_MAX * outages);
        wrong.extend(
            repeated.map(|(words, count)| format!("logs {name} said {count} times in {outages} outages: {words}")),
        );
    }
    wrong
}

/// A line without its time, and without what is different each time.
fn words(line: &str) -> String {
    let (_, said) = line.split_once(' ').unwrap_or(("", line));
    let said = said.split(" error=").next().unwrap_or(said);
    let mut words: Vec<String> = Vec::new();
    for word in said.split_whitespace() {
        let is_number = word.chars().filter(char::is_ascii_digit).count() * 3 > word.len();
        words.push(if is_number { "#".to_owned() } else { word.to_owned() });
    }
    words.join(" ").chars().take(160).collect()
}
