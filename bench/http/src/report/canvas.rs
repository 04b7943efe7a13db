//! What all plots have in common: their width, their text, a legend, and the way to a string of SVG.

use maud::html;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, IntoFont, RGBColor, TextStyle};

use super::palette::{self, Paint};

/// Narrow enough that text can be read when a phone shows the plot in 360 pixels.
pub const WIDTH: u32 = 440;
/// plotters takes this for points: the text is 14 pixels high.
const TEXT_SIZE: f64 = 17.4;
const LEGEND_ROW: i32 = 20;
const LEGEND_LEFT: i32 = 12;

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A picture with its name as a file, without the extension.
pub struct Plot {
    pub name: String,
    pub title: String,
    pub svg: String,
}

impl Plot {
    pub fn draw(
        name: impl Into<String>,
        title: impl Into<String>,
        height: u32,
        draw: impl FnOnce(&Area<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area)?;
        area.present()?;
        drop(area);
        Ok(Self { name: name.into(), title: title.into(), svg })
    }

    /// The picture as part of a page, which has the style.
    pub fn inline(&self) -> String {
        self.with_head("")
    }

    /// The picture by itself: light or dark as the reader's screen is.
    pub fn file(&self) -> String {
        self.with_head(&format!("<style>{}</style>\n", palette::dark_rules()))
    }

    /// The picture with its title for those who cannot see it, and `head` before what is drawn.
    fn with_head(&self, head: &str) -> String {
        let title = html! { title { (self.title) } }.into_string();
        let picture = self.svg.replacen("<svg ", "<svg role=\"img\" ", 1);
        picture.replacen(">\n", &format!(">\n{title}\n{head}"), 1)
    }
}

pub fn font() -> FontDesc<'static> {
    ("sans-serif", TEXT_SIZE).into_font()
}

pub fn text(paint: Paint) -> TextStyle<'static> {
    font().color(&paint.light)
}

/// Where the text touches its coordinates.
pub fn at(style: TextStyle<'static>, horizontally: HPos, vertically: VPos) -> TextStyle<'static> {
    style.pos(Pos::new(horizontally, vertically))
}

pub fn legend_height(entries: usize) -> u32 {
    8 + entries as u32 * LEGEND_ROW as u32
}

/// One entry a row, from the top.
pub fn legend(area: &Area<'_>, entries: &[(RGBColor, String)]) -> anyhow::Result<()> {
    for ((colour, name), row) in entries.iter().zip(0..) {
        let middle = LEGEND_ROW / 2 + row * LEGEND_ROW;
        area.draw(&PathElement::new([(LEGEND_LEFT, middle), (LEGEND_LEFT + 24, middle)], colour.stroke_width(3)))?;
        area.draw(&Circle::new((LEGEND_LEFT + 12, middle), 4, colour.filled()))?;
        let style = at(text(palette::INK), HPos::Left, VPos::Center);
        area.draw_text(name, &style, (LEGEND_LEFT + 32, middle))?;
    }
    Ok(())
}
