//! A centre without test samples: nothing is judged there, and what devices report is told from what was measured.

use std::path::Path;

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::{DeviceReport, OpenCentre, OpenCentreError, OpenCentreOptions};
use alluvium_results::{Accuracy, Metric, Results};
use alluvium_stream::{
    Samples, Seed, StreamConfig, StreamError, Task, TaskOutline, TaskStream, nested_stream, options, plugin,
};
use serde_json::json;
use tempfile::TempDir;

use crate::doubles::COMPARISON;
use crate::open::{announced, answer, tasks};

/// The tasks of `squares` without any of its samples.
#[options]
struct OutOfSightConfig {}

#[plugin(kind = "out-of-sight")]
impl StreamConfig for OutOfSightConfig {
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let table = json!({ "kind": "squares", "tasks": 2 });
        let squares = nested_stream(table.as_object().unwrap()).unwrap();
        Ok(Box::new(OutOfSight(squares.build(seed)?)))
    }

    fn holds_samples(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct OutOfSight(Box<dyn TaskStream>);

impl TaskStream for OutOfSight {
    fn input(&self) -> alluvium_stream::InputShape {
        self.0.input()
    }

    fn class_names(&self) -> &[String] {
        self.0.class_names()
    }

    fn tasks(&self) -> usize {
        self.0.tasks()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        panic!("the centre must not read the samples of task {index}");
    }

    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        let outline = self.0.outline(index)?;
        Ok(TaskOutline { test: Samples::new(self.0.input()), ..outline })
    }
}

fn variant() -> Variant {
    let text = COMPARISON.replace("kind = \"squares\"\ntasks = 2", "kind = \"out-of-sight\"");
    assert_ne!(text, COMPARISON);
    let source = ConfigSource::BuiltIn { name: "out-of-sight.toml", text: &text };
    read_all(source, None, None).unwrap_or_else(|error| panic!("{error}")).remove(0)
}

fn open(folder: &Path) -> OpenCentre {
    OpenCentre::open(folder, variant(), &OpenCentreOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The results after both devices reported these accuracies. The process is killed after each contact.
fn reported(accuracies: [Option<f64>; 2]) -> Results {
    let folder = TempDir::new().unwrap();
    for (task, accuracy) in tasks().iter().zip(accuracies) {
        let visit = open(folder.path()).hand_out(&announced(task)).unwrap();
        let report = DeviceReport { accuracy, ..DeviceReport::default() };
        let received = open(folder.path()).receive(visit.number, answer(task, &visit.hand_out), report).unwrap();
        assert_eq!((received.expert_accuracy, received.task_aware), (accuracy, vec![]));
    }
    let written = open(folder.path()).close().unwrap().results;
    // What is written can be read again.
    assert_eq!(Results::from_json(&written.to_json().unwrap()).unwrap(), written);
    written
}

#[test]
fn what_devices_report_is_the_accuracy_of_experts_and_that_of_the_centre_is_absent() {
    let results = reported([Some(0.5), Some(1.0)]);
    let cell = &results.rows[0].cells[0];
    assert_eq!(cell.accuracy, Accuracy::Unmeasured { tasks: 2 });
    assert_eq!(cell.expert_accuracy, [0.5, 1.0]);
    let metrics = cell.metrics();
    assert_eq!(metrics.get(&Metric::ExpertAccuracy), Some(&0.75));
    assert!(!metrics.contains_key(&Metric::AverageAccuracyTaskAware), "{metrics:?}");
    assert!(cell.notes.iter().any(|note| note.contains("device reported")), "{:?}", cell.notes);
    assert_eq!((cell.contacts.as_slice(), cell.bytes_up.len()), (&[2, 2][..], 2), "what crossed is counted as ever");
}

#[test]
fn without_every_report_nothing_is_judged() {
    for accuracies in [[None, Some(1.0)], [None, None]] {
        let results = reported(accuracies);
        let cell = &results.rows[0].cells[0];
        assert!(cell.expert_accuracy.is_empty() && cell.device_seconds.len() == 2);
        assert!(cell.notes.iter().any(|note| note.contains("nothing was judged")), "{:?}", cell.notes);
    }
}

#[test]
fn a_report_that_is_no_accuracy_is_refused_and_the_visit_stays_under_way() {
    let folder = TempDir::new().unwrap();
    let mut centre = open(folder.path());
    let task = &tasks()[0];
    let visit = centre.hand_out(&announced(task)).unwrap();
    for accuracy in [f64::NAN, -0.1, 1.1] {
        let report = DeviceReport { accuracy: Some(accuracy), ..DeviceReport::default() };
        let error = centre.receive(visit.number, answer(task, &visit.hand_out), report).unwrap_err();
        assert!(matches!(error, OpenCentreError::Report { .. }), "{error}");
    }
    assert_eq!(centre.under_way().unwrap().len(), 1);
}
