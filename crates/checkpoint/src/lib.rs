//! Model files that come from somebody else's machine: checkpoints read and written tensor by tensor.
//!
//! [`Checkpoint`] opens a safetensors file, several with an index, or what `torch.save` writes and wrote before version 1.6,
//! and reads one tensor, or a part of one, at a time. [`NameMap`] says which of a foreign model's tensors is which of ours, and back. [`Writer`] writes
//! safetensors. An [`Adapter`] shows a file of low-rank factors as the updates that they stand for.
//!
//! Nothing in a file is believed: lengths are compared with the file before memory is taken for them, every tensor with
//! the bytes that it claims, and an error says which tensor is wrong and what is accepted. Nothing in a file is executed:
//! a pickle is read as data. What lies outside the weights stays unread, whatever code it names; where code stands for the
//! weights, the file is refused.
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
//! This crate refuses to hold networks, layers and tensors of a framework: it knows names, types, shapes and values.

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
