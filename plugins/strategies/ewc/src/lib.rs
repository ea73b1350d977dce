//! The `ewc` strategy: elastic weight consolidation.
//!
//! `config` holds the options, `strategy` the running strategy and what it keeps, `fisher` the estimate of how much each
//! weight matters. Both need gradients weight by weight, which a `Model` does not give out: `network` is the same model
//! with each part under a burn optimiser of our own, `anchored` is the optimiser that pulls weights back.

mod anchored;
mod config;
mod fisher;
mod network;
mod strategy;

pub use config::{EwcConfig, FisherLabels, Penalties};
