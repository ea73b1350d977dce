//! The measurements of one strategy under one seed.

use serde::{Deserialize, Serialize};

use crate::early::EarlyAccuracy;
use crate::further::FurtherAccuracy;
use crate::matrix::AccuracyMatrix;

/// All measurements of one row of a comparison under one seed.
///
/// Lists have one value for each task, in the order of the stream. A list that was not measured is empty. It is left out of the
/// JSON form, and so are the metrics that need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The seed of the run. Cells of two rows with the same seed form a pair.
    pub seed: u64,
    /// The accuracies of the central model, or of what a reference row has instead.
    pub accuracy: Accuracy,
    /// e\[t\]: expert t's accuracy on its own task, in \[0, 1\].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expert_accuracy: Vec<f64>,
    /// The accuracy of the same devices with the same data and budget, started from the initial weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone_accuracy: Vec<f64>,
    /// The accuracies of the devices after fractions of their budget, one entry for each fraction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early_accuracy: Vec<EarlyAccuracy>,
    /// The accuracies on the test sets that no task has, one entry for each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_accuracy: Vec<FurtherAccuracy>,
    /// The accuracy of each device's own model on the tasks of the others, where devices are alone and share heads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracy_elsewhere: Vec<f64>,
    /// Linear CKA of the final centre's and expert t's latents on the test set of task t, in \[0, 1\].
    /// If it is undefined for a task (its latents are constant), leave the whole list empty, because JSON has no NaN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latent_similarity: Vec<f64>,
    /// The same similarity along the stream: the mean over the tasks so far, one number for each device after which all of
    /// them were judged. Empty if it is undefined for some task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latent_similarity_over_stream: Vec<f64>,
    /// The task of each column of the accuracy matrix, if devices came back in another order than that of the stream, or not all
    /// of them came back; empty otherwise. Lists by task are in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<usize>,
    /// The contacts of each device of the stream with the centre. Each model that it took or sent is a contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<u64>,
    /// The bytes that had moved in either direction, over all devices, when each consolidation or round was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_bytes: Vec<u64>,
    /// The seconds of adapting and consolidating up to the end of each consolidation or round, as if devices worked one after
    /// another, without evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elapsed_seconds: Vec<f64>,
    /// Bytes sent from the centre to each device of the stream, over all contacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bytes_down: Vec<u64>,
    /// Bytes sent from each device of the stream to the centre, over all contacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bytes_up: Vec<u64>,
    /// Bytes of the statistics among what each device of the stream sent, over all contacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics_bytes: Vec<u64>,
    /// Which classifier answers for samples of a known and of an unknown task, in words; `None` where the heads do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// What people should know about this cell, such as classes that were left out; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Bytes that the centre keeps after each consolidation: the central model and the strategy's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored_bytes: Vec<u64>,
    /// Optimisation steps of each consolidation, or round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consolidation_steps: Vec<u64>,
    /// Samples that each consolidation saw, surrogate or other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consolidation_samples: Vec<u64>,
    /// Wall-clock time of each device's adaptation, in seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_seconds: Vec<f64>,
    /// Wall-clock time of each consolidation, in seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consolidation_seconds: Vec<f64>,
    /// Seconds that devices took to adapt and the centre to consolidate, without evaluation. A stage that was found instead of
    /// computed counts with the time of its computation.
    pub seconds: f64,
    /// The peak memory of the process when the cell was done, in bytes, where the platform reports it. It includes cells that
    /// ran before or beside this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// The file of the last central model, relative to the folder of the results; `None` if it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The accuracies of a run: over the stream, or only at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accuracy {
    /// One central model, judged after every device. Strategies have this.
    Stream {
        /// Each test sample judged by the head of its own task.
        task_aware: AccuracyMatrix,
        /// Each test sample judged over all heads.
        task_agnostic: AccuracyMatrix,
    },
    /// One central model, judged on all tasks of the stream after some rounds. Federated strategies have this.
    Rounds(Vec<RoundAccuracy>),
    /// One accuracy for each task, without history. Reference rows have this.
    Final {
        /// Each test sample judged by the head of its own task.
        task_aware: Vec<f64>,
        /// Each test sample judged over all heads; `None` where no single model has all heads, as for devices alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_agnostic: Option<Vec<f64>>,
    },
    /// Nobody judged the central model, because the centre has no test samples.
    Unmeasured {
        /// The number of tasks that it took in.
        tasks: usize,
    },
}

/// The accuracies of the central model after a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundAccuracy {
    /// The round, from 1.
    pub round: usize,
    /// The number of experts that the centre had taken in by then.
    pub experts: usize,
    /// The accuracy on each task of the stream, each test sample judged by the head of its own task.
    pub task_aware: Vec<f64>,
    /// The same, each test sample judged over all heads.
    pub task_agnostic: Vec<f64>,
}

impl Cell {
    /// A cell with its accuracies, and no other measurements yet.
    pub fn new(seed: u64, accuracy: Accuracy) -> Self {
        Self {
            seed,
            accuracy,
            expert_accuracy: Vec::new(),
            alone_accuracy: Vec::new(),
            early_accuracy: Vec::new(),
            further_accuracy: Vec::new(),
            accuracy_elsewhere: Vec::new(),
            latent_similarity: Vec::new(),
            latent_similarity_over_stream: Vec::new(),
            arrivals: Vec::new(),
            contacts: Vec::new(),
            moved_bytes: Vec::new(),
            elapsed_seconds: Vec::new(),
            bytes_down: Vec::new(),
            bytes_up: Vec::new(),
            statistics_bytes: Vec::new(),
            answered_by: None,
            notes: Vec::new(),
            stored_bytes: Vec::new(),
            consolidation_steps: Vec::new(),
            consolidation_samples: Vec::new(),
            device_seconds: Vec::new(),
            consolidation_seconds: Vec::new(),
            seconds: 0.0,
            peak_memory_bytes: None,
            model: None,
        }
    }

    /// The number of tasks that the accuracies cover. The stream may have more, if devices never came back.
    pub fn tasks(&self) -> usize {
        match &self.accuracy {
            Accuracy::Stream { task_aware, .. } => task_aware.tasks(),
            Accuracy::Rounds(rounds) => rounds.first().map_or(0, |round| round.task_aware.len()),
            Accuracy::Final { task_aware, .. } => task_aware.len(),
            Accuracy::Unmeasured { tasks } => *tasks,
        }
    }

    /// The seconds up to the end of each consolidation or round; empty if they were not measured.
    ///
    /// Older results do not have [`elapsed_seconds`](Self::elapsed_seconds). If one device came at a time, they are the sums of
    /// the seconds of devices and consolidations.
    pub fn elapsed(&self) -> Vec<f64> {
        if !self.elapsed_seconds.is_empty() || !matches!(self.accuracy, Accuracy::Stream { .. }) {
            return self.elapsed_seconds.clone();
        }
        let each = self.device_seconds.iter().zip(&self.consolidation_seconds);
        let add_up = |sum: &mut f64, (device, consolidation): (&f64, &f64)| {
            *sum += device + consolidation;
            Some(*sum)
        };
        each.scan(0.0, add_up).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stream of two tasks with most measurements, in binary fractions.
    pub(crate) fn stream_cell() -> Cell {
        let matrix = |rows| AccuracyMatrix::from_rows(rows).expect("a valid matrix");
        Cell {
            expert_accuracy: vec![0.75, 1.0],
            alone_accuracy: vec![0.5, 0.875],
            latent_similarity: vec![0.5, 1.0],
            contacts: vec![2, 2],
            bytes_down: vec![100, 200],
            bytes_up: vec![300, 301],
            stored_bytes: vec![150, 250],
            consolidation_steps: vec![0, 50],
            consolidation_samples: vec![0, 800],
            seconds: 2.5,
            peak_memory_bytes: Some(1 << 20),
            ..Cell::new(
                7,
                Accuracy::Stream {
                    task_aware: matrix(vec![vec![0.75], vec![0.5, 0.875]]),
                    task_agnostic: matrix(vec![vec![0.75], vec![0.25, 0.5]]),
                },
            )
        }
    }

    #[test]
    fn time_adds_up_where_one_device_came_at_a_time() {
        let mut cell = stream_cell();
        assert!(cell.elapsed().is_empty());
        cell.device_seconds = vec![1.0, 2.0];
        cell.consolidation_seconds = vec![0.5, 0.25];
        assert_eq!(cell.elapsed(), [1.5, 3.75]);
        cell.elapsed_seconds = vec![2.0, 4.0];
        assert_eq!(cell.elapsed(), [2.0, 4.0], "what was measured goes before what was added up");
        // Four devices in two rounds: it is unknown which seconds belong to which round.
        let rounds = Cell {
            device_seconds: vec![1.0; 4],
            consolidation_seconds: vec![0.5; 2],
            ..Cell::new(7, Accuracy::Rounds(vec![]))
        };
        assert!(rounds.elapsed().is_empty());
        assert_eq!(Cell { elapsed_seconds: vec![2.5, 5.0], ..rounds }.elapsed(), [2.5, 5.0]);
    }

    #[test]
    fn json_names_the_kind_of_accuracy_and_leaves_out_what_is_empty() {
        let cell = Cell::new(7, Accuracy::Final { task_aware: vec![0.5], task_agnostic: None });
        let json = serde_json::to_string(&cell).expect("serialises");
        assert_eq!(json, r#"{"seed":7,"accuracy":{"final":{"task_aware":[0.5]}},"seconds":0.0}"#);
        assert_eq!(serde_json::from_str::<Cell>(&json).expect("parses"), cell);
    }
}
