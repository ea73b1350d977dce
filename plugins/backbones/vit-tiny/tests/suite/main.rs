//! The tests of the backbone from outside: conformance, the outputs of PyTorch, and low-rank updates.

mod conformance;
mod low_rank;
mod pytorch;
