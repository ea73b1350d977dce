//! Which figures there are, what each is called, and what its reader must know.

use alluvium_results::{Results, Unit};

use super::curve::{Along, Curve, Shown, curves};
use super::lines::{LineChart, Quantity, is_complete};
use super::matrix::{Blocks, matrices};
use super::{Figure, Outcome};
use super::{budget, heat_map};
use crate::csv;
use crate::error::ReportError;
use crate::label::one_line;
use crate::number::{Scale, for_file};

/// Every figure of these results, in the order of a report: what is task-aware stands beside what is task-agnostic.
pub(crate) fn draw(results: &Results) -> Result<Vec<Outcome>, ReportError> {
    let lines = |along, shown| draw_lines(results, along, shown);
    let matrix = |shown| draw_matrices(results, shown);
    let mut outcomes = vec![
        lines(Along::Devices, Shown::TaskAware)?,
        lines(Along::Devices, Shown::TaskAgnostic)?,
        matrix(Shown::TaskAware)?,
        matrix(Shown::TaskAgnostic)?,
        lines(Along::Bytes, Shown::TaskAware)?,
        lines(Along::Bytes, Shown::TaskAgnostic)?,
        lines(Along::Seconds, Shown::TaskAware)?,
        lines(Along::Seconds, Shown::TaskAgnostic)?,
        lines(Along::Devices, Shown::LatentSimilarity)?,
    ];
    outcomes.extend(budget::draw(results)?);
    Ok(outcomes)
}

fn draw_lines(results: &Results, along: Along, shown: Shown) -> Result<Outcome, ReportError> {
    let title = lines_title(along, shown);
    let curves = curves(results, along, shown);
    let moved = curves.iter().flat_map(|curve| &curve.points).any(|point| point.x > 0.0);
    if curves.is_empty() || !moved {
        return Ok(Outcome::Missing { title, reason: missing(along, shown).to_owned() });
    }

    let chart = LineChart { title: &title, curves: &curves, across: across(along, &curves), up: up(shown) };
    Ok(Outcome::Drawn(Figure {
        name: lines_name(along, shown),
        caption: lines_caption(along, shown, &curves),
        svg: chart.draw()?,
        csv: lines_csv(results, along, shown, &curves)?,
        title,
    }))
}

fn draw_matrices(results: &Results, shown: Shown) -> Result<Outcome, ReportError> {
    let title = format!("Accuracy matrix, {}", shown.words());
    let matrices = matrices(results, shown);
    if matrices.is_empty() {
        let reason = "No row was judged after each device.".to_owned();
        return Ok(Outcome::Missing { title, reason });
    }
    Ok(Outcome::Drawn(Figure {
        name: format!("matrix-{}", shown.stem()),
        caption: matrices_caption(&matrices),
        svg: heat_map::draw(&title, &matrices)?,
        csv: matrices_csv(&matrices)?,
        title,
    }))
}

impl Shown {
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

    /// What its column of a CSV file is called.
    fn column(self) -> &'static str {
        match self {
            Self::LatentSimilarity => "latent_similarity",
            _ => "accuracy",
        }
    }
}

fn lines_name(along: Along, shown: Shown) -> String {
    match (along, shown) {
        (Along::Devices, Shown::LatentSimilarity) => shown.stem().to_owned(),
        (Along::Devices, _) => format!("accuracy-{}", shown.stem()),
        (Along::Bytes, _) => format!("bytes-{}", shown.stem()),
        (Along::Seconds, _) => format!("time-{}", shown.stem()),
    }
}

fn lines_title(along: Along, shown: Shown) -> String {
    match (along, shown) {
        (Along::Devices, Shown::LatentSimilarity) => "Latent similarity over the stream".to_owned(),
        (Along::Devices, _) => format!("Accuracy over the stream, {}", shown.words()),
        (Along::Bytes, _) => format!("Accuracy against bytes moved, {}", shown.words()),
        (Along::Seconds, _) => format!("Accuracy against time, {}", shown.words()),
    }
}

fn missing(along: Along, shown: Shown) -> &'static str {
    match (along, shown) {
        (Along::Devices, Shown::LatentSimilarity) => "No row measured the latent similarity after each device.",
        (Along::Devices, _) => "No row was judged after each device.",
        (Along::Bytes, _) => "No row that was judged after each device also counted the bytes that it moved.",
        (Along::Seconds, _) => "No row that was judged after each device also timed its devices and consolidations.",
    }
}

fn lines_caption(along: Along, shown: Shown, curves: &[Curve]) -> String {
    let what = match shown {
        Shown::TaskAware => {
            "Mean accuracy on the tasks met so far, after each device; each sample is judged by the head of its own task."
        }
        Shown::TaskAgnostic => {
            "Mean accuracy on the tasks met so far, after each device; each sample is judged over all heads."
        }
        Shown::LatentSimilarity => {
            "Linear CKA of the centre's and the experts' latents, mean over the tasks met so far, after each device."
        }
    };
    let mut sentences = vec![what];
    match along {
        Along::Devices => {}
        Along::Bytes => {
            sentences.push("Each point is a device; bytes add up over all devices so far, both directions.")
        }
        Along::Seconds => sentences.push(
            "Each point is a device; time adds up over the devices' training and the consolidations so far, mean over \
             seeds.",
        ),
    }
    let has_band = curves.iter().flat_map(|curve| &curve.points).any(|point| point.y.ci95_low.is_some());
    sentences.push(match has_band {
        true => "Line: mean over seeds; band: 95 % confidence interval (Student t), cut off at the edge of the chart.",
        false => "One seed, so no band.",
    });
    if !is_complete(curves) {
        sentences
            .push("The stream is longer than the chart is wide: not every device is drawn; the data has them all.");
    }
    sentences.join(" ")
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
    sentences.join(" ")
}

fn across(along: Along, curves: &[Curve]) -> Quantity {
    let largest = curves.iter().flat_map(|curve| &curve.points).map(|point| point.x).fold(0.0, f64::max);
    match along {
        Along::Devices => Quantity { title: "device".to_owned(), factor: 1.0, counts: true },
        Along::Bytes => {
            let scale = Scale::bytes(largest);
            let unit = scale.unit.unwrap_or_default();
            Quantity { title: format!("bytes moved so far ({unit})"), factor: scale.factor, counts: false }
        }
        Along::Seconds => {
            let (unit, seconds) = match largest {
                ..300.0 => ("s", 1.0),
                ..18_000.0 => ("min", 60.0),
                _ => ("h", 3600.0),
            };
            Quantity { title: format!("time so far ({unit})"), factor: 1.0 / seconds, counts: false }
        }
    }
}

fn up(shown: Shown) -> Quantity {
    let (title, factor) = match shown {
        Shown::LatentSimilarity => ("linear CKA", 1.0),
        _ => ("average accuracy (%)", 100.0),
    };
    Quantity { title: title.to_owned(), factor, counts: false }
}

/// One line for each strategy and device; the task is there where devices came in the order of the stream. The amount so far is there where the figure goes along it.
fn lines_csv(results: &Results, along: Along, shown: Shown, curves: &[Curve]) -> Result<String, ReportError> {
    let (amount, unit) = match along {
        Along::Devices => (None, Unit::Count),
        Along::Bytes => (Some("bytes"), Unit::Bytes),
        Along::Seconds => (Some("seconds"), Unit::Seconds),
    };
    let mut heading = vec!["strategy", "device", "task"];
    heading.extend(amount);
    heading.extend([shown.column(), "ci95_low", "ci95_high", "seeds"]);

    let number = |value| for_file(value, Unit::Fraction);
    let mut lines = Vec::new();
    for curve in curves {
        for point in &curve.points {
            let row = results.rows.get(curve.place).filter(|row| row.follows_the_stream());
            let task = row.and_then(|_| results.tasks.get(point.device - 1)).map(|task| one_line(&task.name));
            let mut line = vec![curve.name.clone(), point.device.to_string(), task.unwrap_or_default()];
            line.extend(amount.map(|_| for_file(point.x, unit)));
            line.push(number(point.y.mean));
            line.extend([point.y.ci95_low, point.y.ci95_high].map(|end| end.map(number).unwrap_or_default()));
            line.push(point.y.n.to_string());
            lines.push(line);
        }
    }
    csv::table(&heading, lines)
}

/// One line for each strategy and cell.
fn matrices_csv(matrices: &[Blocks]) -> Result<String, ReportError> {
    let heading = ["strategy", "first_device", "last_device", "first_task", "last_task", "accuracy", "seeds"];
    let lines = matrices.iter().flat_map(|matrix| {
        matrix.blocks.iter().map(|block| {
            let numbers = [block.devices.0, block.devices.1, block.tasks.0, block.tasks.1].map(|n| n.to_string());
            let accuracy = for_file(block.accuracy, Unit::Fraction);
            [vec![matrix.name.clone()], numbers.to_vec(), vec![accuracy, block.seeds.to_string()]].concat()
        })
    });
    csv::table(&heading, lines)
}
