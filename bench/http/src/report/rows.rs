//! What plots of named rows have in common: the name and the value above each row, and where its marks go.

use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{self, Area, WIDTH};
use super::palette::{self, Paint};

pub const ROW_HEIGHT: u32 = 52;
/// Of the axis with its name, below the rows.
pub const AXIS_HEIGHT: u32 = 50;
pub const MARGIN: u32 = 14;

/// Characters that fit beside each other in a row.
const ROW_CHARACTERS: usize = 50;

pub struct Row {
    pub name: String,
    pub value: String,
    pub paint: Paint,
}

pub fn height(rows: usize) -> u32 {
    2 * MARGIN + rows as u32 * ROW_HEIGHT + AXIS_HEIGHT
}

/// Pixels between the margins.
pub fn width() -> f64 {
    f64::from(WIDTH - 2 * MARGIN)
}

/// The middle of the marks of a row, on an axis that counts rows downwards.
pub fn middle(row: usize) -> f64 {
    row as f64 + 0.6
}

/// Writes names to the left and values to the right.
pub fn label(area: &Area<'_>, rows: &[Row]) -> anyhow::Result<()> {
    let (left, right) = (MARGIN as i32, (WIDTH - MARGIN) as i32);
    for (row, index) in rows.iter().zip(0..) {
        let top = (MARGIN + index * ROW_HEIGHT) as i32 + 2;
        let name = shortened(&row.name, ROW_CHARACTERS.saturating_sub(row.value.chars().count()));
        area.draw_text(&name, &canvas::at(canvas::text(palette::INK), HPos::Left, VPos::Top), (left, top))?;
        area.draw_text(&row.value, &canvas::at(canvas::text(row.paint), HPos::Right, VPos::Top), (right, top))?;
    }
    Ok(())
}

fn shortened(name: &str, characters_max: usize) -> String {
    if name.chars().count() <= characters_max {
        return name.to_owned();
    }
    name.chars().take(characters_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_ends_in_an_ellipsis() {
        assert_eq!([shortened("buy ÷ naive", 11), shortened("buy ÷ naive", 6)], ["buy ÷ naive", "buy ÷…"]);
    }
}
