//! The reasons why a device cannot take part.

use alluvium_model::ModelError;
use alluvium_stream::StreamError;

/// The reason why a device cannot take part, or cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The central model cannot be run, or the adapted one cannot be sent.
    #[error("the device of task \"{task}\": {cause}")]
    Model {
        /// The device's task.
        task: String,
        /// The problem with the model.
        cause: Box<ModelError>,
    },
    /// Training diverged.
    #[error(
        "the device of task \"{task}\": training diverged ({cause}); a smaller `learning_rate`, a `gradient_clip`, or a \
         smaller `proximal` if it is set, under [device] would help"
    )]
    Diverged {
        /// The device's task.
        task: String,
        /// The tensor that is not finite.
        cause: Box<ModelError>,
    },
    /// A statistic cannot be computed.
    #[error("the device of task \"{task}\" cannot compute the statistic \"{statistic}\": {cause}")]
    Statistic {
        /// The device's task.
        task: String,
        /// The statistic's name.
        statistic: String,
        /// The problem.
        cause: Box<ModelError>,
    },
    /// The device's own samples cannot be read.
    #[error("the device of task \"{task}\": {cause}")]
    Samples {
        /// The device's task.
        task: String,
        /// The problem.
        cause: Box<StreamError>,
    },
    /// The device was asked for an answer without a model, or took a second one before it answered.
    #[error("the device of task \"{task}\" {problem}; accepted: one model, then one answer")]
    Order {
        /// The device's task.
        task: String,
        /// What happened.
        problem: &'static str,
    },
    /// What the device sends contradicts what it stated or what it took.
    #[error("the device of task \"{task}\" sent an expert that {problem}; accepted: {accepted}")]
    Contradiction {
        /// The device's task.
        task: String,
        /// The contradiction.
        problem: String,
        /// What would agree.
        accepted: String,
    },
    /// The expert of the device cannot be read.
    #[error("the expert of \"{task}\": {problem}")]
    Expert {
        /// The device's task.
        task: String,
        /// The problem, with the file and what is accepted.
        problem: String,
    },
    /// A file or a program of the device failed.
    #[error("the device of task \"{task}\": {file}: {problem}; accepted: {accepted}")]
    File {
        /// The device's task.
        task: String,
        /// The file or the program.
        file: String,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// An error of the device's own, whose message says what is wrong.
    #[error("the device of task \"{task}\": {cause}")]
    Own {
        /// The device's task.
        task: String,
        /// The problem.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Options that exclude each other, or that do not fit the experiment.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
}
