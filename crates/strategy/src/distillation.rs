//! Distillation from two teachers: a student learns, without labels, the outputs of the previous central model and of the
//! expert. Several strategies share this code.
//!
//! `settings` holds the options, `learning` the loop, `student` the start of the student, `teachers` the outputs of both
//! teachers, `mixing` the targets made of their logits, `batches` the inputs of each step, `logits` operations on logits.

mod batches;
mod guard;
mod learning;
mod logits;
mod mixing;
mod settings;
mod student;
mod teachers;

pub use batches::DistillationBatches;
pub use logits::centred;
pub use settings::DistillationSettings;
pub use student::{StudentStart, first_expert};
pub use teachers::{Targets, Teachers};
