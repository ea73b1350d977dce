//! Curves as SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::Outcome;

/// The title and the axes of a picture.
pub struct Axes {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    /// Whether the vertical axis counts powers of ten; otherwise it begins at zero.
    pub logarithmic: bool,
}

/// A curve with its name.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Colours that colour-blind people tell apart (Okabe & Ito).
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];

/// Writes a picture of all curves.
pub fn draw(path: &Path, axes: &Axes, curves: &[Curve]) -> Outcome<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let right = points().map(|point| point.0).fold(0.0, f64::max);
    let top = points().map(|point| point.1).fold(0.0, f64::max);
    let bottom = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let root = SVGBackend::new(path, (640, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root);
    chart.caption(axes.title, ("sans-serif", 18)).margin(12).x_label_area_size(42).y_label_area_size(64);
    // The two kinds of axes are two types.
    if axes.logarithmic {
        let mut chart = chart.build_cartesian_2d(0.0..right * 1.02, (bottom / 2.0..top * 2.0).log_scale())?;
        chart.configure_mesh().x_desc(axes.x).y_desc(axes.y).y_label_formatter(&|y| format!("{y:.0e}")).draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line)?.label(&curve.name).legend(move |(x, y)| mark(x, y, colour));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2)).draw()?;
    } else {
        let mut chart = chart.build_cartesian_2d(0.0..right * 1.02, 0.0..top * 1.15)?;
        chart.configure_mesh().x_desc(axes.x).y_desc(axes.y).draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line)?.label(&curve.name).legend(move |(x, y)| mark(x, y, colour));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2)).draw()?;
    }
    root.present()?;
    Ok(())
}

fn mark(x: i32, y: i32, colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2))
}
