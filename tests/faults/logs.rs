//! What the processes say about an outage: once when it begins and once when it is over, not with every request.

use std::collections::BTreeMap;

use crate::harness::Stack;

/// Warnings and errors of one process about one outage.
const LINES_MAX: usize = 20;
/// Of them with the same words.
const SAME_MAX: usize = 3;

/// Warnings and errors by what they say, of each process.
pub fn complaints(stack: &Stack) -> Vec<(String, BTreeMap<String, usize>)> {
    let processes = stack.apis.iter().map(|api| &api.process).chain(&stack.workers);
    let count = |text: &str| {
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")) {
            *counts.entry(words(line)).or_default() += 1;
        }
        counts
    };
    processes.map(|process| (process.name.clone(), count(&process.log_text()))).collect()
}

/// The largest number of warnings and errors of a process.
pub fn lines_max(complaints: &[(String, BTreeMap<String, usize>)]) -> usize {
    complaints.iter().map(|(_, counts)| counts.values().sum()).max().unwrap_or(0)
}

/// What was said too often, for so many outages.
pub fn too_many(complaints: &[(String, BTreeMap<String, usize>)], outages: usize) -> Vec<String> {
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
