//! The colours, markers and dashes of the figures.
//!
//! The colour-blind can distinguish the colours of Okabe and Ito (jfly.uni-koeln.de/color, 2008). Black is left out because the
//! axes have it, and yellow because it is too faint on white. A grey replaces them. Markers and dashes repeat the distinction for
//! prints in grey. The style sheet of the page gives each of these colours another value on a dark background, so every figure
//! must use them.

use plotters::element::{Circle, Polygon};
use plotters::style::{Color, RGBColor};

use super::canvas::{DrawResult, Sheet, px};

/// Axes and text.
pub(crate) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);

/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

/// How wide a line is, in units of the drawing.
pub(crate) fn stroke() -> u32 {
    px(1.8)
}

/// The colours, which distinguish strategies first: blue, vermilion, bluish green, reddish purple, sky blue, orange, grey.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x6E, 0x6E, 0x6E),
];

const MARKERS: [Marker; 5] = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Arrow];

const DASHES: [Option<Dash>; 3] = [None, Some(Dash { length: 7, gap: 3 }), Some(Dash { length: 2, gap: 3 })];

/// What a point looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    /// A triangle that points down.
    Arrow,
}

/// A broken line, in the figure's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dash {
    pub(crate) length: i32,
    pub(crate) gap: i32,
}

/// The look of one strategy in all figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub(crate) colour: RGBColor,
    pub(crate) marker: Marker,
    pub(crate) dash: Option<Dash>,
}

impl Look {
    /// The look of the strategy with this index. The first 105 looks all differ, because the numbers of colours, markers and
    /// dashes have no common divisor.
    pub(crate) fn of(index: usize) -> Self {
        Self {
            colour: COLOURS[index % COLOURS.len()],
            marker: MARKERS[index % MARKERS.len()],
            dash: DASHES[index % DASHES.len()],
        }
    }

    /// Draws the marker around this point of the sheet.
    pub(crate) fn draw_mark(&self, sheet: &Sheet<'_>, (x, y): (i32, i32)) -> DrawResult {
        let style = self.colour.filled();
        match self.marker.corners() {
            None => sheet.draw(&Circle::new((x, y), px::<u32>(3.2), style)),
            Some(corners) => {
                let corners: Vec<_> =
                    corners.iter().map(|(right, down)| (x + px::<i32>(*right), y + px::<i32>(*down))).collect();
                sheet.draw(&Polygon::new(corners, style))
            }
        }
    }
}

impl Marker {
    /// The corners around the point; `None` for a marker without corners.
    fn corners(self) -> Option<&'static [(f64, f64)]> {
        match self {
            Self::Circle => None,
            Self::Square => Some(&[(-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0)]),
            Self::Triangle => Some(&[(0.0, -4.0), (4.0, 3.0), (-4.0, 3.0)]),
            Self::Diamond => Some(&[(0.0, -4.5), (4.5, 0.0), (0.0, 4.5), (-4.5, 0.0)]),
            Self::Arrow => Some(&[(0.0, 4.0), (4.0, -3.0), (-4.0, -3.0)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_strategies_look_different() {
        for a in 0..105 {
            assert!((0..a).all(|b| Look::of(a) != Look::of(b)), "{a}");
        }
    }

    #[test]
    fn the_style_sheet_knows_every_colour() {
        let css = include_str!("../../templates/figure.css");
        for RGBColor(r, g, b) in COLOURS.into_iter().chain([super::super::canvas::PAPER, INK, GRID]) {
            let colour = format!("#{r:02X}{g:02X}{b:02X}");
            assert!(css.contains(&format!("[fill=\"{colour}\"]")), "{colour}");
            assert!(css.contains(&format!("[stroke=\"{colour}\"]")) || colour == "#FFFFFF", "{colour}");
        }
    }
}
