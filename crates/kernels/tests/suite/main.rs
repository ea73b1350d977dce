//! Tests of the kernels through their public functions.

mod conv;
mod norm;
mod random;
