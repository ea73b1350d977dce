//! Curves: one for each strategy, a point for each evaluation along the stream, each point over seeds.

use alluvium_results::{Accuracy, AccuracyMatrix, Cell, Estimate, Results, RoundAccuracy, Row};

/// The horizontal axis of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum XAxis {
    /// The experts that the centre has taken in. If devices come one at a time, these are the devices.
    Experts,
    /// The bytes moved so far, up and down.
    Bytes,
    /// The time spent so far, by devices and centre.
    Seconds,
}

/// The vertical axis of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The mean accuracy on the tasks so far, each sample judged by the head of its own task.
    TaskAware,
    /// The same, each sample judged over all heads.
    TaskAgnostic,
    /// The similarity of the centre's and the experts' latents.
    LatentSimilarity,
}

/// The step from one point of a curve to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// A device of the stream, in its order.
    Devices,
    /// A device that came back. Not all devices came back, or their order depends on the seed.
    Arrivals,
    /// A round with several devices.
    Rounds,
}

impl Steps {
    /// The steps of the row.
    pub(crate) fn of(row: &Row) -> Self {
        let in_rounds = row.cells.iter().any(|cell| matches!(cell.accuracy, Accuracy::Rounds(_)));
        match (in_rounds, row.follows_the_stream()) {
            (true, _) => Self::Rounds,
            (false, true) => Self::Devices,
            (false, false) => Self::Arrivals,
        }
    }
}

/// One strategy along the stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// The strategy's name.
    pub(crate) name: String,
    /// Its index among all rows. It decides the look, which is the same in every figure.
    pub(crate) index: usize,
    /// The steps between its points.
    pub(crate) steps: Steps,
    /// A point for each device or round after which all tasks so far were judged, in order.
    pub(crate) points: Vec<Point>,
}

/// One strategy after one device or round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// The number of the device, arrival or round, from 1.
    pub(crate) step: usize,
    /// The horizontal position, as the mean over seeds.
    pub(crate) x: f64,
    /// The measurement, over seeds.
    pub(crate) y: Estimate,
}

/// A curve for each row with this measurement.
pub(crate) fn curves(results: &Results, along: XAxis, shown: Measure) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (index, row) in results.rows.iter().enumerate() {
        let measured: Vec<_> = row.cells.iter().map(|cell| (along.positions(cell), shown.values(cell))).collect();
        let devices = measured.iter().map(|(positions, values)| positions.len().min(values.len())).max();
        let points: Vec<_> = (0..devices.unwrap_or(0)).filter_map(|index| point(&measured, index)).collect();
        if !points.is_empty() {
            curves.push(Curve { name: row.name.clone(), index, steps: Steps::of(row), points });
        }
    }
    curves
}

/// The point after the device at this index, over the seeds that have both numbers.
fn point(measured: &[(Vec<f64>, Vec<Option<f64>>)], index: usize) -> Option<Point> {
    let (mut along, mut shown) = (Vec::new(), Vec::new());
    for (positions, values) in measured {
        if let (Some(position), Some(Some(value))) = (positions.get(index), values.get(index)) {
            along.push(*position);
            shown.push(*value);
        }
    }
    let x = Estimate::from_samples(&along)?.mean;
    Some(Point { step: index + 1, x, y: Estimate::from_samples(&shown)? })
}

impl XAxis {
    /// The horizontal position after each device; empty if it was not measured.
    pub(crate) fn positions(self, cell: &Cell) -> Vec<f64> {
        match self {
            Self::Experts => experts(cell),
            Self::Bytes => cell.moved_bytes.iter().map(|bytes| *bytes as f64).collect(),
            Self::Seconds => cell.elapsed(),
        }
    }
}

impl Measure {
    /// The measurement after each device; `None` for a device after which not all tasks were judged. Empty if nothing was
    /// measured.
    pub(crate) fn values(self, cell: &Cell) -> Vec<Option<f64>> {
        let (task_aware, task_agnostic) = match &cell.accuracy {
            Accuracy::Stream { task_aware, task_agnostic } => (task_aware, task_agnostic),
            Accuracy::Rounds(rounds) => return self.after_rounds(rounds),
            // A row without stream has no position along it.
            Accuracy::Final { .. } | Accuracy::Unmeasured { .. } => return Vec::new(),
        };
        let measured: Vec<_> = match self {
            Self::TaskAware => so_far(task_aware),
            Self::TaskAgnostic => so_far(task_agnostic),
            Self::LatentSimilarity => cell.latent_similarity_over_stream.clone(),
        };
        let mut values = vec![None; task_aware.tasks()];
        for ((device, _), value) in task_aware.whole_rows().zip(measured) {
            values[device] = Some(value);
        }
        values
    }

    fn after_rounds(self, rounds: &[RoundAccuracy]) -> Vec<Option<f64>> {
        let accuracies = |round: &RoundAccuracy| match self {
            Self::TaskAware => round.task_aware.clone(),
            Self::TaskAgnostic => round.task_agnostic.clone(),
            Self::LatentSimilarity => Vec::new(),
        };
        by_round(rounds, |round| Some(Estimate::from_samples(&accuracies(round))?.mean))
    }
}

/// The number of experts that the centre had taken in after each consolidation or round.
fn experts(cell: &Cell) -> Vec<f64> {
    match &cell.accuracy {
        Accuracy::Stream { task_aware, .. } => (1..=task_aware.tasks()).map(|device| device as f64).collect(),
        Accuracy::Rounds(rounds) => {
            let experts = by_round(rounds, |round| Some(round.experts as f64));
            experts.into_iter().map(|experts| experts.unwrap_or(f64::NAN)).collect()
        }
        Accuracy::Final { .. } | Accuracy::Unmeasured { .. } => Vec::new(),
    }
}

/// A value for each round; `None` for a round after which nothing was judged.
fn by_round(rounds: &[RoundAccuracy], number: impl Fn(&RoundAccuracy) -> Option<f64>) -> Vec<Option<f64>> {
    let mut numbers = Vec::new();
    for round in rounds {
        numbers.resize(round.round.max(numbers.len() + 1) - 1, None);
        numbers.push(number(round));
    }
    numbers
}

/// The mean accuracy on the tasks so far, for each time that all of them were judged.
fn so_far(matrix: &AccuracyMatrix) -> Vec<f64> {
    matrix.whole_rows().filter_map(|(_, row)| Some(Estimate::from_samples(row)?.mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    // Worked out by hand in `example.rs`.

    #[test]
    fn references_have_no_curve() {
        let curves = curves(&example::results(), XAxis::Experts, Measure::TaskAware);
        let names: Vec<_> = curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["naive", "pld"]);
    }

    #[test]
    fn accuracy_is_over_the_tasks_so_far_and_over_seeds() {
        let curves = curves(&example::results(), XAxis::Experts, Measure::TaskAware);
        let [first, second] = curves[1].points.as_slice() else { panic!("two devices") };
        assert_eq!((first.step, first.x, first.y.mean), (1, 1.0, 1.0));
        assert_eq!((second.step, second.x, second.y.n), (2, 2.0, 3));
        assert!((second.y.mean - 0.7).abs() < 1e-12);
        assert!((second.y.half_width().expect("three seeds") - 0.248_414).abs() < 1e-6);
    }

    #[test]
    fn a_row_goes_by_devices_by_arrivals_or_by_rounds() {
        let mut results = example::mixed();
        results.rows[0].cells[1].arrivals = vec![1, 0];
        let steps: Vec<_> = results.rows.iter().map(Steps::of).collect();
        assert_eq!(steps[..3], [Steps::Arrivals, Steps::Rounds, Steps::Devices]);
    }

    #[test]
    fn bytes_add_up_over_both_directions() {
        let curves = curves(&example::results(), XAxis::Bytes, Measure::TaskAgnostic);
        let x: Vec<_> = curves[0].points.iter().map(|point| point.x).collect();
        assert_eq!(x, [2000.0, 5000.0]);
    }

    #[test]
    fn time_needs_both_its_parts() {
        let mut results = example::results();
        results.rows[0].cells[0].device_seconds = vec![1.0, 2.0];
        assert!(curves(&results, XAxis::Seconds, Measure::TaskAware).is_empty());
        results.rows[0].cells[0].consolidation_seconds = vec![0.5, 0.25];
        let curves = curves(&results, XAxis::Seconds, Measure::TaskAware);
        let points: Vec<_> = curves[0].points.iter().map(|point| (point.x, point.y.n)).collect();
        assert_eq!(points, [(1.5, 1), (3.75, 1)], "over the one seed that has it");
    }

    #[test]
    fn rounds_lie_where_their_experts_bytes_and_seconds_were() {
        let results = example::mixed();
        let of_rounds = |along| {
            let curves = curves(&results, along, Measure::TaskAware);
            let curve = curves.iter().find(|curve| curve.name == "fedavg").expect("a curve");
            curve.points.iter().map(|point| (point.step, point.x, point.y.mean)).collect::<Vec<_>>()
        };
        assert_eq!(of_rounds(XAxis::Experts), [(1, 2.0, 0.625), (2, 4.0, 0.875)]);
        assert_eq!(of_rounds(XAxis::Bytes), [(1, 4000.0, 0.625), (2, 8000.0, 0.875)]);
        assert_eq!(of_rounds(XAxis::Seconds), [(1, 2.5, 0.625), (2, 5.0, 0.875)]);
    }

    #[test]
    fn a_round_after_which_nothing_was_judged_has_no_point() {
        let mut results = example::mixed();
        for cell in &mut results.rows[1].cells {
            let Accuracy::Rounds(rounds) = &mut cell.accuracy else { panic!("rounds") };
            rounds.remove(0);
        }
        let curves = curves(&results, XAxis::Seconds, Measure::TaskAware);
        let points: Vec<_> = curves[1].points.iter().map(|point| (point.step, point.x)).collect();
        assert_eq!((curves[1].name.as_str(), points), ("fedavg", vec![(2, 5.0)]));
    }
}
