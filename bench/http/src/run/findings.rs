//! What the measurements of a run add to.

use super::cpu::Spent;
use super::ratio::{Ratio, Side};

#[derive(Default)]
pub struct Findings {
    pub ratios: Vec<Ratio>,
    /// Figures that no bound is set for and that a reader of the ratios wants to know.
    pub figures: Vec<Side>,
    pub audits: usize,
    /// Every way in which the books were found wrong.
    pub wrong: Vec<String>,
    pub cpu_seconds: Vec<Spent>,
}

impl Findings {
    /// Notes an audit of the books after `measurement`.
    pub fn audited(&mut self, measurement: &str, wrong: Vec<String>) {
        self.audits += 1;
        for sentence in wrong {
            eprintln!("  BOOKS: {measurement}: {sentence}");
            self.wrong.push(format!("{measurement}: {sentence}"));
        }
    }
}
