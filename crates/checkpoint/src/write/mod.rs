//! Writes safetensors tensor by tensor, as one file or as several with an index. The model appears completely or not at
//! all.

mod header;
mod plan;
mod replaced;
mod sink;
mod staged;
mod writer;

pub use plan::{Order, WriteOptions};
pub use writer::Writer;
