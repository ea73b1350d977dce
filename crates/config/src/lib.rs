//! Configurations: from a TOML file to an experiment that is ready to run.
//!
//! [`read_all`] reads a file and checks it: every key against the plugins' schemas, and every strategy's data access against
//! the protocol. Lists of values (sweeps) give several comparisons, the [`Variant`]s. [`read_part`] reads the table of one
//! plugin. [`config_schema`] is the JSON Schema of such files. Errors name the line, and say what is accepted.
//!
//! This crate holds the tables that no plugin owns, the protocol and what it permits, and sweeps. It does not run anything,
//! does not know a concrete plugin, and does not print.

mod document;
mod error;
mod evaluation;
mod experiment;
mod finding;
mod initial;
mod own_networks;
mod protocol;
mod read;
mod reference;
mod root_table;
mod schema;
mod sweep;

pub use error::{ConfigError, ConfigProblem};
pub use evaluation::Evaluation;
pub use experiment::{Backend, Experiment, KnownParts, StrategyRow, same_devices};
pub use initial::{ClassifierUse, Initial, InitialFile};
pub use own_networks::{OwnNetworks, OwnNetworksTable, OwnStart};
pub use protocol::{Arrival, Clauses, Protocol, ProtocolKind};
pub use read::{ConfigSource, PartSource, Variant, name_on_disk, read_all, read_part};
pub use reference::Reference;
pub use root_table::RootTable;
pub use schema::config_schema;
pub use sweep::{ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE, ROW_UNKNOWN_TASK};
