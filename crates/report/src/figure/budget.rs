//! Curves of the accuracy of devices against the fraction of their budget that they have spent.

use alluvium_results::{EarlyAccuracy, Estimate, Metric, Results, Row, Unit};

use super::curve::{Curve, Point, Steps};
use super::lines::{LineChart, Quantity};
use super::{Figure, Outcome};
use crate::csv;
use crate::error::ReportError;
use crate::number::for_file;

const TITLE: &str = "Accuracy of devices against their budget";

/// The figure, if devices were judged before they had spent their budget.
pub(crate) fn draw(results: &Results) -> Result<Option<Outcome>, ReportError> {
    let curves = curves(results);
    if curves.is_empty() {
        return Ok(None);
    }
    let across = Quantity { title: "budget spent (%)".to_owned(), factor: 100.0, counts: false };
    let up = Quantity { title: "accuracy of the device (%)".to_owned(), factor: 100.0, counts: false };
    let chart = LineChart { title: TITLE, curves: &curves, across, up };
    Ok(Some(Outcome::Drawn(Figure {
        name: "budget".to_owned(),
        title: TITLE.to_owned(),
        caption:
            "Each device's accuracy on its own task after a fraction of its gradient steps, mean over devices. Line: mean \
                  over seeds; band: 95 % confidence interval (Student t), cut off at the edge of the chart."
                .to_owned(),
        svg: chart.draw()?,
        csv: budgets_csv(&curves)?,
    })))
}

/// A curve for each row with early accuracies: a point for each fraction of the budget, and one for the whole budget.
fn curves(results: &Results) -> Vec<Curve> {
    let budgets = results.budgets();
    let curve = |(index, row): (usize, &Row)| {
        let early = budgets.iter().map(|budget| Some((*budget, row.early(*budget, EarlyAccuracy::mean)?)));
        let early: Vec<(f64, Estimate)> = early.flatten().collect();
        let whole = row.estimate(Metric::ExpertAccuracy).filter(|_| !early.is_empty()).map(|whole| (1.0, whole));
        let points = early.into_iter().chain(whole).enumerate();
        let points: Vec<_> = points.map(|(index, (x, y))| Point { step: index + 1, x, y }).collect();
        Curve { name: row.name.clone(), index, steps: Steps::of(row), points }
    };
    results.rows.iter().enumerate().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

/// One line for each row and fraction of the budget.
fn budgets_csv(curves: &[Curve]) -> Result<String, ReportError> {
    let number = |value| for_file(value, Unit::Fraction);
    let lines = curves.iter().flat_map(|curve| {
        curve.points.iter().map(move |point| {
            let ends = [point.y.ci95_low, point.y.ci95_high].map(|end| end.map(number).unwrap_or_default());
            let [low, high] = ends;
            vec![curve.name.clone(), number(point.x), number(point.y.mean), low, high, point.y.n.to_string()]
        })
    });
    csv::table(&["strategy", "budget", "accuracy", "ci95_low", "ci95_high", "seeds"], lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_row_has_a_point_for_each_part_and_for_the_whole() {
        let mut results = example::results();
        assert!(draw(&results).expect("draws").is_none());
        // The row `naive` of the example, under three seeds.
        for cell in &mut results.rows[0].cells {
            cell.expert_accuracy = vec![0.75, 1.0];
            cell.early_accuracy = vec![EarlyAccuracy { budget: 0.1, accuracy: vec![0.5, 0.25], alone: vec![] }];
        }
        let Some(Outcome::Drawn(figure)) = draw(&results).expect("draws") else { panic!("a figure") };
        let expected = "strategy,budget,accuracy,ci95_low,ci95_high,seeds\n\
                        naive,0.100000,0.375000,0.375000,0.375000,3\n\
                        naive,1.000000,0.875000,0.875000,0.875000,3\n";
        assert_eq!(figure.csv, expected);
        assert!(figure.svg.contains("budget spent"), "{}", figure.svg);
    }
}
