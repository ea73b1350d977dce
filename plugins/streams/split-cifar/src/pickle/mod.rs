//! Pickles as CIFAR's Python version has them: dicts, lists, numbers, texts and numpy arrays of bytes.
//!
//! A pickle is a program for a small machine with a stack (Python's documentation of `pickle` and `pickletools`). Here it is
//! run without executing anything: it may put together values, and call the three functions by which numpy arrays are
//! written (`numpy.core.multiarray._reconstruct`, `numpy.ndarray`, `numpy.dtype`), which are known by name and are carried
//! out by this module. Every other function is refused by its name.
//!
//! `opcode` reads one instruction, `machine` runs them, `value` holds what comes out.

mod machine;
mod opcode;
mod value;

pub use machine::run;
pub use value::{Pickle, Value};

#[cfg(test)]
pub mod tests;
