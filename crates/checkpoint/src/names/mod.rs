//! Maps the names of a foreign model's tensors to ours, by an explicit and checked table.

mod error;
mod map;
mod mapping;
mod pattern;
mod shipped;
mod template;

pub use error::NamesError;
pub use map::NameMap;
pub use mapping::Mapping;
