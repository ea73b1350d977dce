//! Line charts: a line for each strategy, with a band for the interval over seeds.

use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::{PathElement, Polygon};
use plotters::prelude::SVGBackend;
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::axis::{Axis, Ticks};
use super::canvas::{self, DrawResult, EDGE, Sheet, TEXT, place, px, text};
use super::curve::{Curve, Point};
use super::legend::Legend;
use super::palette::{GRID, INK, Look, stroke};
use crate::error::ReportError;

/// The size of the chart without its legend, in pixels.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 356.0;

/// The room for axis labels on the left and below, and the gap below them, in pixels.
const LEFT: f64 = 54.0;
const BELOW: f64 = 42.0;
const GAP: f64 = 12.0;

/// The most devices with a marker for each point. With more, points are too close, and dashes would be cut to pieces.
const MOST_MARKED: usize = 60;

/// The number of markers on a line with more devices, which distinguish it from others of its colour.
const FEW_MARKS: usize = 8;

/// The most points that a line of this width can show.
const MOST_POINTS: usize = 400;

/// The most bands that may overlap before they are made fainter.
const MOST_STRONG_BANDS: usize = 6;

/// A line chart.
pub(crate) struct LineChart<'a> {
    /// The title of the figure, for screen readers.
    pub(crate) title: &'a str,
    /// The lines, at least one.
    pub(crate) curves: &'a [Curve],
    /// From left to right.
    pub(crate) across: Quantity,
    /// From bottom to top. The values are between 0 and 1.
    pub(crate) up: Quantity,
}

/// What an axis shows.
pub(crate) struct Quantity {
    /// Its name, with the unit.
    pub(crate) title: String,
    /// The factor from a value to that unit.
    pub(crate) factor: f64,
    /// Whether it counts devices or experts.
    pub(crate) counts: bool,
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Whether every point of these curves is drawn. Of long curves, only some points are.
pub(crate) fn is_complete(curves: &[Curve]) -> bool {
    curves.iter().all(|curve| curve.points.len() <= MOST_POINTS)
}

impl LineChart<'_> {
    /// The chart as an SVG document.
    pub(crate) fn draw(&self) -> Result<String, ReportError> {
        let looks = self.curves.iter().map(|curve| (curve.name.clone(), Look::of(curve.index)));
        let legend = Legend::new(looks, WIDTH - EDGE - LEFT, self.is_short());
        let size = (WIDTH, HEIGHT + legend.height());
        canvas::draw(self.title, size, false, |sheet| {
            let (upper, lower) = sheet.split_vertically(px::<i32>(HEIGHT));
            self.draw_plot(&upper)?;
            legend.draw(&lower, EDGE + LEFT)
        })
    }

    fn draw_plot(&self, sheet: &Sheet<'_>) -> DrawResult {
        let (across, up) = (self.range_across(), self.range_up());
        let ticks_across =
            if self.across.counts { Ticks::whole(self.most(), 12) } else { Ticks::round(across.start, across.end, 8) };
        let ticks_up = Ticks::round(up.start, up.end, 8);
        let mut chart = ChartBuilder::on(sheet)
            .margin_left(px::<i32>(EDGE))
            .margin_top(px::<i32>(12.0))
            .margin_right(px::<i32>(18.0))
            .margin_bottom(px::<i32>(GAP))
            .x_label_area_size(px::<i32>(BELOW))
            .y_label_area_size(px::<i32>(LEFT))
            .build_cartesian_2d(Axis::new(across, ticks_across), Axis::new(up.clone(), ticks_up))?;

        let line = |colour: RGBColor| ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: px(1.0) };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(line(GRID))
            .axis_style(line(INK))
            .set_all_tick_mark_size(px::<i32>(3.0))
            .label_style(text(TEXT - 1.0, INK, HPos::Center, VPos::Center))
            .axis_desc_style(text(TEXT, INK, HPos::Center, VPos::Center))
            .x_desc(&self.across.title)
            .y_desc(&self.up.title)
            .draw()?;

        for curve in self.curves {
            self.draw_band(&mut chart, curve, &up)?;
        }
        for curve in self.curves {
            self.draw_line(sheet, &mut chart, curve)?;
        }
        Ok(())
    }

    /// Draws the interval over seeds, if there is one, cut off at the edge of the chart.
    fn draw_band(&self, chart: &mut Chart<'_, '_>, curve: &Curve, up: &Range<f64>) -> DrawResult {
        let strength = if self.curves.len() > MOST_STRONG_BANDS { 0.09 } else { 0.18 };
        let style = Look::of(curve.index).colour.mix(strength).filled();
        let inside = |value: f64| (value * self.up.factor).clamp(up.start, up.end);
        let points: Vec<&Point> = some_of(&curve.points);
        // A device that only one seed reached has no interval, so the band has a gap there.
        for stretch in points.split(|point| point.y.ci95_low.is_none()).filter(|stretch| stretch.len() > 1) {
            let x = |point: &Point| point.x * self.across.factor;
            let low = stretch.iter().filter_map(|point| Some((x(point), inside(point.y.ci95_low?))));
            let high = stretch.iter().rev().filter_map(|point| Some((x(point), inside(point.y.ci95_high?))));
            let outline: Vec<_> = low.chain(high).collect();
            chart.draw_series([Polygon::new(outline, style)])?;
        }
        Ok(())
    }

    fn draw_line(&self, sheet: &Sheet<'_>, chart: &mut Chart<'_, '_>, curve: &Curve) -> DrawResult {
        let look = Look::of(curve.index);
        let style = ShapeStyle { color: look.colour.to_rgba(), filled: false, stroke_width: stroke() };
        let at = |point: &Point| (point.x * self.across.factor, point.y.mean * self.up.factor);
        let points: Vec<_> = some_of(&curve.points).into_iter().map(at).collect();
        match look.dash.filter(|_| self.is_short()) {
            Some(dash) => {
                let (length, gap) = (px::<i32>(dash.length.into()), px::<i32>(dash.gap.into()));
                chart.draw_series(DashedLineSeries::new(points.clone(), length, gap, style))?;
            }
            None => {
                chart.draw_series([PathElement::new(points.clone(), style)])?;
            }
        }
        for point in self.marked(curve.index, &points) {
            look.draw_mark(sheet, place(sheet, chart, *point))?;
        }
        Ok(())
    }

    /// The points with a marker. A short stream has a marker for each point. A long one has only some, at other points than the
    /// next curve, so that markers do not hide each other.
    fn marked<'p, P>(&self, index: usize, points: &'p [P]) -> impl Iterator<Item = &'p P> {
        let (first, step) = if self.is_short() {
            (0, 1)
        } else {
            let step = points.len().div_ceil(FEW_MARKS).max(1);
            (index * step / FEW_MARKS % step, step)
        };
        points.iter().skip(first).step_by(step)
    }

    fn is_short(&self) -> bool {
        self.curves.iter().all(|curve| curve.points.len() <= MOST_MARKED)
    }

    /// The last number on an axis that counts.
    fn most(&self) -> usize {
        self.curves.iter().flat_map(|curve| &curve.points).map(|point| point.x).fold(1.0, f64::max).round() as usize
    }

    /// The range of the horizontal axis. Half a device is left free at both ends, so that no marker lies on the axis. Amounts
    /// start at 0.
    fn range_across(&self) -> Range<f64> {
        if self.across.counts {
            return 0.5..self.most() as f64 + 0.5;
        }
        let points = self.curves.iter().flat_map(|curve| &curve.points);
        let largest = points.map(|point| point.x * self.across.factor).fold(0.0, f64::max);
        0.0..if largest > 0.0 { largest * 1.03 } else { 1.0 }
    }

    /// The range of the vertical axis: whole tenths around the values, at least a fifth wide, so that small differences do not
    /// look large.
    fn range_up(&self) -> Range<f64> {
        let (mut low, mut high) = (1.0_f64, 0.0_f64);
        for point in self.curves.iter().flat_map(|curve| &curve.points) {
            let y = point.y;
            low = low.min(y.ci95_low.unwrap_or(y.mean)).min(y.mean);
            high = high.max(y.ci95_high.unwrap_or(y.mean)).max(y.mean);
        }
        let mut low = (low.clamp(0.0, 1.0) * 10.0 + 1e-9).floor() / 10.0;
        let mut high = (high.clamp(0.0, 1.0) * 10.0 - 1e-9).ceil() / 10.0;
        if high - low < 0.2 {
            (low, high) = if high > 0.5 { ((high - 0.2).max(0.0), high) } else { (low, low + 0.2) };
        }
        low * self.up.factor..high * self.up.factor
    }
}

/// As many of the points as can be distinguished. The last one is among them.
fn some_of(points: &[Point]) -> Vec<&Point> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use alluvium_results::Estimate;

    use super::*;
    use crate::figure::curve::Steps;

    fn curve(index: usize, devices: usize, samples: &[f64]) -> Curve {
        let y = Estimate::from_samples(samples).expect("samples");
        let points = (1..=devices).map(|device| Point { step: device, x: device as f64, y }).collect();
        Curve { name: format!("s{index}"), index, steps: Steps::Devices, points }
    }

    fn chart(curves: &[Curve]) -> LineChart<'_> {
        let axis = |title: &str, counts| Quantity { title: title.to_owned(), factor: 1.0, counts };
        LineChart { title: "t", curves, across: axis("device", true), up: axis("share", false) }
    }

    #[test]
    fn several_seeds_have_a_band_and_one_has_none() {
        let several = chart(&[curve(0, 3, &[0.5, 0.6])]).draw().expect("draws");
        assert!(several.contains("opacity=\"0.18\""), "{several}");
        let one = chart(&[curve(0, 3, &[0.5])]).draw().expect("draws");
        assert!(!one.contains("opacity=\"0.18\""), "{one}");
    }

    #[test]
    fn a_long_stream_has_few_markers_and_bounded_size() {
        let curves: Vec<_> = (0..25).map(|index| curve(index, 1000, &[0.5, 0.6])).collect();
        let svg = chart(&curves).draw().expect("draws");
        // Five of the 25 are circles, each with one more in the legend.
        let circles = svg.matches("<circle").count();
        assert!((5..=5 * (FEW_MARKS + 1)).contains(&circles), "{circles}");
        assert!(svg.len() < 500_000, "{}", svg.len());
        assert!(!is_complete(&curves));
        let kept = some_of(&curves[0].points);
        assert_eq!((kept[0].step, kept.last().expect("some").step), (1, 1000));
    }

    #[test]
    fn an_axis_that_counts_reaches_the_last_point() {
        // Three rounds of ten devices each.
        let y = Estimate::from_samples(&[0.5]).expect("a sample");
        let points = (1..=3).map(|step| Point { step, x: 10.0 * step as f64, y }).collect();
        let rounds = [Curve { name: "rounds".into(), index: 0, steps: Steps::Rounds, points }];
        assert_eq!(chart(&rounds).range_across(), 0.5..30.5);
    }

    #[test]
    fn one_device_is_a_point() {
        let svg = chart(&[curve(0, 1, &[0.5])]).draw().expect("draws");
        assert!(svg.contains("<circle"), "{svg}");
    }

    #[test]
    fn the_range_is_whole_tenths() {
        // ± 1.27 at 0.5 and 0.7: the whole range of accuracies.
        assert_eq!(chart(&[curve(0, 1, &[0.5, 0.7])]).range_up(), 0.0..1.0);
        assert_eq!(chart(&[curve(0, 1, &[0.42]), curve(1, 1, &[0.87])]).range_up(), 0.4..0.9);
        assert_eq!(chart(&[curve(0, 1, &[1.0])]).range_up(), 0.8..1.0);
        assert_eq!(chart(&[curve(0, 1, &[0.0])]).range_up(), 0.0..0.2);
    }
}
