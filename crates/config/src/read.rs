//! Reading a configuration: the file, its variants, the plugins' tables, and the problems in them.

mod inputs;
mod part;
mod problems;
mod rules;
mod tables;
mod variant;

pub use part::{PartSource, read_part};
pub use variant::{ConfigSource, Variant, name_on_disk, read_all};
