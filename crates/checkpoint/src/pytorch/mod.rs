//! Files by `torch.save`: a zip archive with a pickle that says which tensors there are, and an entry for each storage.
//!
//! A pickle is a program. The [`machine`] here knows the few instructions that a dict of tensors needs and no function at
//! all: what a tensor is made by is written down, not called.

mod archive;
mod globals;
mod machine;
mod metered;
mod object;
mod opcode;
mod state_dict;
mod view;

pub(crate) use archive::open;
