//! The centre of one cell, and one consolidation with its evaluation.

#[allow(clippy::module_inception)] // The centre is what this room is about.
mod centre;
mod consolidation;

pub(crate) use centre::Centre;
pub(crate) use consolidation::{ConsolidationRecord, EvaluationScope, ExpertHistory, consolidate};
