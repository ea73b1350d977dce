//! Reading a configuration: the file, the variants that it stands for, the plugins' tables, and what is wrong with them.

mod part;
mod problems;
mod rules;
mod tables;
mod variant;

pub use part::{PartSource, read_part};
pub use variant::{ConfigSource, Variant, read_all};
