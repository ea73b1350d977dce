//! The accuracy of the last central model with an unknown task against the bytes of statistics that a device sends.

use alluvium_results::{Estimate, Metric, Results, Row, Unit};

use super::curve::{Curve, Point, Steps};
use super::lines::{LineChart, Quantity};
use super::{Figure, Outcome};
use crate::csv;
use crate::error::ReportError;
use crate::number::for_file;

const TITLE: &str = "Accuracy against bytes of statistics, task-agnostic";

/// The figure, if devices of some row sent statistics.
pub(crate) fn draw(results: &Results) -> Result<Option<Outcome>, ReportError> {
    let rows: Vec<_> = results.rows.iter().enumerate().filter_map(|(index, row)| point(index, row)).collect();
    if rows.iter().all(|(_, bytes)| *bytes == 0.0) {
        return Ok(None);
    }
    let (curves, bytes): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let title = "statistics of a device (power of ten of the bytes; 0: none)".to_owned();
    let across = Quantity { title, factor: 1.0, counts: false };
    let up = Quantity { title: "accuracy (%)".to_owned(), factor: 100.0, counts: false };
    let chart = LineChart { title: TITLE, curves: &curves, across, up };
    Ok(Some(Outcome::Drawn(Figure {
        name: "statistics-task-agnostic".to_owned(),
        title: TITLE.to_owned(),
        caption: "The accuracy of the last central model where the task is unknown, mean over tasks and seeds, against the bytes that \
                  a device sends beside its model, mean over devices. Rows at 0 send a model alone; references are trained on samples."
            .to_owned(),
        svg: chart.draw()?,
        csv: points_csv(&curves, &bytes)?,
    })))
}

/// The point of a row whose final accuracy is known, and its bytes of statistics.
fn point(index: usize, row: &Row) -> Option<(Curve, f64)> {
    let y = row.estimate(Metric::AverageAccuracyTaskAgnostic)?;
    let bytes = row.estimate(Metric::StatisticsBytes).map_or(0.0, |bytes| bytes.mean);
    // From a kilobyte to megabytes: on a linear axis, all but one would lie together.
    let points = vec![Point { step: 1, x: bytes.max(1.0).log10(), y }];
    Some((Curve { name: row.name.clone(), index, steps: Steps::of(row), points }, bytes))
}

/// One line for each row.
fn points_csv(curves: &[Curve], bytes: &[f64]) -> Result<String, ReportError> {
    let lines = curves.iter().zip(bytes).flat_map(|(curve, bytes)| {
        curve.points.iter().map(move |point| {
            let Estimate { mean, ci95_low, ci95_high, n } = point.y;
            let [low, high] =
                [ci95_low, ci95_high].map(|end| end.map(|end| for_file(end, Unit::Fraction)).unwrap_or_default());
            vec![
                curve.name.clone(),
                for_file(*bytes, Unit::Bytes),
                for_file(mean, Unit::Fraction),
                low,
                high,
                n.to_string(),
            ]
        })
    });
    csv::table(&["strategy", "statistics_bytes", "accuracy", "ci95_low", "ci95_high", "seeds"], lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_row_is_a_point_once_a_device_sends_statistics() {
        let mut results = example::results();
        assert!(draw(&results).expect("draws").is_none());
        for cell in &mut results.rows[0].cells {
            cell.statistics_bytes = vec![2_000_000, 4_000_000];
        }
        let Some(Outcome::Drawn(figure)) = draw(&results).expect("draws") else { panic!("a figure") };
        let lines: Vec<_> = figure.csv.lines().collect();
        assert!(lines[1].starts_with("naive,3000000,"), "{}", figure.csv);
        assert!(lines[2].split(',').nth(1) == Some("0"), "{}", figure.csv);
        assert!(figure.svg.contains("statistics of a device"), "{}", figure.svg);
    }
}
