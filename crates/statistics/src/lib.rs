//! Classifiers from statistics of classes, for samples whose task is unknown.
//!
//! Devices compute sums over their samples in features that never move, and send them once, beside their models. The centre adds
//! the sums, and makes one classifier of all classes from them, without a gradient and without a sample. [`FeatureMap`] are the
//! features, [`ClassSums`] the sums, [`ridge`](mod@ridge) and [`gaussian`](mod@gaussian) the classifiers, [`Privacy`] what bounds what
//! the sums tell about a sample, and [`StatisticsStrategy`] the strategy around them.
//!
//! This crate holds what strategies of this kind share. It does not hold a strategy, and does not train a network.

mod base;
mod classifier;
mod drift;
mod features;
pub mod gaussian;
mod kept;
mod matrix;
mod privacy;
mod probe;
mod projection;
pub mod ridge;
mod settings;
mod statistic;
mod strategy;
mod sums;

pub use base::{FeatureSource, Features};
pub use classifier::StatisticsClassifier;
pub use features::{FEATURES, FeatureMap, FeatureSpec, features_for};
pub use kept::Kept;
pub use matrix::Symmetric;
pub use privacy::{NoiseScale, Privacy};
pub use projection::{Projection, ProjectionKind};
pub use settings::{Chosen, Finds, StatisticsSettings};
pub use statistic::{CLASS_SUMS, ClassSumsStatistic};
pub use strategy::{ClassifierSource, FromSums, StatisticsStrategy, handed_beside};
pub use sums::{ClassSums, Moments};
