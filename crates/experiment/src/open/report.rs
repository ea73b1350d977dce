//! What a device says of its work, what the centre measured, and what it wrote.

use std::path::PathBuf;
use std::time::Duration;

use alluvium_results::Results;

/// What the centre measured when it received an expert.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedExpert {
    /// The expert's accuracy on its own task, in `[0, 1]`. A centre without test samples has what the device reported; `None` if it
    /// reported nothing.
    pub expert_accuracy: Option<f64>,
    /// The accuracy of the new central model on the task of each expert so far, the task known.
    pub task_aware: Vec<f64>,
    /// The same, the task unknown.
    pub task_agnostic: Vec<f64>,
}

/// What a device says of its work beside its expert. Nothing of it is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DeviceReport {
    /// How long it worked.
    pub seconds: Option<Duration>,
    /// Its expert's accuracy on test samples of its own, in `[0, 1]`. It counts only where the centre has no test samples.
    pub accuracy: Option<f64>,
}

/// What a centre wrote into its run directory.
#[derive(Debug)]
pub struct CentreFiles {
    /// All measurements, as a comparison has them.
    pub results: Results,
    /// The file of the central model.
    pub central: PathBuf,
}
