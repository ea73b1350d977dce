//! Curves of the accuracy on each test set that no task has, along the stream.

use std::collections::BTreeMap;

use alluvium_results::{Estimate, Results, Row, Unit};

use super::curve::{Curve, Point, Steps};
use super::lines::{LineChart, Quantity};
use super::{Figure, Outcome};
use crate::csv;
use crate::error::ReportError;
use crate::label::one_line;
use crate::number::for_file;

/// A figure for each test set that no task has and that some centre was judged on along the stream.
pub(crate) fn draw(results: &Results) -> Result<Vec<Outcome>, ReportError> {
    let mut outcomes = vec![];
    for (index, test) in results.further_tests().iter().enumerate() {
        let curves = curves(results, test);
        if curves.is_empty() {
            continue;
        }
        let title = format!("Accuracy on \"{}\" over the stream", one_line(test));
        let across = Quantity { title: "experts taken in".to_owned(), factor: 1.0, counts: true };
        let up = Quantity { title: "accuracy (%)".to_owned(), factor: 100.0, counts: false };
        let chart = LineChart { title: &title, curves: &curves, across, up };
        outcomes.push(Outcome::Drawn(Figure {
            name: format!("further-test-{}", index + 1),
            caption: "Accuracy of the centre on samples that no task has, after each device, judged over all heads. Line: mean over \
                      seeds; band: 95 % confidence interval (Student t), cut off at the edge of the chart."
                .to_owned(),
            svg: chart.draw()?,
            csv: further_csv(test, &curves)?,
            title,
        }));
    }
    Ok(outcomes)
}

/// A curve for each row that was judged on the test set more than once.
fn curves(results: &Results, test: &str) -> Vec<Curve> {
    let curve = |(index, row): (usize, &Row)| {
        let mut judged: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for step in row.cells.iter().filter_map(|cell| cell.further(test)).flat_map(|further| &further.steps) {
            judged.entry(step.experts).or_default().push(step.accuracy);
        }
        let estimates = judged.iter().filter_map(|(experts, values)| Some((*experts, Estimate::from_samples(values)?)));
        let points = estimates.enumerate().map(|(step, (experts, y))| Point { step: step + 1, x: experts as f64, y });
        Curve { name: row.name.clone(), index, steps: Steps::of(row), points: points.collect() }
    };
    results.rows.iter().enumerate().map(curve).filter(|curve| curve.points.len() > 1).collect()
}

/// One line for each point.
fn further_csv(test: &str, curves: &[Curve]) -> Result<String, ReportError> {
    let number = |value| for_file(value, Unit::Fraction);
    let lines = curves.iter().flat_map(|curve| {
        curve.points.iter().map(move |point| {
            let [low, high] = [point.y.ci95_low, point.y.ci95_high].map(|end| end.map(number).unwrap_or_default());
            let (experts, seeds) = (point.x.to_string(), point.y.n.to_string());
            vec![test.to_owned(), curve.name.clone(), experts, number(point.y.mean), low, high, seeds]
        })
    });
    csv::table(&["test", "strategy", "experts", "accuracy", "ci95_low", "ci95_high", "seeds"], lines)
}

#[cfg(test)]
mod tests {
    use alluvium_results::{FurtherAccuracy, FurtherStep};

    use super::*;
    use crate::example;

    #[test]
    fn a_row_has_a_point_for_each_step_and_a_reference_has_no_curve() {
        let mut results = example::results();
        assert!(draw(&results).expect("draws").is_empty());
        let further = |accuracies: &[f64]| {
            let step = |(index, accuracy): (usize, &f64)| FurtherStep { experts: index + 1, accuracy: *accuracy };
            let steps = accuracies.iter().enumerate().map(step).collect();
            vec![FurtherAccuracy { steps, ..FurtherAccuracy::new("unseen".to_owned()) }]
        };
        // The rows `naive` and `joint`.
        results.rows[0].cells.truncate(1);
        results.rows[0].cells[0].further_accuracy = further(&[0.5, 0.25]);
        results.rows[2].cells.iter_mut().for_each(|cell| cell.further_accuracy = further(&[0.75]));
        let outcomes = draw(&results).expect("draws");
        let [Outcome::Drawn(figure)] = outcomes.as_slice() else { panic!("a figure") };
        let expected = "test,strategy,experts,accuracy,ci95_low,ci95_high,seeds\n\
                        unseen,naive,1,0.500000,,,1\n\
                        unseen,naive,2,0.250000,,,1\n";
        assert_eq!((figure.csv.as_str(), figure.name.as_str()), (expected, "further-test-1"));
        let table = crate::table::Table::new(&results).to_markdown();
        assert!(table.contains("## On test sets that no task has (%)") && table.contains("`further_accuracy@unseen`"));
    }
}
