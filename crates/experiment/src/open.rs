//! A centre that is driven from outside, without a comparison: by another program, another language, or devices far away.

#[allow(clippy::module_inception)] // The folder is named after its main file.
mod open;
mod visits;

pub use open::{ClosedCentre, OpenCentre, OpenCentreError, OpenVisit, ReceivedExpert};
