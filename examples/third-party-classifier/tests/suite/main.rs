//! The tests of the crate: conformance, and the binary with a comparison.

mod compare;
mod conformance;
