//! Files by `torch.save`. They are a zip archive with a pickle that lists the tensors, and an entry for each storage.
//! Before version 1.6, they were pickles followed by the storages.
//!
//! A pickle is a program. The [`machine`] here runs its instructions but calls no function: it records which function
//! would build a tensor. Everything outside the weights (an optimiser, a scheduler, arguments) is ignored, and may be
//! anything. Everything among the weights must be a tensor whose arguments are all understood. Otherwise, the file is
//! refused.

mod archive;
mod calls;
mod directory;
mod globals;
mod legacy;
mod machine;
mod metered;
mod object;
mod opcode;
mod state_dict;
mod view;
mod weights;

pub(crate) use archive::open;
pub(crate) use legacy::open as open_legacy;
pub use state_dict::{StateDict, StateDictKey};
