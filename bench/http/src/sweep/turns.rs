//! Rounds in which everything that is compared is measured in turn, so that a machine that slows down or speeds up
//! favours none.

use super::Settings;
use super::progress::Progress;
use super::scripts::Programs;
use super::series::Series;
use super::server::Server;
use super::shop::Shop;

/// What every series works with.
pub struct Sweep<'a> {
    pub settings: &'a Settings,
    pub programs: &'a Programs,
    pub servers: &'a [Server],
    pub books: Books,
    pub progress: Progress,
}

/// Every audit so far, and what was wrong.
#[derive(Default)]
pub struct Books {
    pub audits: usize,
    pub wrong: Vec<String>,
}

/// One of those that are measured in turn.
pub struct Contender<'a, How> {
    pub shop: &'a Shop<'a>,
    /// The line its figures belong to.
    pub line: &'a str,
    pub x: u32,
    pub how: How,
}

pub struct Measured {
    pub figure: f64,
    /// What was wrong with the books; `None` when they are to be looked at later.
    pub audit: Option<Vec<String>>,
}

impl<'a> Sweep<'a> {
    /// A database of its own on every server.
    pub async fn open_shops(&self, name: &str) -> anyhow::Result<Vec<Shop<'a>>> {
        let mut shops = Vec::new();
        for server in self.servers {
            shops.push(Shop::open(self.programs, server, name).await?);
        }
        Ok(shops)
    }

    /// Notes an audit of the books after `measurement`.
    pub fn audited(&mut self, measurement: &str, wrong: Vec<String>) {
        self.books.audits += 1;
        for sentence in wrong {
            let sentence = format!("{measurement}: {sentence}");
            self.progress.say(&format!("  BOOKS: {sentence}"));
            self.books.wrong.push(sentence);
        }
    }

    /// Measures each contender once a round; `seconds` is what one measurement was estimated to take.
    pub async fn in_turn<How>(
        &mut self,
        series: &mut Series,
        contenders: &[Contender<'_, How>],
        seconds: f64,
        measure: impl AsyncFn(&Contender<'_, How>) -> anyhow::Result<Measured>,
    ) -> anyhow::Result<()> {
        for round in 1..=self.settings.rounds {
            for contender in order_of_round(contenders, round) {
                let Contender { shop, line, x, .. } = contender;
                let what = format!("{}: {line}, {}: {x}, PostgreSQL {}", series.name, series.x_axis, shop.postgres);
                self.progress.doing(&format!("{what}, round {round}"));
                let measured = measure(contender).await?;
                series.add(line, shop.postgres, f64::from(*x), measured.figure);
                if let Some(wrong) = measured.audit {
                    self.audited(&what, wrong);
                }
                self.progress.advance(seconds);
                self.progress.report(&format!("{what}, round {round}: {:.1} {}", measured.figure, series.y_axis));
            }
        }
        Ok(())
    }
}

/// Forwards in odd rounds, backwards in even ones.
fn order_of_round<T>(contenders: &[T], round: usize) -> Vec<&T> {
    let forwards = contenders.iter();
    if round % 2 == 1 { forwards.collect() } else { forwards.rev().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_alternates() {
        assert_eq!(order_of_round(&[1, 2, 3], 1), [&1, &2, &3]);
        assert_eq!(order_of_round(&[1, 2, 3], 2), [&3, &2, &1]);
    }
}
