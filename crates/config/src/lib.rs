//! Configurations: from a TOML file to an experiment that is ready to run.
//!
//! [`read_all`] reads and checks a file: every key against the plugins' schemas, every strategy's data access against the
//! protocol; lists of values stand for several comparisons, the [`Variant`]s. [`read_part`] reads one plugin's table alone.
//! [`config_schema`] is the JSON Schema of such files. Errors name the line and what is accepted.
//!
//! This crate holds what a configuration says: the tables that no plugin owns, the protocol and what it permits, sweeps. It
//! refuses to run anything, to know a concrete plugin, and to print.

mod document;
mod error;
mod evaluation;
mod experiment;
mod finding;
mod protocol;
mod read;
mod reference;
mod root_table;
mod schema;
mod sweep;

pub use error::{ConfigError, ConfigProblem};
pub use evaluation::Evaluation;
pub use experiment::{Backend, Experiment, StrategyRow};
pub use protocol::{Arrival, Clauses, Protocol, ProtocolKind};
pub use read::{ConfigSource, PartSource, Variant, read_all, read_part};
pub use reference::Reference;
pub use root_table::RootTable;
pub use schema::config_schema;
pub use sweep::{ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE};
