//! The pickles of CIFAR's Python version: dicts, lists, numbers, texts and numpy arrays of bytes.
//!
//! A pickle is a program for a small stack machine (Python's documentation of `pickle` and `pickletools`). This module
//! interprets it without executing code. The program may build values, and call the three functions that numpy arrays
//! are written with (`numpy.core.multiarray._reconstruct`, `numpy.ndarray`, `numpy.dtype`); this module implements
//! them. It refuses every other function by its name.
//!
//! `opcode` reads one instruction, `machine` runs them, `value` holds the result.

mod machine;
mod opcode;
mod value;

pub use machine::run;
pub use value::{Pickle, Value};

#[cfg(test)]
pub mod tests;
