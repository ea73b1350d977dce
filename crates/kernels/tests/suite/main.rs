//! Tests of the kernels through their public functions.

mod conv;
mod depthwise;
mod norm;
mod random;
