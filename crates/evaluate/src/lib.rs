//! The shared evaluator.
//!
//! It measures a model's accuracy on a task's test samples: task-aware (the task is known and its own head predicts)
//! and task-agnostic (all heads compete, or a classifier across tasks answers). The same code evaluates every strategy's central model, the experts, and the
//! reference rows. [`accuracy_of_any_task`] measures it on samples that belong to no task. [`linear_cka`] measures the
//! similarity of two models' latents.
//!
//! This crate holds measurements of a model. It does not know strategies, protocols or where a model comes from.
//! Measures that only need accuracies are in `alluvium-results`.

mod accuracy;
mod similarity;

pub use accuracy::{Scores, TestSet, accuracy_of_any_task, evaluate};
pub use similarity::linear_cka;
