//! From a configuration to results.
//!
//! [`Experiment::read`] reads and checks a TOML file: every key against the plugins' schemas, every strategy's data
//! access against the protocol. [`Experiment::run`] runs it: for every seed and every strategy the stream of devices, one
//! after another, each consolidated into the centre and judged by the shared evaluator.
//!
//! This crate holds the configuration, the protocol and the run. It refuses to know a concrete strategy, stream,
//! backbone, surrogate or backend, to write result files, and to print.

mod cell;
mod centre;
mod config;
mod document;
mod error;
mod experiment;
mod measure;
mod observe;
mod protocol;
mod reference;
mod run;
mod shared;

pub use config::{Reference, RootTable, StrategyRow};
pub use error::{ConfigError, ConfigProblem, ExperimentError};
pub use experiment::{Backend, Experiment};
pub use observe::{Observer, Stage, Unobserved, Work};
pub use protocol::{Protocol, ProtocolKind};
pub use run::{Outcome, RunOptions};
