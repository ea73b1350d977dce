//! Probes: what someone at the centre learns of a device's samples from its statistics, and from its expert's weights.
//!
//! They read samples of the first device, so they run only where devices live in this process. Nothing of a run depends on them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use alluvium_config::StrategyRow;
use alluvium_model::{Inputs, Model, ModelState, PictureShape};
use alluvium_results::SampleSheet;
use alluvium_strategy::{DeviceStatistic, Reconstruction, StatisticRequest, TaskDataset};
use alluvium_stream::{Samples, Task, ValueType};
use burn::tensor::activation::log_softmax;

use crate::centre::beside;
use crate::context::RunContext;
use crate::devices::SharedSetup;
use crate::stored::{AdaptedDevice, redo};

/// The most rows whose statistics are probed, and the most samples of a class that a reconstruction is compared with.
const ROWS: usize = 12;
const SAMPLES: usize = 500;

/// What probes found: pictures, and sentences with numbers.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) sheets: Vec<SampleSheet>,
    pub(crate) notes: Vec<String>,
}

/// Probes the statistics of the first device in each row that asks for some that can be probed, and its expert's weights. A probe
/// that fails is left out.
pub(crate) fn probes(run: &RunContext<'_>, shared: &[SharedSetup], first: Option<&AdaptedDevice>) -> Probed {
    let mut probed = Probed::default();
    let (Some(shared), Some(first), Some(_)) = (shared.first(), first, run.experiment.device.training()) else {
        return probed;
    };
    let rows = run.experiment.strategies.iter();
    let mut seen = BTreeSet::new();
    // Rows that ask for the same statistics give the same away.
    let rows = rows.filter(|row| row.config.statistics().iter().any(|asked| asked.tells().is_some()));
    let rows: Vec<_> = rows.filter(|row| seen.insert(format!("{:?}", row.config.statistics()))).collect();
    if rows.is_empty() {
        return probed;
    }
    let (Ok(task), Ok(expert)) = (shared.task(0), redo(|| first.expert(run.stages))) else { return probed };
    for row in rows.into_iter().take(ROWS) {
        let one = catch_unwind(AssertUnwindSafe(|| statistics_of(run, row, shared, &task, &expert.model)));
        if let Ok(Some(found)) = one {
            probed.sheets.extend(found.sheets);
            probed.notes.extend(found.notes);
        }
    }
    let membership = catch_unwind(AssertUnwindSafe(|| membership(&expert.model, &task, shared)));
    probed.notes.extend(membership.ok().flatten());
    probed
}

/// Probes the statistics that a row asks for.
fn statistics_of(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    task: &Task,
    adapted: &ModelState,
) -> Option<Probed> {
    let description = shared.describe(run.experiment, &row.protocol);
    let initial = redo(|| shared.initial.load(run.stages)).ok()?;
    let (_, beside) = beside(run, row, shared, &description, &initial).ok()?;
    let request = StatisticRequest {
        taken: &initial,
        adapted,
        own: TaskDataset { head: &task.head, samples: &task.train },
        beside: &beside,
        compute: &shared.compute,
        seed: shared.root.of("probe"),
    };
    let mut probed = Probed::default();
    for statistic in row.config.statistics() {
        let found = statistic.reconstructed(&request).ok().filter(|found| !found.is_empty())?;
        probed.notes.push(in_words(row, statistic.as_ref(), &found, task, shared));
        if let (Some(shape), ValueType::Bytes(_)) = (adapted.input.picture(), task.train.value_type()) {
            probed.sheets.push(sheet(&row.name, statistic.name(), shape, &found));
        }
    }
    Some(probed)
}

/// The pictures that were reconstructed. Inputs are in −1…1, and pixels in 0…255.
fn sheet(row: &str, statistic: &str, shape: PictureShape, found: &[Reconstruction]) -> SampleSheet {
    let pixel = |value: &f32| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
    let PictureShape { channels, height, width } = shape;
    let mut kinds: Vec<_> = found.iter().map(|one| one.what).collect();
    kinds.dedup();
    kinds.truncate(2);
    SampleSheet {
        title: format!(
            "Probe of {row}: reconstructed from the {statistic} of device 1, of each class: {}",
            kinds.join(", ")
        ),
        channels,
        height,
        width,
        sounds: vec![],
        samples: found.iter().map(|one| one.values.iter().map(pixel).collect()).collect(),
    }
}

/// How much the reconstructions resemble samples, by the correlation of their values.
fn in_words(
    row: &StrategyRow,
    statistic: &dyn DeviceStatistic,
    found: &[Reconstruction],
    task: &Task,
    shared: &SharedSetup,
) -> String {
    let [of_training, of_test, of_mean] = resemblance(found, task, shared);
    format!(
        "Probe of {}, seed {}: inputs reconstructed from the statistic \"{}\" of device 1 resemble the mean of their class by {of_mean:.2}, \
         their nearest training sample by {of_training:.2} and their nearest test sample, which the device does not have, by \
         {of_test:.2} (absolute correlation, mean over classes).",
        row.name,
        shared.seed,
        statistic.name()
    )
}

/// The mean absolute correlation of reconstructions with the nearest training sample of their class, the nearest test sample, and the mean of
/// the training samples. Features may not tell a picture from its negative, so the sign does not count.
fn resemblance(found: &[Reconstruction], task: &Task, shared: &SharedSetup) -> [f64; 3] {
    let values = |samples: &Samples, class: usize| -> Vec<Vec<f32>> {
        let own = (0..samples.len()).filter(|index| samples.labels()[*index] == class).take(SAMPLES);
        let inputs = samples.select(own).inputs(&shared.compute);
        let size = inputs.shape().values();
        let flat = inputs.vectors().into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
        flat.chunks(size.max(1)).map(<[f32]>::to_vec).collect()
    };
    let mut sums = [0.0; 3];
    for one in found {
        let (train, test) = (values(&task.train, one.class), values(&task.test, one.class));
        let nearest = |samples: &[Vec<f32>]| {
            samples.iter().map(|sample| correlation(&one.values, sample).abs()).fold(0.0, f64::max)
        };
        let mut mean = vec![0.0; one.values.len()];
        train.iter().for_each(|sample| mean.iter_mut().zip(sample).for_each(|(mean, value)| *mean += value));
        let three = [nearest(&train), nearest(&test), correlation(&one.values, &mean).abs()];
        sums.iter_mut().zip(three).for_each(|(sum, value)| *sum += value);
    }
    sums.map(|sum| sum / found.len().max(1) as f64)
}

/// The correlation of the values of two inputs; 0 where one is flat.
fn correlation(one: &[f32], other: &[f32]) -> f64 {
    let mean = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut product, mut square_one, mut square_other) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (f64::from(*one) - mean_one, f64::from(*other) - mean_other);
        product += one * other;
        square_one += one * one;
        square_other += other * other;
    }
    if square_one * square_other > 0.0 { product / (square_one * square_other).sqrt() } else { 0.0 }
}

/// How well someone who has the first device's expert tells its training samples from test samples: by its loss, which is lower on
/// samples that it has learned (Yeom et al., "Privacy risk in machine learning", CSF 2018, arXiv 1709.01604).
fn membership(expert: &ModelState, task: &Task, shared: &SharedSetup) -> Option<String> {
    let model = Model::load(expert, &shared.compute).ok()?;
    let losses = |samples: &Samples| -> Option<Vec<f64>> {
        let some = samples.select(0..samples.len().min(SAMPLES * task.head.classes.len()));
        let head = model.head(&task.head.name)?;
        let mut losses = vec![];
        for (piece, start) in some.inputs(&shared.compute).split(SAMPLES).into_iter().zip((0..).step_by(SAMPLES)) {
            losses.extend(losses_of(&model, head, piece, &some.labels()[start..])?);
        }
        Some(losses)
    };
    let (members, others) = (losses(&task.train)?, losses(&task.test)?);
    let area = area_under_curve(&members, &others);
    Some(format!(
        "Probe of the model that device 1 sends, seed {}: its loss tells a training sample from a test sample of the same classes with an \
         AUC of {area:.2} (0.5 is chance). No noise on statistics changes that.",
        shared.seed
    ))
}

/// The cross-entropy of each sample.
fn losses_of(model: &Model, head: &alluvium_model::Head, inputs: Inputs, labels: &[usize]) -> Option<Vec<f64>> {
    let latents = model.latents(inputs.clone());
    let scores = log_softmax(head.scores(inputs, latents), 1);
    let classes = head.spec.classes.len();
    let values = scores.into_data().convert::<f32>().try_into_vec::<f32>().ok()?;
    let of_row = |(row, label): (&[f32], &usize)| {
        let own = head.spec.classes.iter().position(|class| class == label)?;
        Some(-f64::from(row[own]))
    };
    values.chunks(classes.max(1)).zip(labels).map(of_row).collect()
}

/// The probability that a member has a smaller value than another one; ties count half.
fn area_under_curve(members: &[f64], others: &[f64]) -> f64 {
    let mut sorted = others.to_vec();
    sorted.sort_by(f64::total_cmp);
    let above = |value: &f64| {
        let not_below = sorted.partition_point(|other| other < value);
        let above = sorted.partition_point(|other| other <= value);
        (sorted.len() - above) as f64 + 0.5 * (above - not_below) as f64
    };
    let pairs = (members.len() * others.len()).max(1) as f64;
    members.iter().map(above).sum::<f64>() / pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_counts_pairs() {
        // Pairs (1, 2), (1, 3), (3, 2), (3, 3): right, right, wrong, a tie.
        assert_eq!(area_under_curve(&[1.0, 3.0], &[2.0, 3.0]), 2.5 / 4.0);
        assert_eq!(area_under_curve(&[0.0], &[1.0, 2.0]), 1.0);
    }

    #[test]
    fn a_correlation_is_that_of_the_deviations() {
        // Deviations (−1, 0, 1) and (−1, −1, 2): 3 / √(2 · 6).
        assert!((correlation(&[1.0, 2.0, 3.0], &[5.0, 5.0, 8.0]) - 3.0 / 12.0_f64.sqrt()).abs() < 1e-6);
        assert_eq!(correlation(&[1.0, 1.0], &[0.0, 2.0]), 0.0);
    }
}
