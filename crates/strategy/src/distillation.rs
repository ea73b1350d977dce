//! Distillation from two teachers: what strategies have in common whose student learns, without labels, what the previous
//! central model and the expert say.
//!
//! `settings` holds the options, `learning` the loop, `student` what the student starts from, `teachers` what both teachers say,
//! `mixing` whose units speak for which of the student's, `batches` where the inputs come from, `logits` what is done to
//! logits.

mod batches;
mod learning;
mod logits;
mod mixing;
mod settings;
mod student;
mod teachers;

pub use batches::DistillationBatches;
pub use logits::{centred, mean_squared_error};
pub use settings::DistillationSettings;
pub use student::StudentStart;
pub use teachers::{Targets, Teachers};
