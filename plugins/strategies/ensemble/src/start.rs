//! The model that a device takes instead of the ensemble.

use alluvium_strategy::options;

/// The model that a device takes instead of the ensemble.
#[options]
#[derive(Default)]
pub enum Start {
    /// The model that the first device took: experts are independent. The centre keeps a copy of it.
    #[default]
    Initial,
    /// The newest expert's backbone: each expert starts with what the one before it learned.
    Latest,
}
