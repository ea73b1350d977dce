//! The sheet that figures are drawn on, and the text on it.

use std::io;

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::Ranged;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, IntoFont, RGBColor, TextStyle};

use crate::error::ReportError;
use crate::label::one_line;

/// The number of units of the drawing in a pixel. The chart library knows only whole units, and lines and markers at whole
/// pixels would look crooked.
const UNITS: f64 = 4.0;

/// The factor by which the SVG backend writes text smaller than requested.
const FONT_FACTOR: f64 = 1.24;

/// The background of a figure.
pub(crate) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// The size of most text, in pixels.
pub(crate) const TEXT: f64 = 13.0;

/// The distance of axis titles from the left edge. The library puts capitals right on the edge, and some letters are taller.
pub(crate) const EDGE: f64 = 4.0;

/// The sheet as the chart library sees it.
pub(crate) type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The result of drawing.
pub(crate) type DrawResult = Result<(), DrawingAreaErrorKind<io::Error>>;

/// The place on the sheet of this point of a chart.
pub(crate) fn place<X, Y>(
    sheet: &Sheet<'_>,
    chart: &ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    point: (X::ValueType, Y::ValueType),
) -> (i32, i32)
where
    X: Ranged,
    Y: Ranged,
{
    let (x, y) = chart.backend_coord(&point);
    let (left, top) = sheet.get_base_pixel();
    (x - left, y - top)
}

/// Pixels in units of the drawing, as the type of number that the chart library expects.
pub(crate) fn px<N: Units>(pixels: f64) -> N {
    N::from_units((pixels * UNITS).round())
}

/// A number of units of the drawing.
pub(crate) trait Units {
    /// Converts a whole number of units.
    fn from_units(units: f64) -> Self;
}

impl Units for i32 {
    fn from_units(units: f64) -> Self {
        units as Self
    }
}

impl Units for u32 {
    fn from_units(units: f64) -> Self {
        units as Self
    }
}

/// The style of text in this colour. The given point of its box is at the place where it is drawn.
pub(crate) fn text(pixels: f64, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = (FontFamily::SansSerif, pixels * UNITS * FONT_FACTOR).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, down) }
}

/// The largest width of the text in pixels, for the sans-serif fonts of browsers. Letters of scripts that are wider than Latin
/// count as squares.
pub(crate) fn text_width(text: &str, pixels: f64) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 0.58 } else { 1.0 } * pixels).sum()
}

/// The SVG document of the given size in pixels that `paint` draws, on white. `crisp` keeps the edges of touching areas sharp.
pub(crate) fn draw(
    title: &str,
    (width, height): (f64, f64),
    crisp: bool,
    paint: impl FnOnce(&Sheet<'_>) -> DrawResult,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    let sheet = SVGBackend::with_string(&mut svg, (px(width), px(height))).into_drawing_area();
    let painted = sheet.fill(&PAPER).and_then(|()| paint(&sheet)).and_then(|()| sheet.present());
    painted.map_err(|error| ReportError::Figure { figure: title.to_owned(), reason: error.to_string() })?;
    drop(sheet);
    Ok(with_head(&svg, title, (width, height), crisp))
}

/// The document with its own root element, which adds what the library cannot: the size in pixels, and a name for screen
/// readers.
fn with_head(svg: &str, title: &str, (width, height): (f64, f64), crisp: bool) -> String {
    let body = svg.split_once('>').map_or("", |(_head, body)| body.trim_start());
    let (units_wide, units_high): (u32, u32) = (px(width), px(height));
    let rendering = if crisp { " shape-rendering=\"crispEdges\"" } else { "" };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {units_wide} {units_high}\" role=\"img\" stroke-linejoin=\"round\"{rendering}>\n\
         <title>{}</title>\n{body}",
        escape(&one_line(title))
    )
}

/// The text as XML content.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::palette::INK;

    #[test]
    fn a_sheet_is_white_has_a_size_and_a_name_and_escapes_text() {
        let svg = draw("a < b", (100.0, 50.0), false, |sheet| {
            sheet.draw_text("<script>&", &text(TEXT, INK, HPos::Left, VPos::Top), (0, 0))
        })
        .expect("draws");
        let head = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50\" viewBox=\"0 0 400 200\"";
        assert!(svg.starts_with(head), "{svg}");
        assert!(svg.contains("<title>a &lt; b</title>"), "{svg}");
        assert!(svg.contains("fill=\"#FFFFFF\""), "{svg}");
        assert!(svg.contains("&lt;script&gt;&amp;"), "{svg}");
        assert!(svg.contains("font-size=\"52"), "13 pixels of 4 units: {svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
    }
}
