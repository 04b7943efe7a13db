//! The report of a sale as CSV in long form: one measure a line, so that a spreadsheet can pivot it.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::activity::SaleReportView;

/// The table with header `measure,minute,value`. Times are RFC 3339 UTC; what is not known is empty.
pub fn report_csv(report: &SaleReportView) -> Vec<u8> {
    let mut table = Table(csv::Writer::from_writer(Vec::new()));
    table.line("measure", "minute", "value");
    summary(report, &mut table);
    for minute in &report.minutes {
        let at = time(minute.minute);
        for (measure, value) in [
            ("attempts", minute.attempts),
            ("accepted", minute.accepted),
            ("refused", minute.refused),
            ("succeeded", minute.succeeded),
            ("failed", minute.failed),
        ] {
            table.line(measure, &at, &value.to_string());
        }
    }
    table.0.into_inner().unwrap_or_default()
}

fn summary(report: &SaleReportView, table: &mut Table) {
    let (sale, fairness) = (&report.sale, &report.fairness);
    let lines = [
        ("server_time", time(report.server_time)),
        ("flash_sale_id", sale.flash_sale_id.to_string()),
        ("product_id", sale.product_id.to_string()),
        ("name", inert(&sale.name).into_owned()),
        ("price_in_cents", sale.price_in_cents.to_string()),
        ("status", sale.status.as_str().to_owned()),
        ("start_date", time(sale.start_date)),
        ("end_date", time(sale.end_date)),
        ("quantity", sale.quantity.to_string()),
        ("balanced", report.balanced.to_string()),
        ("sold", report.sold.to_string()),
        ("in_progress", report.in_progress.to_string()),
        ("failed", report.failed.to_string()),
        ("attempts", report.attempts.to_string()),
        ("accepted", report.accepted.to_string()),
    ];
    for (measure, value) in lines {
        table.line(measure, "", &value);
    }
    for refused in &report.refusals {
        table.line(&format!("refused_{}", refused.reason.code()), "", &refused.attempts.to_string());
    }
    let known = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let lines = [
        ("sold_out_after_ms", report.sold_out_after_ms.map(|ms| ms.to_string()).unwrap_or_default()),
        ("settled", fairness.orders.to_string()),
        ("waited_p50_ms", known(fairness.waited_p50_ms)),
        ("waited_p99_ms", known(fairness.waited_p99_ms)),
        ("waited_max_ms", known(fairness.waited_max_ms)),
        ("overtaken", fairness.overtaken.to_string()),
        ("failed_before_later_success", fairness.failed_before_later_success.to_string()),
    ];
    for (measure, value) in lines {
        table.line(measure, "", &value);
    }
}

struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn line(&mut self, measure: &str, minute: &str, value: &str) {
        // Writing to memory does not fail.
        let _ = self.0.write_record([measure, minute, value]);
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A text that no spreadsheet takes for a formula.
fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn a_name_is_no_formula() {
        assert_eq!(inert("=1+1"), "'=1+1");
        assert_eq!(inert("lamp"), "lamp");
    }
}
