//! The colours of the plots. plotters writes colours as attributes; style rules that match those attributes replace them
//! where the reader's screen is dark, on the page and in each plot's own file.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour on a light ground, and what takes its place on a dark one.
#[derive(Clone, Copy)]
pub struct Paint {
    pub light: RGBColor,
    dark: RGBColor,
}

const fn paint(light: u32, dark: u32) -> Paint {
    Paint { light: rgb(light), dark: rgb(dark) }
}

const fn rgb(colour: u32) -> RGBColor {
    let [_, red, green, blue] = colour.to_be_bytes();
    RGBColor(red, green, blue)
}

pub const INK: Paint = paint(0x1F_23_28, 0xE6_ED_F3);
pub const MUTED: Paint = paint(0x59_63_6E, 0x9D_A7_B1);
pub const GRID: Paint = paint(0xD9_DF_E4, 0x3D_44_4D);
pub const GOOD: Paint = paint(0x1A_7F_4A, 0x3F_B9_7E);
pub const BAD: Paint = paint(0xCF_22_2D, 0xFF_7B_71);

/// For what is told apart by colour, in this order; the lightness differs between neighbours too.
const SERIES: [Paint; 8] = [
    paint(0x0B_62_B8, 0x58_A6_FF),
    paint(0xD9_6B_00, 0xF0_88_3E),
    paint(0x1A_7F_4B, 0x3F_B9_7F),
    paint(0x8A_5C_E6, 0xBC_8C_FF),
    paint(0xCF_22_2E, 0xFF_7B_72),
    paint(0x27_A3_AD, 0x39_C5_CF),
    paint(0x7D_4E_00, 0xD2_99_22),
    paint(0xD1_4D_9B, 0xF7_78_BA),
];

pub fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()].light
}

/// Style rules for dark screens.
pub fn dark_rules() -> String {
    let mut rules = String::from("@media (prefers-color-scheme: dark) {\n");
    for Paint { light, dark } in [INK, MUTED, GRID, GOOD, BAD].into_iter().chain(SERIES) {
        let (light, dark) = (hex(light), hex(dark));
        // Writing to a string cannot fail.
        let _ = writeln!(rules, "[fill=\"{light}\"] {{ fill: {dark} }} [stroke=\"{light}\"] {{ stroke: {dark} }}");
    }
    rules + "}\n"
}

/// As plotters writes it.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_colour_has_one_rule() {
        let all: Vec<_> = [INK, MUTED, GRID, GOOD, BAD].into_iter().chain(SERIES).collect();
        let different: HashSet<_> = all.iter().map(|paint| hex(paint.light)).collect();
        assert_eq!(different.len(), all.len());
        assert!(dark_rules().contains("[fill=\"#0B62B8\"] { fill: #58A6FF }"));
    }
}
