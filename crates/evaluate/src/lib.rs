//! The shared evaluator.
//!
//! It takes a model and a task's test samples and says how good the model is on them: task-aware (the task is known, its
//! own head answers) and task-agnostic (all heads compete). The same code judges every strategy's central model, the
//! experts, and the reference rows. [`linear_cka`] says how alike two models' latents are.
//!
//! This crate holds what is measured on a model. It refuses to know strategies, protocols and where a model comes from;
//! what is computed from accuracies alone lives in `alluvium-results`.

mod accuracy;
mod similarity;

pub use accuracy::{Scores, TestSet, evaluate};
pub use similarity::linear_cka;
