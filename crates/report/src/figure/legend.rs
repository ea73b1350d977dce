//! The legend below a line chart. There it covers no data, for any number of strategies.

use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, ShapeStyle};

use super::canvas::{DrawResult, Sheet, TEXT, px, text, text_width};
use super::palette::{INK, Look, stroke};
use crate::label::shortened;

/// The most characters of a name that are shown.
const LONGEST_NAME: usize = 48;

/// The height of a line of the legend, in pixels.
const LINE: f64 = 20.0;

/// The width of the sample of a curve, in pixels.
const SAMPLE: f64 = 34.0;

/// The gap between two columns, in pixels.
const GAP: f64 = 18.0;

/// The names and looks of the curves, in columns.
pub(crate) struct Legend {
    entries: Vec<(String, Look)>,
    columns: usize,
    column_width: f64,
    /// Whether the curves are dashed.
    dashed: bool,
}

impl Legend {
    /// A legend at most this many pixels wide.
    pub(crate) fn new(entries: impl Iterator<Item = (String, Look)>, width: f64, dashed: bool) -> Self {
        let entries: Vec<_> = entries.map(|(name, look)| (shortened(&name, LONGEST_NAME), look)).collect();
        let widest = entries.iter().map(|(name, _)| text_width(name, TEXT)).fold(0.0, f64::max);
        let column_width = SAMPLE + 6.0 + widest + GAP;
        let columns = ((width / column_width) as usize).clamp(1, entries.len().max(1));
        Self { entries, columns, column_width, dashed }
    }

    /// Its height in pixels.
    pub(crate) fn height(&self) -> f64 {
        self.lines() as f64 * LINE + 8.0
    }

    fn lines(&self) -> usize {
        self.entries.len().div_ceil(self.columns)
    }

    /// Draws it into the sheet, column by column.
    pub(crate) fn draw(&self, sheet: &Sheet<'_>, left: f64) -> DrawResult {
        for (index, (name, look)) in self.entries.iter().enumerate() {
            let (column, line) = (index / self.lines(), index % self.lines());
            let x = left + column as f64 * self.column_width;
            let y = (line as f64 + 0.5) * LINE;
            self.draw_entry(sheet, (x, y), name, *look)?;
        }
        Ok(())
    }

    fn draw_entry(&self, sheet: &Sheet<'_>, (x, y): (f64, f64), name: &str, look: Look) -> DrawResult {
        let at = |x: f64| (px::<i32>(x), px::<i32>(y));
        for (from, to) in dashes(look, self.dashed) {
            let style = ShapeStyle { color: look.colour.to_rgba(), filled: false, stroke_width: stroke() };
            sheet.draw(&PathElement::new(vec![at(x + from), at(x + to)], style))?;
        }
        look.draw_mark(sheet, at(x + SAMPLE / 2.0))?;
        sheet.draw_text(name, &text(TEXT, INK, HPos::Left, VPos::Center), at(x + SAMPLE + 6.0))
    }
}

/// The positions of the sample line, in pixels from its left end.
fn dashes(look: Look, dashed: bool) -> Vec<(f64, f64)> {
    let Some(dash) = look.dash.filter(|_| dashed) else { return vec![(0.0, SAMPLE)] };
    let (length, period) = (f64::from(dash.length), f64::from(dash.length + dash.gap));
    let count = (SAMPLE / period).ceil() as usize;
    (0..count).map(|index| (index as f64 * period, (index as f64 * period + length).min(SAMPLE))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legend(names: &[&str]) -> Legend {
        let entries = names.iter().enumerate().map(|(index, name)| ((*name).to_owned(), Look::of(index)));
        Legend::new(entries, 600.0, true)
    }

    #[test]
    fn short_names_share_a_line_and_long_ones_do_not() {
        assert_eq!(legend(&["a", "b", "c"]).lines(), 1);
        assert_eq!(legend(&["a", &"b".repeat(80), "c"]).lines(), 3);
        assert_eq!(legend(&[]).lines(), 0);
    }

    #[test]
    fn it_grows_with_the_strategies() {
        let names: Vec<_> = (0..25).map(|index| format!("strategy-number-{index}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let legend = legend(&names);
        assert!(legend.lines() >= 9, "{}", legend.lines());
        assert!(legend.columns as f64 * legend.column_width <= 600.0);
    }
}
