//! Writing safetensors: one file or several with an index, tensor by tensor, all of it or nothing.

mod header;
mod plan;
mod replaced;
mod staged;
mod writer;

pub use plan::{Order, WriteOptions};
pub use writer::Writer;
