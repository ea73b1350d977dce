//! CPU kernels for training small networks: convolution, depthwise convolution, group and batch normalisation, ReLU,
//! each with its gradients, and the gradient steps of SGD and Adam.
//!
//! All tensors are `f32` slices in contiguous NCHW order with explicit shapes; results go to slices that the
//! caller owns. A slice whose length disagrees with the shape is a programmer's error and panics.
//!
//! The instruction set (AVX-512, AVX2, or what the target guarantees) is chosen at run time, so a build for plain
//! x86-64 is as fast as one with `target-cpu=native`. The crate has no `unsafe` code: [`pulp`] dispatches.
//!
//! Every kernel takes the number of threads it may use, and its result is bit for bit the same for any number:
//! what is summed together, and in which order, depends on the shapes alone.

pub mod adam;
pub mod conv;
pub mod depthwise;
pub mod norm;
pub mod relu;
pub mod sgd;

mod lanes;
mod share;
