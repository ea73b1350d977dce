//! The tests of the backbone from outside: conformance, and the outputs of PyTorch.

mod conformance;
mod pytorch;
