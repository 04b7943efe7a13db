//! The outcome of a load as a person reads it, in lines of a terminal.

use std::fmt::{self, Display, Formatter};

use hdrhistogram::Histogram;

use super::ledger::Told;
use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::client::Tally;

/// Sales shown one by one; of more, only those that are wrong.
const SALES_SHOWN_MAX: usize = 10;

impl Display for Outcome {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let counts_from = if self.settings.closed { "its sending" } else { "the moment a request was due" };
        writeln!(out, "\nlatency in ms, from {counts_from}")?;
        let [sent, rate, p50, p90, p99, p999, max] = ["sent", "answ/s", "p50", "p90", "p99", "p99.9", "max"];
        writeln!(out, "{:<14} {sent:>9} {rate:>7} {p50:>8} {p90:>8} {p99:>8} {p999:>8} {max:>8}", "")?;
        for (name, tally) in self.parts.iter().filter(|(_, tally)| tally.sent + tally.never_sent > 0) {
            write_part(out, name, tally)?;
        }
        writeln!(out)?;
        self.write_generator(out)?;
        self.write_times(out)?;
        self.write_verdict(out)
    }
}

fn write_part(out: &mut Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    write!(out, "{name:<14} {:>9} {:>7.0}", tally.sent, tally.answers_per_second())?;
    for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
        write!(out, " {:>8.2}", tally.latency_ms(quantile))?;
    }
    writeln!(out)?;
    let never_sent = (tally.never_sent > 0).then(|| ("due and never sent".to_owned(), tally.never_sent));
    for (outcome, count) in tally.by_outcome().into_iter().chain(never_sent) {
        writeln!(out, "  {count:>22} × {outcome}")?;
    }
    Ok(())
}

impl Outcome {
    fn write_generator(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let generator = &self.generator;
        let [late, waited] = [&generator.late_us, &generator.waited_us].map(percentiles);
        writeln!(out, "generator      sent late by {late}")?;
        writeln!(out, "               for want of a connection by {waited}")?;
        writeln!(out, "               took {:.0} % of the one core it can use", generator.busy * 100.0)?;
        if let Some(warning) = generator.warning() {
            writeln!(out, "WARNING        {warning}:")?;
            writeln!(out, "               lower the rate, or run it on a machine of its own")?;
        }
        Ok(())
    }

    fn write_times(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if !self.known_us.is_empty() {
            writeln!(out, "outcome known  {} after the purchase was due", percentiles(&self.known_us))?;
        }
        if let Some(streams) = &self.streams {
            writeln!(out, "change seen    {} after the purchase was due", percentiles(&streams.change_us))?;
            writeln!(out, "               {} times, in {} events", streams.change_us.len(), streams.events)?;
        }
        let times = [
            ("the last unit was sold", self.last_unit_ms),
            ("everybody knew", self.everybody_knew_ms),
            ("every stream showed that it is sold out", self.streams_showed_ms),
        ];
        for (what, ms) in times {
            if let Some(ms) = ms {
                writeln!(out, "after opening  {ms:.0} ms until {what}")?;
            }
        }
        Ok(())
    }

    fn write_verdict(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if self.ended_early {
            writeln!(out, "\nended early    by you: what follows is about what was sent until then")?;
        }
        match &self.verdict {
            None => {}
            Some(Err(why)) => {
                writeln!(out, "\nusers          {}", users(self.told))?;
                writeln!(out, "verdict        THE BOOKS CANNOT BE READ: {why}")?;
            }
            Some(Ok(verdict)) => write_books(out, verdict)?,
        }
        match &self.broken_off {
            Some(why) => writeln!(out, "BROKEN OFF     {why}"),
            None => Ok(()),
        }
    }
}

fn write_books(out: &mut Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    writeln!(out)?;
    for (number, sale) in verdict.sales.iter().enumerate() {
        if number < SALES_SHOWN_MAX || !sale.wrong.is_empty() {
            let (number, users) = (number + 1, users(sale.told));
            writeln!(out, "sale {number:<9} {} of {} units left, {} sold", sale.remaining, sale.quantity, sale.sold)?;
            writeln!(out, "               {users}")?;
        }
        for sentence in &sale.wrong {
            writeln!(out, "  WRONG        {sentence}")?;
        }
    }
    for sentence in &verdict.wrong {
        writeln!(out, "  WRONG        {sentence}")?;
    }
    let balance = if verdict.balances() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
    writeln!(out, "verdict        {balance}, by {}", verdict.read_from)
}

/// Users by their last word, without what nobody was told.
fn users(told: Told) -> String {
    let words = [
        (told.success, "success"),
        (told.sold_out, "sold out"),
        (told.failed, "failed"),
        (told.refused, "refused otherwise"),
        (told.without_outcome, "accepted without an outcome"),
        (told.unknown, "without an answer"),
    ];
    let told_something = words.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = told_something.map(|(count, word)| format!("{count} {word}")).collect();
    format!("{} users asked: {}", told.asked, words.join(", "))
}

fn percentiles(us: &Histogram<u64>) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| us.value_at_quantile(quantile) as f64 / 1000.0);
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_users_were_told_is_said() {
        let told = Told { asked: 30, success: 10, sold_out: 20, ..Told::default() };
        assert_eq!(users(told), "30 users asked: 10 success, 20 sold out");
    }
}
