//! The names of a foreign model's tensors, and ours: a table that is written down and checked, never guessed.

mod error;
mod map;
mod mapping;
mod pattern;
mod shipped;
mod template;

pub use error::NamesError;
pub use map::NameMap;
pub use mapping::Mapping;
