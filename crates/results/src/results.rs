//! A whole comparison: its configuration, its environment, and the measurements of each strategy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cell::{Accuracy, Cell};
use crate::control_cells::{Control, values};
use crate::invalid::InvalidResults;
use crate::metric_catalogue::Metric;
use crate::statistics::Estimate;

/// The version of the JSON form of [`Results`] that this crate writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// Everything that is needed to report a comparison and to explain its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The comparison's name, the title of its report.
    pub name: String,
    /// The configuration as it was run, defaults filled in.
    pub config: serde_json::Value,
    /// The kind of the configuration's protocol: `dcl`, `federated` or `centralised`. Rows without their own protocol run under
    /// it.
    #[serde(deserialize_with = "kind_alone")]
    pub protocol: String,
    /// The seeds of every row.
    pub seeds: Vec<u64>,
    /// The name of the row that the others are compared with, if any.
    pub baseline: Option<String>,
    /// The control run, if any. Each row is compared with the row of the same name there, instead of with the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// The version of each program and library that can influence a number, by name.
    pub versions: BTreeMap<String, String>,
    /// Facts about the machine and backend, by name.
    pub environment: BTreeMap<String, String>,
    /// The tasks under the first seed, in the order of the stream.
    pub tasks: Vec<TaskLabel>,
    /// Whether tasks depend on the seed, so that their names and classes do not hold for all seeds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tasks_vary: bool,
    /// The devices, counted from 0, that [`without_devices`](Self::without_devices) left out. `tasks` holds the tasks of the
    /// others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<usize>,
    /// Notes that belong below every table, such as why a row is absent; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Pictures of what the models saw: some samples of each device, and of the surrogate data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<PictureLabel>,
    /// One row for each strategy and each reference, in the order of the configuration.
    pub rows: Vec<Row>,
}

/// A picture that belongs to the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureLabel {
    /// The PNG file, relative to the folder of the results, with `/` between folders.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// The sounds of the samples that it shows, in their order; empty if samples are not sounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sounds: Vec<SoundLabel>,
}

/// A sound that belongs to the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundLabel {
    /// The file, relative to the folder of the results, with `/` between folders.
    pub file: String,
    /// What is heard.
    pub title: String,
    /// The media type of the file, such as `audio/flac`.
    pub media_type: String,
}

/// The name and the size of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLabel {
    /// The task's name.
    pub name: String,
    /// The names of its classes, in the order of the logits of its head.
    pub classes: Vec<String>,
    /// The number of samples that its device trains on; `None` if the device did not state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_samples: Option<usize>,
    /// The number of its test samples.
    pub test_samples: usize,
}

/// One strategy, or one reference, over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The row's name, unique in the comparison.
    pub name: String,
    /// Which strategy or reference it is: the plugin's `kind`.
    pub kind: String,
    /// Whether it competes or is a reference.
    pub role: RowRole,
    /// The kind of the protocol that it ran under; empty for a row without protocol.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "kind_alone")]
    pub protocol: String,
    /// What that protocol permits on this stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Clause>,
    /// The data that it needs while consolidating: `none`, `surrogate`, `current-task` or `all-tasks`. Each statistic that
    /// devices send along with their model follows after ` + `.
    pub data_access: String,
    /// Its settings as they were run, defaults filled in.
    pub settings: serde_json::Value,
    /// Its measurements, one cell for each finished seed.
    pub cells: Vec<Cell>,
}

/// One thing that a protocol permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// What is permitted, such as `contacts a device`.
    pub name: String,
    /// How much of it, or which kind.
    pub value: String,
}

/// Reads the kind of a protocol. In older results, the clauses follow the kind in words.
fn kind_alone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut protocol = String::deserialize(deserializer)?;
    if let Some(end) = protocol.find(" (") {
        protocol.truncate(end);
    }
    Ok(protocol)
}

/// Whether a row competes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowRole {
    /// A consolidation strategy, run under the protocol.
    Strategy,
    /// A reference, such as joint training or each device alone. The rules of the protocol do not apply to it.
    Reference,
}

/// Why a text cannot be read as results, or why results cannot be written as JSON.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// The text is not the JSON form of results.
    #[error("this is not the JSON form of results: {0}")]
    Json(#[source] serde_json::Error),
    /// The text has another version of the form.
    #[error("these results are of format {found}; this version of Alluvium reads and writes format {FORMAT} only")]
    Format {
        /// The format that they state.
        found: u64,
    },
    /// The results contradict themselves.
    #[error("the results are invalid: {0}")]
    Invalid(#[from] InvalidResults),
}

impl Results {
    /// The model file whose weights the central model of every row begins with, and the SHA-256 digest of its tensors. `None`
    /// where the first weights are drawn from the seed.
    pub fn first_weights(&self) -> Option<(&str, &str)> {
        let initial = self.config.get("initial")?;
        let text = |key: &str| initial.get(key)?.as_str().filter(|text| !text.is_empty());
        Some((text("file")?, text("digest")?))
    }

    /// Reads the JSON form, and refuses another [`FORMAT`] and contents that contradict themselves.
    pub fn from_json(text: &str) -> Result<Self, ResultsError> {
        /// The one field that every version of the form has.
        #[derive(Deserialize)]
        struct Header {
            format: u64,
        }

        // The format is checked first, because the rest may look different in another format.
        let header: Header = serde_json::from_str(text).map_err(ResultsError::Json)?;
        if header.format != u64::from(FORMAT) {
            return Err(ResultsError::Format { found: header.format });
        }
        let results: Self = serde_json::from_str(text).map_err(ResultsError::Json)?;
        results.check()?;
        Ok(results)
    }

    /// The JSON form, indented, with a line break at its end; [`from_json`](Self::from_json) reads it back
    /// to equal results.
    ///
    /// Results that could not be read back are refused.
    pub fn to_json(&self) -> Result<String, ResultsError> {
        if self.format != FORMAT {
            return Err(ResultsError::Format { found: self.format.into() });
        }
        self.check()?;
        let mut text = serde_json::to_string_pretty(self).map_err(ResultsError::Json)?;
        text.push('\n');
        Ok(text)
    }

    /// The number, from 1, of the device whose task has this index in `tasks`.
    pub fn device(&self, index: usize) -> usize {
        let mut number = index;
        for left_out in &self.left_out {
            number += usize::from(*left_out <= number);
        }
        number + 1
    }

    /// The name of the task with this index; `None` if the name does not hold under all seeds.
    pub fn task_name(&self, index: usize) -> Option<&str> {
        let label = self.tasks.get(index).filter(|_| !self.tasks_vary)?;
        Some(&label.name)
    }

    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    /// The value of the metric under each seed. Seeds without it are absent.
    pub fn values(&self, metric: Metric) -> BTreeMap<u64, f64> {
        values(&self.cells, metric)
    }

    /// Whether the n-th column of every cell's accuracies is the n-th task of the stream, because all devices came back in its
    /// order.
    pub fn follows_the_stream(&self) -> bool {
        let in_order = |cell: &Cell| cell.arrivals.is_empty() && !matches!(cell.accuracy, Accuracy::Rounds(_));
        self.cells.iter().all(in_order)
    }

    /// The metric over the seeds; `None` if no seed has it.
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        let values: Vec<f64> = self.values(metric).into_values().collect();
        Estimate::from_samples(&values)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One reference cell with this accuracy on both of two tasks.
    pub(crate) fn cell(seed: u64, accuracy: f64) -> Cell {
        Cell::new(seed, Accuracy::Final { task_aware: vec![accuracy, accuracy], task_agnostic: None })
    }

    pub(crate) fn row(name: &str, role: RowRole, cells: Vec<Cell>) -> Row {
        Row {
            name: name.into(),
            kind: name.into(),
            role,
            protocol: String::new(),
            clauses: vec![],
            data_access: "none".into(),
            settings: serde_json::json!({}),
            cells,
        }
    }

    /// Two strategies and a reference under the seeds 1 and 2; `b` lacks seed 2.
    pub(crate) fn small() -> Results {
        Results {
            format: FORMAT,
            name: "small".into(),
            config: serde_json::json!({ "protocol": "dcl", "lambda": 0.1 }),
            protocol: "dcl".into(),
            seeds: vec![1, 2],
            baseline: Some("a".into()),
            control: None,
            versions: BTreeMap::from([("alluvium".into(), "0.1.0".into())]),
            environment: BTreeMap::new(),
            tasks: vec![TaskLabel {
                name: "digits 0-1".into(),
                classes: vec!["0".into(), "1".into()],
                train_samples: Some(10),
                test_samples: 5,
            }],
            tasks_vary: false,
            left_out: vec![],
            notes: vec![],
            pictures: vec![],
            rows: vec![
                row("a", RowRole::Strategy, vec![cell(1, 0.5), cell(2, 0.75)]),
                row("b", RowRole::Strategy, vec![cell(1, 0.25)]),
                row("joint", RowRole::Reference, vec![cell(1, 1.0), cell(2, 1.0)]),
            ],
        }
    }

    #[test]
    fn json_leads_back() {
        let mut results = small();
        // A number with 17 digits: parsers that round give its neighbour.
        results.rows[0].cells[0].seconds = 0.1 + 0.2;
        results.rows[0].cells[0].seed = 2;
        results.rows[0].cells[1].seed = 1;
        let json = results.to_json().expect("valid");
        assert_eq!(Results::from_json(&json).expect("reads back"), results);
    }

    #[test]
    fn another_format_is_refused_before_its_contents() {
        let message =
            Results::from_json(r#"{ "format": 2, "name": ["not", "a", "name"] }"#).expect_err("format 2").to_string();
        assert!(message.contains("format 2"), "{message}");
        assert!(message.contains("format 1 only"), "{message}");
    }

    #[test]
    fn protocols_in_words_are_read_by_their_kind() {
        let mut results = small();
        let clause = Clause { name: "contacts a device".into(), value: "2".into() };
        (results.rows[0].protocol, results.rows[0].clauses) = ("dcl".into(), vec![clause]);
        let json = results.to_json().expect("valid");
        assert_eq!(Results::from_json(&json).expect("reads back"), results);

        let old = json
            .replace("\"protocol\": \"dcl\"", "\"protocol\": \"dcl (contacts a device: 2; the centre sees: none)\"");
        assert_eq!(old.matches("dcl (contacts").count(), 3, "the configuration's, the file's and a row's");
        let read = Results::from_json(&old).expect("reads");
        assert_eq!((read.protocol.as_str(), read.rows[0].protocol.as_str()), ("dcl", "dcl"));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let message = Results::from_json("{").expect_err("not JSON").to_string();
        assert!(message.contains("line 1"), "{message}");
    }

    #[test]
    fn a_row_whose_devices_came_in_another_order_does_not_follow_the_stream() {
        let mut results = small();
        assert!(results.rows[0].follows_the_stream());
        results.rows[0].cells[1].arrivals = vec![1, 0];
        assert!(!results.rows[0].follows_the_stream());
        results.rows[1].cells[0].accuracy = Accuracy::Rounds(vec![]);
        assert!(!results.rows[1].follows_the_stream());
    }

    #[test]
    fn tasks_have_no_names_where_seeds_differ_in_them() {
        let mut results = small();
        assert_eq!((results.task_name(0), results.task_name(1)), (Some("digits 0-1"), None));
        results.tasks_vary = true;
        assert_eq!(results.task_name(0), None);
    }

    #[test]
    fn values_are_by_seed() {
        let results = small();
        let values = results.rows[0].values(Metric::AverageAccuracyTaskAware);
        assert_eq!(values, BTreeMap::from([(1, 0.5), (2, 0.75)]));
        assert_eq!(results.rows[0].estimate(Metric::LatentSimilarity), None);
    }
}
