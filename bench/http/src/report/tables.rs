//! The tables of the page: ratios, processor time, the points of a series, and where figures come from.

use maud::{Markup, html};
use serde_json::Value;

use super::axis::thousands;
use super::input::{CpuShare, Origin, Ratio, Side};
use crate::sweep::series::Series;

pub fn ratios(ratios: &[Ratio]) -> Markup {
    html! {
        table.ratios {
            thead { tr {
                th { "ratio" } th.number { "median" } th.number { "bound" } th { "holds" } th { "rounds" } th { "figures" }
            } }
            tbody { @for ratio in ratios { tr {
                td.name { (ratio.name) }
                td.number data-name="median" { (thousands(ratio.value)) }
                td.number data-name="bound" { (ratio.direction.sign()) " " (ratio.bound) }
                td data-name="holds" { @if ratio.holds { span.good { "yes" } } @else { span.bad { "no" } } }
                td.spread data-name="rounds" { (spread(ratio)) }
                td data-name="figures" { (figures(ratio)) }
            } } }
        }
    }
}

fn spread(ratio: &Ratio) -> String {
    match (ratio.min, ratio.max) {
        (Some(min), Some(max)) => format!("{}–{} ({})", thousands(min), thousands(max), ratio.rounds.len()),
        _ => "–".to_owned(),
    }
}

fn figures(ratio: &Ratio) -> String {
    let of = |side: &Side| format!("{} {} ({})", thousands(side.median), side.unit, side.what);
    let sides = [&ratio.numerator, &ratio.denominator].into_iter().flatten().map(of);
    sides.collect::<Vec<_>>().join(" ÷ ")
}

pub fn cpu(shares: &[CpuShare]) -> Markup {
    let figure = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), thousands);
    html! {
        table {
            thead { tr {
                th { "measurement" } th { "process" } th.number { "cores busy" } th.number { "µs per request" }
            } }
            tbody { @for share in shares { tr {
                td { (share.measurement) }
                td { (share.process) }
                td.number { (figure(share.cores_busy)) }
                td.number { (figure(share.cpu_us_per_request)) }
            } } }
        }
    }
}

pub fn points(series: &Series) -> Markup {
    html! {
        table {
            thead { tr {
                th { "line" } th.number { (series.x_axis) } th.number { (series.y_axis) } th { "rounds" }
            } }
            tbody { @for line in &series.lines { @for point in &line.points { tr {
                td { (line.name) ", PostgreSQL " (line.postgres) }
                td.number { (thousands(point.x)) }
                td.number { (thousands(point.median)) }
                td.spread { (thousands(point.min)) "–" (thousands(point.max)) " (" (point.rounds.len()) ")" }
            } } } }
        }
    }
}

/// When, of which commit, on what, and whether the books balanced.
pub fn origin(origin: &Origin) -> Markup {
    let hardware = origin.hardware.iter().map(|(name, value)| format!("{}: {}", name.replace('_', " "), plain(value)));
    let hardware = hardware.collect::<Vec<_>>().join(" · ");
    html! {
        dl.facts {
            @if let Some(at) = &origin.generated_at { dt { "measured" } dd { (at) (took(origin)) } }
            @if let Some(commit) = &origin.commit { dt { "commit" } dd { code { (commit) } } }
            @if !hardware.is_empty() { dt { "machine" } dd { (hardware) } }
            @for (name, value) in &origin.versions {
                @if !value.is_null() && name != "postgres_settings" { dt { (name) } dd { (plain(value)) } }
            }
            @for server in &origin.servers {
                @if let Some(version) = server.get("version") { dt { "server" } dd { (plain(version)) } }
            }
            @if let Some(books) = &origin.books {
                dt { "books" }
                dd {
                    @if books.balanced { span.good { "balanced" } } @else { span.bad { "DO NOT BALANCE" } }
                    " in " (books.audits) " audits"
                    @for violation in &books.violations { br; (violation) }
                }
            }
        }
        details {
            summary { "Settings" }
            dl.facts {
                @for (name, value) in &origin.settings { dt { (name.replace('_', " ")) } dd { (plain(value)) } }
                @for (name, value) in postgres_settings(origin) { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn took(origin: &Origin) -> String {
    origin.took_seconds.map(|seconds| format!(", took {} s", thousands(seconds as f64))).unwrap_or_default()
}

/// The settings of the servers, which are pairs of a name and a value.
fn postgres_settings(origin: &Origin) -> Vec<(String, String)> {
    let of_servers = origin.servers.iter().map(|server| (server.get("postgres"), server.get("settings")));
    let all = of_servers.chain([(None, origin.versions.get("postgres_settings"))]);
    let named = all.flat_map(|(server, settings)| {
        let server = server.map_or_else(|| "PostgreSQL".to_owned(), |server| format!("PostgreSQL {}", plain(server)));
        let pairs = settings.and_then(Value::as_array).into_iter().flatten();
        pairs.map(move |pair| (format!("{server} {}", plain(&pair[0])), plain(&pair[1])))
    });
    named.collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
