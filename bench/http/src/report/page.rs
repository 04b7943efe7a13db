//! The page: one file without scripts, with its style and its pictures inside.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::canvas::Plot;
use super::input::{Latest, Sweeps};
use super::{palette, tables};
use crate::sweep::series::Series;

const STYLE: &str = include_str!("page.css");

/// What `run` has written, and its pictures.
pub struct Ratios {
    pub latest: Latest,
    pub ratios: Option<Plot>,
    pub cpu: Option<Plot>,
}

/// What `sweep` has written, and the pictures of each series.
pub struct Swept {
    pub sweeps: Sweeps,
    pub plots: Vec<Vec<Plot>>,
}

pub fn page(ratios: Option<&Ratios>, swept: Option<&Swept>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "flashsale: how fast, compared with what" }
                style { (PreEscaped(STYLE)) (PreEscaped(palette::dark_rules())) }
            }
            body {
                h1 { "flashsale: how fast, compared with what" }
                p.muted {
                    "Every figure is a median of rounds on the one machine named below; the spread is its least and greatest \
                     round. What is compared with what, and why that is fair: "
                    a href="../METHODOLOGY.md" { "METHODOLOGY.md" } "."
                }
                (ratios_section(ratios))
                (sweeps_section(swept))
            }
        }
    };
    page.into_string()
}

fn ratios_section(ratios: Option<&Ratios>) -> Markup {
    let Some(Ratios { latest, ratios, cpu }) = ratios else {
        return missing("Ratios", "flashsale-bench run");
    };
    html! {
        h2 { "Ratios" }
        (tables::origin(&latest.origin))
        (tables::ratios(&latest.ratios))
        h2 { "Against the bounds, and where the time goes" }
        div.plots {
            @if let Some(plot) = ratios {
                (figure(plot, html! {
                    p { "Dots are rounds, the coloured stroke is their median, the grey one is the bound. Ratios that should be \
                         small are turned over, so that right is always better." }
                }, html! {}))
            }
            @if let Some(plot) = cpu {
                (figure(plot, html! {
                    p { "Medians of the rounds, by process. It suffers least from whatever else the machine was doing." }
                }, details("Figures", &tables::cpu(&latest.cpu))))
            }
        }
    }
}

fn sweeps_section(swept: Option<&Swept>) -> Markup {
    let Some(Swept { sweeps, plots }) = swept else {
        return missing("The database alone", "flashsale-bench sweep");
    };
    html! {
        h2 { "The database alone" }
        p { "pgbench drives the scripts of bench/pgbench, which can be run by hand as well. Upright strokes are the least and \
             the greatest round." }
        (tables::origin(&sweeps.origin))
        @for (series, plots) in sweeps.series.iter().zip(plots) { (series_section(series, plots)) }
    }
}

fn series_section(series: &Series, plots: &[Plot]) -> Markup {
    html! {
        h2 id=(series.name) { (series.title) }
        p { (series.about) }
        div.plots { @for plot in plots { (figure(plot, html! {}, html! {})) } }
        (details("Figures", &tables::points(series)))
    }
}

fn figure(plot: &Plot, about: Markup, below: Markup) -> Markup {
    html! {
        figure {
            figcaption { h3 { (plot.title) } (about) }
            (PreEscaped(plot.inline()))
            (below)
        }
    }
}

fn details(name: &str, table: &Markup) -> Markup {
    html! { details { summary { (name) } div.wide { (table) } } }
}

fn missing(title: &str, command: &str) -> Markup {
    html! {
        h2 { (title) }
        p.missing { "Not measured yet: " code { (command) } " does." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_said_and_names_are_escaped() {
        let page = page(None, None);
        assert!(page.contains("flashsale-bench run") && page.contains("flashsale-bench sweep"));
        let mut latest = Latest::default();
        latest.origin.commit = Some("<script>".to_owned());
        let page = super::page(Some(&Ratios { latest, ratios: None, cpu: None }), None);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    }
}
