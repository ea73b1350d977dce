//! TensorBoard's event files: the measurements of a row along the stream, one file for each seed.
//!
//! The format is that of `tensorboard/compat/proto/event.proto` and of TFRecord files: each event is a protocol
//! buffer between its length and checksums.

use std::collections::BTreeMap;
use std::path::PathBuf;

use alluvium_results::{Accuracy, Cell, Estimate, MatrixRow, Results};
use prost::Message;

use crate::figure::{Measure, XAxis};
use crate::label::{file_stems, one_line};

/// The name of an event file. TensorBoard looks for `tfevents` in it. In its own files, the number is the time and the end is the
/// host.
const FILE: &str = "events.out.tfevents.0.alluvium";

/// The first event of every file says which version of the format follows.
const VERSION: &str = "brain.Event:2";

/// `tensorflow.Event`, as far as it is used here.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970, as TensorBoard sees it.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value` of a scalar.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// The event files of these results, each with its relative path `ROW/seed-S/events.out.…`, which TensorBoard shows as the run
/// `ROW/seed-S`. A cell without numbers has no file.
pub(crate) fn event_files(results: &Results) -> Vec<(PathBuf, Vec<u8>)> {
    let tasks = task_tags(results);
    let mut files = Vec::new();
    let stems = file_stems(results.rows.iter().map(|row| row.name.as_str()));
    for (row, stem) in results.rows.iter().zip(stems) {
        for cell in &row.cells {
            let events = events(cell, &tasks);
            if !events.is_empty() {
                let path = PathBuf::from(&stem).join(format!("seed-{}", cell.seed)).join(FILE);
                files.push((path, event_file(&events)));
            }
        }
    }
    files
}

/// The names of the tasks, or their numbers if the names do not hold under all seeds. All differ, because two series with one tag
/// would be drawn as one.
fn task_tags(results: &Results) -> Vec<String> {
    let name = |index: usize| match results.task_name(index) {
        Some(name) => one_line(name),
        None => results.device(index).to_string(),
    };
    let names: Vec<String> = (0..results.tasks.len()).map(name).collect();
    let is_repeated = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let tag = |(index, name): (usize, &String)| {
        if is_repeated(name) { format!("{name} ({})", index + 1) } else { name.clone() }
    };
    names.iter().enumerate().map(tag).collect()
}

/// The measurements of the cell after each device or round, by its number from 1.
fn events(cell: &Cell, tasks: &[String]) -> BTreeMap<i64, Vec<Value>> {
    let mut events: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    let mut put = |device: usize, tag: String, value: f64| {
        // TensorBoard's scalars are single precision.
        let value = Value { tag, simple_value: Some(value as f32) };
        events.entry(device as i64).or_default().push(value);
    };
    let mut put_all = |tag: &str, values: &[Option<f64>]| {
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = value {
                put(index + 1, tag.to_owned(), *value);
            }
        }
    };
    let each = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();

    put_all("accuracy/task_aware", &Measure::TaskAware.values(cell));
    put_all("accuracy/task_agnostic", &Measure::TaskAgnostic.values(cell));
    // In rounds several experts come at a time, so they have no separate steps.
    if !matches!(cell.accuracy, Accuracy::Rounds(_)) {
        put_all("expert_accuracy", &each(&cell.expert_accuracy));
    }
    put_all("latent_similarity", &Measure::LatentSimilarity.values(cell));
    put_all("bytes", &each(&XAxis::Bytes.positions(cell)));
    put_all("seconds", &each(&XAxis::Seconds.positions(cell)));

    let tag = |index: usize| match tasks.get(index) {
        Some(name) => format!("task_aware/{name}"),
        None => format!("task_aware/{}", index + 1),
    };
    match &cell.accuracy {
        Accuracy::Stream { task_aware, .. } => {
            let tag = |column: usize| tag(cell.arrivals.get(column).copied().unwrap_or(column));
            for (device, row) in task_aware.rows().iter().enumerate() {
                match row {
                    MatrixRow::Own(accuracy) => put(device + 1, tag(device), *accuracy),
                    MatrixRow::All(accuracies) => {
                        accuracies
                            .iter()
                            .enumerate()
                            .for_each(|(task, accuracy)| put(device + 1, tag(task), *accuracy));
                    }
                }
            }
        }
        Accuracy::Rounds(rounds) => {
            for round in rounds {
                for (index, accuracy) in round.task_aware.iter().enumerate() {
                    put(round.round, tag(index), *accuracy);
                }
            }
        }
        // A row without stream was measured once, after all tasks.
        Accuracy::Final { task_aware, task_agnostic } => {
            let last = task_aware.len();
            for (kind, accuracies) in [("aware", Some(task_aware)), ("agnostic", task_agnostic.as_ref())] {
                if let Some(estimate) = accuracies.and_then(|accuracies| Estimate::from_samples(accuracies)) {
                    put(last, format!("accuracy/task_{kind}"), estimate.mean);
                }
            }
            for (index, accuracy) in task_aware.iter().enumerate() {
                put(last, tag(index), *accuracy);
            }
        }
        Accuracy::Unmeasured { .. } => {}
    }
    events
}

/// The bytes of an event file with these events.
fn event_file(events: &BTreeMap<i64, Vec<Value>>) -> Vec<u8> {
    let version = Event { file_version: Some(VERSION.to_owned()), ..Event::default() };
    let steps = events.iter().map(|(&step, values)| Event {
        // The same results must give the same bytes, so the time is the number of the device, in seconds. This keeps
        // TensorBoard's "relative" and "wall" views in the right order.
        wall_time: step as f64,
        step,
        file_version: None,
        summary: Some(Summary { value: values.clone() }),
    });

    let mut bytes = Vec::new();
    for event in [version].into_iter().chain(steps) {
        push_record(&mut bytes, &event.encode_to_vec());
    }
    bytes
}

/// A record of a TFRecord file: the length, its checksum, the data, its checksum; all little-endian.
fn push_record(bytes: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    bytes.extend(length);
    bytes.extend(masked_crc(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked_crc(data).to_le_bytes());
}

/// CRC-32C, masked as in TFRecord, because the plain checksum of data that contain checksums is weak.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests;
