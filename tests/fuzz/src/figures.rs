//! How many inputs were more than bytes: libFuzzer counts every input that it tried, also those that a target could make
//! nothing of and sent nowhere.

use std::cell::Cell;

use libfuzzer_sys::Corpus;

thread_local! {
    static ACCEPTED: Accepted = const { Accepted(Cell::new(0)) };
}

/// Says its number after libFuzzer's own figures, at the end of a run; one that ends with a crash says nothing.
struct Accepted(Cell<u64>);

impl Drop for Accepted {
    fn drop(&mut self) {
        eprintln!("stat::accepted_inputs:          {}", self.0.get());
    }
}

/// What a target answers for an input that it has sent, and whose answer it has judged.
pub fn accepted() -> Corpus {
    ACCEPTED.with(|accepted| accepted.0.set(accepted.0.get() + 1));
    Corpus::Keep
}
