//! The `ewc` strategy: elastic weight consolidation.
//!
//! `config` holds the options, `strategy` the running strategy and what it keeps, `anchored` the pull towards the weights
//! that were right before.

mod anchored;
mod config;
mod strategy;

pub use config::{EwcConfig, Penalties};
