//! `/sales/{flash_sale_id}/calendar.ics`: a sale for one's calendar.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Alarm, Calendar, Component, Event, EventLike};
use uuid::Uuid;

use super::activity::attachment;
use super::problem::Problem;
use super::state::Api;
use crate::domain::SaleSnapshot;

/// Reminded this long before the start.
const REMINDER: TimeDelta = TimeDelta::minutes(5);

/// A sale as an event for calendars, with a reminder five minutes before it starts.
#[utoipa::path(get, path = "/sales/{flash_sale_id}/calendar.ics", tag = "sales",
    params(("flash_sale_id" = Uuid, Path)), responses(
    (status = 200, content_type = "text/calendar", body = String, description = "an attachment"),
))]
pub async fn export_sale_calendar(
    State(api): State<Api>,
    Path(flash_sale_id): Path<String>,
) -> Result<Response, Problem> {
    if !api.board.is_ready() {
        return Err(Problem::unavailable());
    }
    let board = api.board.current();
    let id = Uuid::parse_str(&flash_sale_id).ok();
    let sale = board.sales.iter().find(|sale| Some(sale.flash_sale_id) == id).ok_or_else(Problem::sale_not_found)?;
    let name = format!("flash-sale-{}.ics", sale.flash_sale_id);
    Ok((attachment("text/calendar; charset=utf-8", &name), calendar(sale, api.board.database_now())).into_response())
}

/// One event, as of now; its UID stays the same, so that a second import updates it.
pub fn calendar(sale: &SaleSnapshot, now: DateTime<Utc>) -> String {
    let name = one_line(&sale.name);
    let mut reminder = Alarm::display(&format!("{name} goes on sale soon"), -REMINDER);
    reminder.uid(&format!("{}-reminder@flashsale", sale.flash_sale_id));
    let event = Event::new()
        .uid(&format!("{}@flashsale", sale.flash_sale_id))
        .summary(&format!("Flash sale: {name}"))
        .description(&sale.description.replace('\r', ""))
        .starts(sale.start_date)
        .ends(sale.end_date)
        .timestamp(now)
        .alarm(reminder)
        .done();
    Calendar::new().name("Flash sales").push(event).done().to_string()
}

/// A text without control characters, which would be lines of their own.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use uuid::Uuid;

    use super::calendar;
    use crate::domain::SaleSnapshot;

    #[test]
    fn a_name_or_description_adds_no_line_of_its_own() {
        let hostile = "lamp\r\nEND:VEVENT\nATTENDEE:mailto:x@example.org; a, b\\n".to_owned();
        let sale = SaleSnapshot {
            flash_sale_id: Uuid::from_u128(7),
            product_id: Uuid::from_u128(8),
            name: hostile.clone(),
            description: hostile,
            price_in_cents: 1,
            quantity: 1,
            sold: 0,
            live: 0,
            start_date: Utc::now(),
            end_date: Utc::now() + TimeDelta::hours(1),
        };
        let text = calendar(&sale, Utc::now());
        let starts = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!((starts("BEGIN:VEVENT"), starts("END:VEVENT"), starts("ATTENDEE")), (1, 1, 0), "{text}");
        assert!(text.contains("UID:00000000-0000-0000-0000-000000000007@flashsale\r\n"), "{text}");
    }
}
