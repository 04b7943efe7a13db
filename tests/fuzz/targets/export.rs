//! Names and descriptions in what leaves the house as a file: a calendar stays one event whatever a sale is called, and a
//! table has no formula in it.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use flashsale_fuzz::database::told;
use flashsale_fuzz::postgres::some;
use flashsale_fuzz::{Answer, Door, PRODUCT, SALE, accepted};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|names: (&str, &str)| -> Corpus {
    let (name, description) = names;
    let door = Door::get();
    door.offer(name, description);
    check_calendar(&get(door, "calendar.ics"), name, description);
    told(|told| told.sale = Some(row(name, description)));
    check_table(&get(door, "report.csv"), name);
    accepted()
});

fn get(door: &Door, file: &str) -> Answer {
    let request = Request::get(format!("/sales/{SALE}/{file}"));
    let request = request.header("authorization", format!("Bearer {}", door.administrator_token));
    let answer = door.send(request.body(Body::empty()).expect("a request"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn row(name: &str, description: &str) -> Vec<Option<Vec<u8>>> {
    let (one, time) = (some(1_i32.to_be_bytes()), some(0_i64.to_be_bytes()));
    let (id, product) = (some(SALE.as_bytes()), some(PRODUCT.as_bytes()));
    vec![id, product, some(name), some(description), one.clone(), one.clone(), one.clone(), one, time.clone(), time]
}

/// RFC 5545: lines end with CRLF, are folded at 75 octets, and a text has no line break of its own.
fn check_calendar(answer: &Answer, name: &str, description: &str) {
    let text = std::str::from_utf8(&answer.body).expect("a calendar is UTF-8");
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "a long line: {text:?}");
    let unfolded = text.replace("\r\n ", "");
    let lines: Vec<&str> = unfolded.split("\r\n").collect();
    for (line, times) in
        [("BEGIN:VCALENDAR", 1), ("BEGIN:VEVENT", 1), ("END:VEVENT", 1), ("BEGIN:VALARM", 1), ("END:VALARM", 1)]
    {
        assert_eq!(lines.iter().filter(|found| **found == line).count(), times, "{line} in {text:?}");
    }
    let value = |property: &str| lines.iter().find_map(|line| line.strip_prefix(property)).map(unescaped);
    let one_line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    assert_eq!(value("SUMMARY:"), Some(format!("Flash sale: {one_line}")), "{text:?}");
    if !description.contains('\\') {
        assert_eq!(value("DESCRIPTION:"), Some(description.replace('\r', "")), "{text:?}");
    }
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

/// RFC 4180, three fields a line, and no field that a spreadsheet would run.
fn check_table(answer: &Answer, name: &str) {
    let mut reader = csv::ReaderBuilder::new().from_reader(answer.body.as_slice());
    let mut shown = None;
    for record in reader.records() {
        let record = record.expect("a record");
        assert_eq!(record.len(), 3, "{record:?}");
        assert!(!record[2].starts_with(['=', '+', '-', '@', '\t', '\r']), "{record:?}");
        if &record[0] == "name" {
            shown = Some(record[2].to_owned());
        }
    }
    let shown = shown.expect("the name of the sale");
    assert!(shown == name || shown.strip_prefix('\'') == Some(name), "{shown:?} for {name:?}");
}
