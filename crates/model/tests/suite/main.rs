//! The tests of stored experts, in one binary.

mod difference;
mod doubles;
mod mutations;
