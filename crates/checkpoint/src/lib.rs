//! Reads and writes model files tensor by tensor. Files may come from untrusted sources.
//!
//! [`Checkpoint`] opens a safetensors file, several with an index, or a file by `torch.save` (also before version 1.6).
//! It reads one tensor, or a part of one, at a time. [`NameMap`] maps the names of a foreign model's tensors to ours
//! and back. [`Writer`] writes safetensors. [`Adapter`] reads a file of low-rank factors as updates of weights.
//!
//! Nothing in a file is trusted. Lengths are compared with the file before memory is allocated, and every tensor with
//! the bytes that it claims. An error says which tensor is wrong and what is accepted. Nothing in a file is executed: a
//! pickle is read as data. Everything outside the weights stays unread, even if it names code. If there is code in
//! place of the weights, the file is refused.
//!
//! ```
//! use alluvium_checkpoint::{Checkpoint, NameMap};
//!
//! # fn read(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let checkpoint = Checkpoint::open(path)?;
//! let names = checkpoint.tensors().map(|info| info.name.as_str());
//! let mapping = NameMap::shipped("torchvision-resnet")?.apply(names)?;
//! for (ours, foreign) in mapping.iter() {
//!     let tensor = mapping.read(&checkpoint, ours)?;
//!     println!("{ours} was {foreign}: {} {:?}", tensor.dtype, tensor.shape);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! This crate knows names, types, shapes and values of tensors. It does not know networks, layers or tensors of a
//! framework.

mod adapter;
mod checkpoint;
mod decode;
mod digest;
mod dtype;
mod encode;
mod error;
mod flat;
mod folder;
mod header;
mod index;
mod links;
mod names;
mod opened;
mod parts;
mod pytorch;
mod recognise;
mod regular;
mod shards;
mod shown;
mod tensor;
mod write;

pub use adapter::Adapter;
pub use checkpoint::Checkpoint;
pub use dtype::Dtype;
pub use error::CheckpointError;
pub use index::ShardIndex;
pub use names::{Mapping, NameMap, NamesError};
pub use pytorch::{StateDict, StateDictKey};
pub use shown::{listed, shown};
pub use tensor::{Tensor, TensorInfo, Values};
pub use write::{Order, WriteOptions, Writer};
