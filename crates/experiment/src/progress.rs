//! The progress of a run: what observers are told, and how long the rest will take.

mod observe;
mod pace;

pub use observe::{Ending, Observer, PlannedCell, Stage, Unobserved, Work};
pub(crate) use observe::{Steps, StopAtStep, TwoObservers};
pub use pace::{Pace, TimeLeft};
