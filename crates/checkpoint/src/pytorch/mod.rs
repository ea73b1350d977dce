//! Files by `torch.save`: a zip archive with a pickle that says which tensors there are, and an entry for each storage; or,
//! as it was written before version 1.6, pickles with the storages behind them.
//!
//! A pickle is a program. The [`machine`] here knows its instructions and no function at all: what a tensor is made by is
//! written down, not called. What lies outside the weights (an optimiser, a scheduler, arguments) is not read, and may be
//! anything: it is code to nobody here. What stands among the weights is a tensor whose every argument is understood, or the
//! file is refused.

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
