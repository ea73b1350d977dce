//! A centre that is driven from outside, without a comparison: by another program, another language, or devices far away.

mod error;
#[allow(clippy::module_inception)] // The folder is named after its main file.
mod open;
mod options;
mod report;
mod visit;
mod visits;

pub use error::OpenCentreError;
pub use open::OpenCentre;
pub use options::OpenCentreOptions;
pub use report::{CentreFiles, DeviceReport, ReceivedExpert};
pub use visit::{OpenTask, OpenVisit};
