//! A sale: its window, its stock, and the states it passes through by the database's clock.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{InvalidField, ProductId, SaleId};

/// Where a moment lies relative to a sale's window, whose start is in it and whose end is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaleStatus {
    Upcoming,
    Active,
    Ended,
}

impl SaleStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }
}

/// A sale as the database showed it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleSnapshot {
    pub flash_sale_id: SaleId,
    pub product_id: ProductId,
    pub name: String,
    pub description: String,
    pub price_in_cents: i32,
    pub quantity: i32,
    pub sold: i32,
    /// Orders that are not failed: sold or in progress.
    pub live: i32,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
}

impl SaleSnapshot {
    pub fn status_at(&self, now: DateTime<Utc>) -> SaleStatus {
        if now < self.start_date {
            SaleStatus::Upcoming
        } else if now < self.end_date {
            SaleStatus::Active
        } else {
            SaleStatus::Ended
        }
    }

    /// Units not sold yet, whether or not a request for them is queued.
    pub const fn remaining_stock(&self) -> i32 {
        self.quantity - self.sold
    }

    /// Whether the database says that every unit is sold.
    pub const fn is_sold_out(&self) -> bool {
        self.sold >= self.quantity
    }
}

/// What a sale is of: a product to be made with it, or one that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewProduct {
    Create { product_id: ProductId, name: String, description: String, price_in_cents: i32 },
    Existing(ProductId),
}

impl NewProduct {
    pub const fn product_id(&self) -> ProductId {
        match self {
            Self::Create { product_id, .. } | Self::Existing(product_id) => *product_id,
        }
    }
}

/// A sale to be created, every field checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSale {
    pub flash_sale_id: SaleId,
    pub product: NewProduct,
    pub quantity: i32,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
}

impl NewSale {
    /// # Errors
    /// The first [`InvalidField`] found.
    pub fn check(&self) -> Result<(), InvalidField> {
        if let NewProduct::Create { name, description, price_in_cents, .. } = &self.product {
            check_name(name)?;
            check_description(description)?;
            check_price(*price_in_cents)?;
        }
        check_quantity(self.quantity)?;
        check_window(self.start_date, self.end_date)
    }
}

/// What is to change of a sale; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaleChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub price_in_cents: Option<i32>,
    pub quantity: Option<i32>,
    pub start_date: Option<DateTime<Utc>>,
    pub end_date: Option<DateTime<Utc>>,
}

impl SaleChange {
    /// Checks what can be checked without the sale at hand; the database checks the window as a whole.
    ///
    /// # Errors
    /// The first [`InvalidField`] found.
    pub fn check(&self) -> Result<(), InvalidField> {
        self.name.as_deref().map_or(Ok(()), check_name)?;
        self.description.as_deref().map_or(Ok(()), check_description)?;
        self.price_in_cents.map_or(Ok(()), check_price)?;
        self.quantity.map_or(Ok(()), check_quantity)?;
        self.start_date.map_or(Ok(()), |date| check_year("start_date", date))?;
        self.end_date.map_or(Ok(()), |date| check_year("end_date", date))?;
        match (self.start_date, self.end_date) {
            (Some(start_date), Some(end_date)) => check_window(start_date, end_date),
            _ => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), InvalidField> {
    if name.trim().is_empty() || name.chars().count() > 200 || name.contains('\0') {
        return Err(InvalidField::new("name", "must be 1 to 200 characters long"));
    }
    Ok(())
}

fn check_description(description: &str) -> Result<(), InvalidField> {
    if description.chars().count() > 2000 || description.contains('\0') {
        return Err(InvalidField::new("description", "must be at most 2000 characters long"));
    }
    Ok(())
}

fn check_price(price_in_cents: i32) -> Result<(), InvalidField> {
    if price_in_cents < 0 {
        return Err(InvalidField::new("price_in_cents", "must be 0 or more"));
    }
    Ok(())
}

fn check_quantity(quantity: i32) -> Result<(), InvalidField> {
    if !(0..=10_000_000).contains(&quantity) {
        return Err(InvalidField::new("quantity", "must be 0 to 10000000"));
    }
    Ok(())
}

/// By the microsecond, as the database keeps it: a leap second of 2200 belongs to the next year there.
fn check_year(field: &'static str, date: DateTime<Utc>) -> Result<(), InvalidField> {
    const IN_2000_TO_2200: std::ops::Range<i64> = 946_684_800_000_000..7_289_654_400_000_000;
    if !IN_2000_TO_2200.contains(&date.timestamp_micros()) {
        return Err(InvalidField::new(field, "must lie between the years 2000 and 2200"));
    }
    Ok(())
}

fn check_window(start_date: DateTime<Utc>, end_date: DateTime<Utc>) -> Result<(), InvalidField> {
    check_year("start_date", start_date)?;
    check_year("end_date", end_date)?;
    if start_date >= end_date {
        return Err(InvalidField::new("end_date", "must be later than start_date"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{NewProduct, NewSale, SaleChange, SaleSnapshot, SaleStatus};

    fn sale(start_date: DateTime<Utc>, end_date: DateTime<Utc>) -> SaleSnapshot {
        SaleSnapshot {
            flash_sale_id: Uuid::nil(),
            product_id: Uuid::nil(),
            name: "n".into(),
            description: String::new(),
            price_in_cents: 1,
            quantity: 1,
            sold: 0,
            live: 0,
            start_date,
            end_date,
        }
    }

    #[test]
    fn the_start_is_in_the_window_and_the_end_is_not() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let end = start + TimeDelta::seconds(10);
        let sale = sale(start, end);
        let tick = TimeDelta::microseconds(1);
        assert_eq!(sale.status_at(start - tick), SaleStatus::Upcoming);
        assert_eq!(sale.status_at(start), SaleStatus::Active);
        assert_eq!(sale.status_at(end - tick), SaleStatus::Active);
        assert_eq!(sale.status_at(end), SaleStatus::Ended);
    }

    #[test]
    fn the_first_invalid_field_is_named() {
        let start_date = "2030-01-01T00:00:00Z".parse().unwrap();
        let valid = NewSale {
            flash_sale_id: Uuid::nil(),
            product: NewProduct::Existing(Uuid::nil()),
            quantity: 5,
            start_date,
            end_date: start_date + TimeDelta::hours(1),
        };
        assert_eq!(valid.check(), Ok(()));
        let backwards = NewSale { end_date: start_date, ..valid.clone() };
        assert_eq!(backwards.check().unwrap_err().field, "end_date");
        let negative = NewSale { quantity: -1, ..valid };
        assert_eq!(negative.check().unwrap_err().field, "quantity");
        let change = SaleChange { price_in_cents: Some(-1), ..SaleChange::default() };
        assert_eq!(change.check().unwrap_err().field, "price_in_cents");
        let too_late = SaleChange { end_date: Some(DateTime::<Utc>::MAX_UTC), ..SaleChange::default() };
        assert_eq!(too_late.check().unwrap_err().field, "end_date");
    }

    #[test]
    fn years_are_those_of_the_database() {
        let check = |text: &str| {
            let end_date = Some(text.parse().unwrap());
            SaleChange { end_date, ..SaleChange::default() }.check().is_ok()
        };
        for (text, is_valid) in [
            ("1999-12-31T23:59:59.999999999Z", false),
            ("2000-01-01T00:00:00Z", true),
            ("2200-12-31T23:59:59.999999999Z", true),
            ("2200-12-31T23:59:60Z", false),
            ("2201-01-01T00:00:00Z", false),
        ] {
            assert_eq!(check(text), is_valid, "{text}");
        }
    }
}
