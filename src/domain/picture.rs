//! A picture for a product that has none: a still life of a few round forms on a calm ground, drawn from the product's id,
//! so that a product looks the same in every process and at any time. No text, no script, nothing loaded from elsewhere.

use std::fmt::Write;

use super::ProductId;

/// Wall, floor, and the colours of the forms, the first for the largest.
struct Palette {
    wall: [&'static str; 2],
    floor: [&'static str; 2],
    forms: [[&'static str; 2]; 4],
}

/// Light and dark tone of each colour. Chosen by hand: every form stands out from its ground and from its neighbours.
const PALETTES: [Palette; 8] = [
    Palette {
        wall: ["#f6e7d8", "#eccfb6"],
        floor: ["#e2b596", "#d69f7c"],
        forms: [["#e4745a", "#c9543c"], ["#2f6f73", "#1f5155"], ["#f5b85b", "#e39a35"], ["#fff3e2", "#f1d9bd"]],
    },
    Palette {
        wall: ["#e4ebf3", "#cad8e8"],
        floor: ["#a9bfd8", "#8fa9c8"],
        forms: [["#3d5a92", "#28406f"], ["#f08a6c", "#db6a4b"], ["#f7cf7a", "#e8b24c"], ["#ffffff", "#e3e9f2"]],
    },
    Palette {
        wall: ["#e9f0e6", "#d3e2cf"],
        floor: ["#b3ccae", "#98b793"],
        forms: [["#3f7358", "#2a543e"], ["#f0b25a", "#dd9436"], ["#d9694f", "#bd4f38"], ["#fbf6e6", "#e8dfc2"]],
    },
    Palette {
        wall: ["#f2e6ee", "#e3cbdb"],
        floor: ["#c9a5bd", "#b58aa8"],
        forms: [["#6c3f6b", "#4d2a4e"], ["#ee8e7f", "#d96e60"], ["#5a8f9b", "#40707c"], ["#fdeff0", "#efd4d8"]],
    },
    Palette {
        wall: ["#f5efe0", "#eadfc3"],
        floor: ["#d4bf8f", "#c2a971"],
        forms: [["#274c5e", "#173443"], ["#d98a3d", "#bd6f25"], ["#7fa08a", "#64866f"], ["#fffaf0", "#efe3c9"]],
    },
    Palette {
        wall: ["#303a52", "#232b40"],
        floor: ["#1c2234", "#151a29"],
        forms: [["#f2a65a", "#dc8636"], ["#5d7fb8", "#43639a"], ["#e8655f", "#cc4843"], ["#f6ead5", "#dccbab"]],
    },
    Palette {
        wall: ["#dff0ef", "#c2e1df"],
        floor: ["#8fc4c1", "#72aeab"],
        forms: [["#147a7e", "#0b595d"], ["#f4766a", "#de574b"], ["#f6c65b", "#e6aa34"], ["#ffffff", "#e0efee"]],
    },
    Palette {
        wall: ["#f7e3df", "#efc8c0"],
        floor: ["#dfa097", "#cd877d"],
        forms: [["#a63d40", "#822a2e"], ["#3c5a6e", "#294253"], ["#f3b562", "#e0983d"], ["#fff1ec", "#f3d5cb"]],
    },
];

/// An SVG of 800 by 800 for a product.
pub fn draw_picture(product_id: ProductId) -> String {
    let mut dice = Dice::of(product_id);
    let palette = &PALETTES[dice.below(PALETTES.len() as u64) as usize % PALETTES.len()];
    let mut svg = String::with_capacity(4096);
    // Writing to a string does not fail.
    let _ = ground(&mut svg, palette, dice.between(540, 610));
    let _ = forms(&mut svg, &mut dice);
    svg.push_str("</svg>\n");
    svg
}

fn ground(svg: &mut String, palette: &Palette, horizon: i64) -> std::fmt::Result {
    svg.push_str(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 800" width="800" height="800"><defs>"#);
    gradient(svg, "wall", palette.wall, "0.2")?;
    gradient(svg, "floor", palette.floor, "0")?;
    for (number, colours) in palette.forms.into_iter().enumerate() {
        gradient(svg, &format!("form{number}"), colours, "0.6")?;
    }
    svg.push_str(concat!(
        r##"<filter id="shadow" x="-30%" y="-30%" width="160%" height="170%">"##,
        r##"<feDropShadow dx="0" dy="18" stdDeviation="22" flood-color="#1b1420" flood-opacity="0.28"/></filter>"##,
        r##"<radialGradient id="light" cx="0.3" cy="0.12" r="0.9"><stop offset="0" stop-color="#fff" stop-opacity="0.5"/>"##,
        r##"<stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient></defs>"##,
    ));
    write!(
        svg,
        r#"<rect width="800" height="800" fill="url(#wall)"/><rect y="{horizon}" width="800" height="{}" fill="url(#floor)"/><rect width="800" height="800" fill="url(#light)"/>"#,
        800 - horizon
    )
}

fn gradient(svg: &mut String, id: &str, [light, dark]: [&str; 2], x2: &str) -> std::fmt::Result {
    write!(
        svg,
        r#"<linearGradient id="{id}" x1="0" y1="0" x2="{x2}" y2="1"><stop offset="0" stop-color="{light}"/><stop offset="1" stop-color="{dark}"/></linearGradient>"#
    )
}

/// From the back to the front: a large form, two that overlap it left and right, and often a small ball.
fn forms(svg: &mut String, dice: &mut Dice) -> std::fmt::Result {
    let left = if dice.below(2) == 0 { 1 } else { -1 };
    match dice.below(3) {
        0 => disc(svg, 0, 400 + left * dice.between(20, 60), dice.between(330, 380), dice.between(200, 230))?,
        1 => arch(svg, 0, 400 + left * dice.between(20, 60), dice.between(180, 210), dice.between(420, 480), 660)?,
        _ => block(svg, 0, (400 + left * 30, 390), (380, 420), 70, left * dice.between(6, 12))?,
    }
    match dice.below(2) {
        0 => arch(svg, 1, 400 - left * dice.between(130, 160), dice.between(95, 120), dice.between(270, 330), 690)?,
        _ => {
            let at = (400 - left * dice.between(120, 150), 500);
            block(svg, 1, at, (150, dice.between(360, 410)), 75, left * dice.between(10, 22))?;
        }
    }
    match dice.below(3) {
        0 => disc(svg, 2, 400 + left * dice.between(90, 140), 590, dice.between(110, 125))?,
        1 => block(svg, 2, (400 + left * 110, 610), (dice.between(230, 270), 180), 60, 0)?,
        _ => block(svg, 2, (400 + left * 100, 600), (dice.between(290, 330), 130), 65, -left * dice.between(4, 9))?,
    }
    if dice.below(4) > 0 {
        let radius = dice.between(48, 66);
        disc(svg, 3, 400 - left * dice.between(10, 60), 712 - radius, radius)?;
    }
    Ok(())
}

fn disc(svg: &mut String, colour: u8, x: i64, y: i64, radius: i64) -> std::fmt::Result {
    write!(svg, r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="url(#form{colour})" filter="url(#shadow)"/>"#)
}

/// A rounded rectangle by its middle and size, turned by some degrees.
fn block(
    svg: &mut String,
    colour: u8,
    (x, y): (i64, i64),
    (width, height): (i64, i64),
    round: i64,
    turn: i64,
) -> std::fmt::Result {
    write!(
        svg,
        r#"<g filter="url(#shadow)"><rect x="{}" y="{}" width="{width}" height="{height}" rx="{round}" transform="rotate({turn} {x} {y})" fill="url(#form{colour})"/></g>"#,
        x - width / 2,
        y - height / 2
    )
}

/// An upright form with a round top that stands at `bottom`.
fn arch(svg: &mut String, colour: u8, x: i64, radius: i64, height: i64, bottom: i64) -> std::fmt::Result {
    let (left, right, shoulder) = (x - radius, x + radius, bottom - height + radius);
    write!(
        svg,
        r#"<path d="M{left} {foot}V{shoulder}A{radius} {radius} 0 0 1 {right} {shoulder}V{foot}Q{right} {bottom} {} {bottom}H{}Q{left} {bottom} {left} {foot}Z" fill="url(#form{colour})" filter="url(#shadow)"/>"#,
        right - 24,
        left + 24,
        foot = bottom - 24
    )
}

/// Numbers that look random and are the same for the same product (SplitMix64).
struct Dice(u64);

impl Dice {
    fn of(product_id: ProductId) -> Self {
        let (high, low) = product_id.as_u64_pair();
        Self(high.rotate_left(32) ^ low)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(most.abs_diff(least) + 1)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::draw_picture;

    #[test]
    fn a_product_always_looks_the_same_and_unlike_others() {
        let pictures: HashSet<String> = (0..200).map(|n| draw_picture(Uuid::from_u128(n))).collect();
        assert!(pictures.len() > 195, "only {} of 200 differ", pictures.len());
        assert_eq!(draw_picture(Uuid::from_u128(7)), draw_picture(Uuid::from_u128(7)));
    }

    #[test]
    fn it_is_a_drawing_and_nothing_else() {
        for picture in (0..200).map(|n| draw_picture(Uuid::from_u128(n << 64 | n))) {
            assert!(picture.starts_with("<svg xmlns=") && picture.trim_end().ends_with("</svg>"));
            assert_eq!(picture.matches('<').count(), picture.matches('>').count());
            for word in ["<script", "<text", "<image", "href", "NaN", " r=\"-", "width=\"-", "height=\"-"] {
                assert!(!picture.contains(word), "{word} in {picture}");
            }
        }
    }
}
