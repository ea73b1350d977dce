//! Layers of convolutional networks, and the gradient step, with native kernels for the backend `flex`.
//!
//! burn's `flex` does not have its own kernel for a convolution's weight gradient, and computes a normalisation with
//! about ten primitives. [`conv2d`] (without groups, or depthwise), [`group_norm_relu`], [`batch_norm`] and
//! [`batch_norm_relu`] take burn's own modules and compute the same with `alluvium-kernels`, forward and backward, as
//! one node of the autodiff graph each. On other backends, and for unsupported shapes, they call the module. The
//! numbers agree up to rounding. [`sgd_step`] passes over weights, gradients and velocity once, while burn's optimiser
//! makes five passes and two copies. Its numbers equal burn's bit for bit. [`adam_step`] does the same for Adam and
//! AdamW.
//!
//! This crate does not hold modules or parameters: a backbone keeps burn's modules, so its stored weights do not depend
//! on this crate. Remove this crate when burn has such kernels.

mod adam;
mod batch_norm;
mod buffer;
mod conv;
mod depthwise;
mod flex;
mod group_norm;
#[cfg(test)]
mod host;
mod normalisation;
mod sgd;

pub use adam::{AdamStep, adam_step};
pub use batch_norm::{batch_norm, batch_norm_relu};
pub use conv::conv2d;
pub use group_norm::group_norm_relu;
pub use sgd::{SgdStep, sgd_step};
