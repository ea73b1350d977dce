//! Files by `torch.save`: a zip archive with a pickle that says which tensors there are, and an entry for each storage; or,
//! as it was written before version 1.6, pickles with the storages behind them.
//!
//! A pickle is a program. The [`machine`] here knows the few instructions that a dict of tensors needs and no function at
//! all: what a tensor is made by is written down, not called.

mod archive;
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
