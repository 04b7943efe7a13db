//! GET /sales/{id}/calendar.ics: a sale for one's calendar.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::harness::Stack;

/// The value of a property that stands there once outside the reminder, unfolded.
fn property(text: &str, name: &str) -> String {
    let (before, reminder) = text.split_once("BEGIN:VALARM").expect("a reminder");
    let (_, after) = reminder.split_once("END:VALARM").expect("its end");
    let unfolded = format!("{before}{after}").replace("\r\n ", "");
    let values: Vec<String> = unfolded
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.split(';').next() == Some(name))
        .map(|(_, value)| value.to_owned())
        .collect();
    assert_eq!(values.len(), 1, "{name} in {text}");
    values[0].clone()
}

fn time(text: &str, name: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(&property(text, name), "%Y%m%dT%H%M%SZ").expect(name).and_utc()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_is_an_event_with_a_lasting_name() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let start = Utc::now().with_nanosecond(0).unwrap() + TimeDelta::hours(5);
    let sale = stack.sale_between(5, start, start + TimeDelta::hours(2)).await;
    let path = format!("/sales/{}/calendar.ics", sale.flash_sale_id);
    let reply = stack.http().get(&path).send().await.expect(200);
    assert!(reply.header("content-type").unwrap_or_default().starts_with("text/calendar"), "{reply:?}");
    let disposition = reply.header("content-disposition").unwrap_or_default();
    assert!(disposition.starts_with("attachment; filename=\"") && disposition.ends_with(".ics\""), "{disposition}");
    let text = reply.text();
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.trim_end().ends_with("END:VCALENDAR"), "{text}");
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 1, "{text}");
    assert_eq!((time(&text, "DTSTART"), time(&text, "DTEND")), (start, start + TimeDelta::hours(2)));
    assert!(property(&text, "UID").contains(&sale.flash_sale_id.to_string()), "{text}");

    let rename = json!({
        "flash_sale_id": sale.flash_sale_id, "name": "Lamp; glass, \"warm\"", "start_date": start + TimeDelta::hours(1),
    });
    stack.http().post("/sales/update").bearer(&administrator.token).json(&rename).send().await.expect(200);
    let changed = stack.http().get(&path).send().await.expect(200).text();
    assert_eq!(property(&changed, "UID"), property(&text, "UID"), "a second import updates the event");
    assert_eq!(time(&changed, "DTSTART"), start + TimeDelta::hours(1));
    assert!(property(&changed, "SUMMARY").contains(r#"Lamp\; glass\, "warm""#), "{changed}");
    for id in [Uuid::new_v4().to_string(), "x".to_owned(), "%00".to_owned()] {
        stack.http().get(&format!("/sales/{id}/calendar.ics")).send().await.problem(404, "sale_not_found");
    }
}
