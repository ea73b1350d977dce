//! The centre of one cell, and a consolidation with its evaluation.

#[allow(clippy::module_inception)] // The folder is named after its main file.
mod centre;
mod consolidation;
mod session;

pub(crate) use centre::{Centre, CentreStart};
pub(crate) use consolidation::{ConsolidationRecord, EvaluationScope, ExpertHistory, consolidate};
pub(crate) use session::{Session, beside, judged};
