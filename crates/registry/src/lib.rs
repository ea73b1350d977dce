//! The descriptions of plugins.
//!
//! Every plugin (a strategy, a stream, a backbone, a classifier, …) submits one [`Description`]: its kind, the
//! paper it comes from, and the JSON Schema of its options, generated from the Rust struct that the options are read
//! into. `alluvium list`, `alluvium show`, the check of a configuration and its error messages all read the
//! descriptions. So a plugin is documented once, in its own doc comments. A program may add kinds while it runs, see [`add`].
//!
//! This crate holds the descriptions, the check of a table against them, and the reading of a plugin's table that is nested in
//! another one. The traits that plugins implement are in other
//! crates. This crate does not build or run plugins, does not read files, and does not depend on burn.

mod added;
mod check;
mod closest;
mod description;
mod lookup;
mod nested;
mod node;
mod words;

pub use added::{AddedKind, NotAdded, add, carried, is_kind};
pub use check::{Accepted, Checker, Problem, check_table};
pub use closest::did_you_mean;
pub use description::{Description, Family, FamilyKeys, OmittedKind, OptionDescription, OptionsSchema};
pub use inventory;
pub use lookup::{UnknownKind, default_kind, described, descriptions, find};
pub use nested::{NestedError, nested};
pub use node::SchemaNode;
pub use schemars;
pub use serde;
pub use typetag;
