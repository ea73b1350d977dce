//! The list of figures, with their names, titles and captions.

use alluvium_results::{Results, Unit};

use super::curve::{Curve, Measure, Steps, XAxis, curves};
use super::lines::{LineChart, Quantity, is_complete};
use super::matrix::{Blocks, matrices};
use super::{Figure, Outcome};
use super::{budget, further, heat_map, statistics};
use crate::csv;
use crate::error::ReportError;
use crate::label::one_line;
use crate::number::{Scale, for_file};

/// Every figure of these results, in the order of a report. Task-aware figures are beside task-agnostic ones.
pub(crate) fn draw(results: &Results) -> Result<Vec<Outcome>, ReportError> {
    let lines = |along, shown| draw_lines(results, along, shown);
    let matrix = |shown| draw_matrices(results, shown);
    let mut outcomes = vec![
        lines(XAxis::Experts, Measure::TaskAware)?,
        lines(XAxis::Experts, Measure::TaskAgnostic)?,
        matrix(Measure::TaskAware)?,
        matrix(Measure::TaskAgnostic)?,
        lines(XAxis::Bytes, Measure::TaskAware)?,
        lines(XAxis::Bytes, Measure::TaskAgnostic)?,
        lines(XAxis::Seconds, Measure::TaskAware)?,
        lines(XAxis::Seconds, Measure::TaskAgnostic)?,
        lines(XAxis::Experts, Measure::LatentSimilarity)?,
    ];
    outcomes.extend(further::draw(results)?);
    outcomes.extend(budget::draw(results)?);
    outcomes.extend(statistics::draw(results)?);
    Ok(outcomes)
}

fn draw_lines(results: &Results, along: XAxis, shown: Measure) -> Result<Outcome, ReportError> {
    let title = lines_title(along, shown);
    let curves = curves(results, along, shown);
    let moved = curves.iter().flat_map(|curve| &curve.points).any(|point| point.x > 0.0);
    if curves.is_empty() || !moved {
        return Ok(Outcome::Missing { title, reason: missing(along, shown).to_owned() });
    }

    let chart = LineChart { title: &title, curves: &curves, across: across(along, &curves), up: up(shown) };
    Ok(Outcome::Drawn(Figure {
        name: lines_name(along, shown),
        caption: with_left_out(lines_caption(along, shown, &curves), results),
        svg: chart.draw()?,
        csv: lines_csv(results, along, shown, &curves)?,
        title,
    }))
}

fn draw_matrices(results: &Results, shown: Measure) -> Result<Outcome, ReportError> {
    let title = format!("Accuracy matrix, {}", shown.words());
    let matrices = matrices(results, shown);
    if matrices.is_empty() {
        let reason = "No row was judged after each device.".to_owned();
        return Ok(Outcome::Missing { title, reason });
    }
    Ok(Outcome::Drawn(Figure {
        name: format!("matrix-{}", shown.stem()),
        caption: with_left_out(matrices_caption(&matrices), results),
        svg: heat_map::draw(&title, &matrices)?,
        csv: matrices_csv(&matrices)?,
        title,
    }))
}

impl Measure {
    fn words(self) -> &'static str {
        match self {
            Self::TaskAware => "task-aware",
            Self::TaskAgnostic => "task-agnostic",
            Self::LatentSimilarity => "latent similarity",
        }
    }

    fn stem(self) -> &'static str {
        match self {
            Self::LatentSimilarity => "latent-similarity",
            accuracy => accuracy.words(),
        }
    }

    /// The name of its column in a CSV file.
    fn column(self) -> &'static str {
        match self {
            Self::LatentSimilarity => "latent_similarity",
            _ => "accuracy",
        }
    }
}

fn lines_name(along: XAxis, shown: Measure) -> String {
    match (along, shown) {
        (XAxis::Experts, Measure::LatentSimilarity) => shown.stem().to_owned(),
        (XAxis::Experts, _) => format!("accuracy-{}", shown.stem()),
        (XAxis::Bytes, _) => format!("bytes-{}", shown.stem()),
        (XAxis::Seconds, _) => format!("time-{}", shown.stem()),
    }
}

fn lines_title(along: XAxis, shown: Measure) -> String {
    match (along, shown) {
        (XAxis::Experts, Measure::LatentSimilarity) => "Latent similarity over the stream".to_owned(),
        (XAxis::Experts, _) => format!("Accuracy over the stream, {}", shown.words()),
        (XAxis::Bytes, _) => format!("Accuracy against bytes moved, {}", shown.words()),
        (XAxis::Seconds, _) => format!("Accuracy against time, {}", shown.words()),
    }
}

fn missing(along: XAxis, shown: Measure) -> &'static str {
    match (along, shown) {
        (XAxis::Experts, Measure::LatentSimilarity) => "No row measured the latent similarity after each device.",
        (XAxis::Experts, _) => "No row was judged after each device.",
        (XAxis::Bytes, _) => "No row that was judged after each device also counted the bytes that it moved.",
        (XAxis::Seconds, _) => "No row that was judged after each device also timed its devices and consolidations.",
    }
}

fn lines_caption(along: XAxis, shown: Measure, curves: &[Curve]) -> String {
    let what = match shown {
        Measure::TaskAware => {
            "Mean accuracy on the tasks met so far, after each device; each sample is judged by the head of its own task."
        }
        Measure::TaskAgnostic => {
            "Mean accuracy on the tasks met so far, after each device; each sample is judged over all heads."
        }
        Measure::LatentSimilarity => {
            "Linear CKA of the centre's and the experts' latents, mean over the tasks met so far, after each device."
        }
    };
    let mut sentences = vec![what.to_owned()];
    let goes_by = |steps| curves.iter().any(|curve| curve.steps == steps);
    if goes_by(Steps::Arrivals) {
        sentences.push(
            "If devices came back in another order than that of the stream, or not all of them, a point is the n-th that came \
             back."
                .to_owned(),
        );
    }
    if goes_by(Steps::Rounds) {
        sentences.push("Rows with rounds were judged on all tasks of the stream, and a point is a round.".to_owned());
    }
    sentences.extend(match along {
        XAxis::Experts if goes_by(Steps::Rounds) => {
            Some("Its position is the number of experts that were taken in.".to_owned())
        }
        XAxis::Experts => None,
        XAxis::Bytes => Some("Bytes add up over all devices so far, both directions; mean over seeds.".to_owned()),
        XAxis::Seconds => Some(
            "Time adds up over the training of all devices, one after another, and the consolidations so far, without \
             evaluation; mean over seeds."
                .to_owned(),
        ),
    });
    let has_band = curves.iter().flat_map(|curve| &curve.points).any(|point| point.y.ci95_low.is_some());
    sentences.push(if has_band {
        "Line: mean over seeds; band: 95 % confidence interval (Student t), cut off at the edge of the chart."
            .to_owned()
    } else {
        "One seed, so no band.".to_owned()
    });
    if !is_complete(curves) {
        sentences.push(
            "The stream is longer than the chart is wide, so not every device is drawn. The data has them all."
                .to_owned(),
        );
    }
    sentences.join(" ")
}

/// The caption, with a note if devices are left out.
fn with_left_out(caption: String, results: &Results) -> String {
    if results.left_out.is_empty() {
        caption
    } else {
        format!("{caption} Devices that are left out are not counted along the axes.")
    }
}

fn matrices_caption(matrices: &[Blocks]) -> String {
    let mut sentences = vec![
        "Each cell: accuracy on one task (across) after one device was consolidated (down), mean over seeds."
            .to_owned(),
    ];
    let side = matrices.iter().map(|matrix| matrix.side).max().unwrap_or(1);
    if side > 1 {
        sentences.push(format!(
            "The stream is long, so that a cell, here and in the data, is the mean over up to {side} devices and {side} \
             tasks."
        ));
    }
    if matrices.iter().any(|matrix| matrix.steps == Steps::Arrivals) {
        sentences.push(
            "By arrival: devices did not come back in the order of the stream, or not all of them, so that the n-th device \
             and its task may be others under each seed."
                .to_owned(),
        );
    }
    sentences.join(" ")
}

fn across(along: XAxis, curves: &[Curve]) -> Quantity {
    let largest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.x).fold(0.0, f64::max);
    match along {
        XAxis::Experts => {
            let one_at_a_time = curves.iter().all(|curve| curve.steps == Steps::Devices);
            let title = if one_at_a_time { "device" } else { "experts taken in" };
            Quantity { title: title.to_owned(), factor: 1.0, counts: true }
        }
        XAxis::Bytes => {
            let scale = Scale::bytes(largest);
            let unit = scale.unit.unwrap_or_default();
            Quantity { title: format!("bytes moved so far ({unit})"), factor: scale.factor, counts: false }
        }
        XAxis::Seconds => {
            let (unit, seconds) = match largest {
                ..300.0 => ("s", 1.0),
                ..18_000.0 => ("min", 60.0),
                _ => ("h", 3600.0),
            };
            Quantity { title: format!("time so far ({unit})"), factor: 1.0 / seconds, counts: false }
        }
    }
}

fn up(shown: Measure) -> Quantity {
    let (title, factor) = match shown {
        Measure::LatentSimilarity => ("linear CKA", 1.0),
        _ => ("average accuracy (%)", 100.0),
    };
    Quantity { title: title.to_owned(), factor, counts: false }
}

/// One line for each point. `device` and `task` are given if devices came in the order of the stream, and `task` only if it is
/// the same under all seeds. `round` is given if devices came in rounds. The horizontal position follows.
fn lines_csv(results: &Results, along: XAxis, shown: Measure, curves: &[Curve]) -> Result<String, ReportError> {
    let amount = match along {
        XAxis::Experts => "experts",
        XAxis::Bytes => "bytes",
        XAxis::Seconds => "seconds",
    };
    let heading = ["strategy", "device", "round", "task", amount, shown.column(), "ci95_low", "ci95_high", "seeds"];
    let far = |x: f64| match along {
        XAxis::Experts => x.to_string(),
        XAxis::Bytes => for_file(x, Unit::Bytes),
        XAxis::Seconds => for_file(x, Unit::Seconds),
    };

    let number = |value| for_file(value, Unit::Fraction);
    let mut lines = Vec::new();
    for curve in curves {
        for point in &curve.points {
            let index = point.step - 1;
            let [device, round, task] = match curve.steps {
                Steps::Devices => {
                    let task = results.task_name(index).map(one_line).unwrap_or_default();
                    [results.device(index).to_string(), String::new(), task]
                }
                Steps::Arrivals => Default::default(),
                Steps::Rounds => [String::new(), point.step.to_string(), String::new()],
            };
            let mut line = vec![curve.name.clone(), device, round, task, far(point.x), number(point.y.mean)];
            line.extend([point.y.ci95_low, point.y.ci95_high].map(|end| end.map(number).unwrap_or_default()));
            line.push(point.y.n.to_string());
            lines.push(line);
        }
    }
    csv::table(&heading, lines)
}

/// One line for each strategy and cell. `order` says whether devices and tasks are counted along the stream or by arrival.
fn matrices_csv(matrices: &[Blocks]) -> Result<String, ReportError> {
    let heading = ["strategy", "order", "first_device", "last_device", "first_task", "last_task", "accuracy", "seeds"];
    let lines = matrices.iter().flat_map(|matrix| {
        let order = if matrix.steps == Steps::Devices { "stream" } else { "arrival" };
        matrix.blocks.iter().map(move |block| {
            let numbers = [block.devices.0, block.devices.1, block.tasks.0, block.tasks.1].map(|n| n.to_string());
            let accuracy = for_file(block.accuracy, Unit::Fraction);
            [vec![matrix.name.clone(), order.to_owned()], numbers.to_vec(), vec![accuracy, block.seeds.to_string()]]
                .concat()
        })
    });
    csv::table(&heading, lines)
}
