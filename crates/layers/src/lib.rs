//! Layers of convolutional networks, and the gradient step, that run on native kernels where the backend is `flex`.
//!
//! burn's `flex` has no kernel of its own for a convolution's weight gradient, and puts a normalisation together from about
//! ten primitives. [`conv2d`], [`group_norm_relu`], [`batch_norm`] and [`batch_norm_relu`] take burn's own modules and do the
//! same with `alluvium-kernels`, forward and backward, as one node of the autodiff graph each; on any other backend, and for
//! shapes that the kernels do not know, they call the module. The numbers agree up to rounding. [`sgd_step`] goes over weights,
//! gradients and velocity once, where burn's optimiser makes five passes and two copies; its numbers are burn's, bit for bit.
//!
//! This crate holds no module and no parameter: a backbone keeps burn's modules, and its stored weights know nothing of it.
//! It is to be removed on the day burn has such kernels.

mod batch_norm;
mod conv;
mod flex;
mod group_norm;
#[cfg(test)]
mod host;
mod normalisation;
mod sgd;

pub use batch_norm::{batch_norm, batch_norm_relu};
pub use conv::conv2d;
pub use group_norm::group_norm_relu;
pub use sgd::{SgdStep, sgd_step};
