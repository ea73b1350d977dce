//! Depthwise two-dimensional convolution, with a kernel of its own for each channel, and its gradients.
//!
//! A plane (one channel of one image) is used as one run of values, row after row, so that vectors are full whatever
//! the width is. A kernel's tap is then a shift of the run. A shift to the side also moves the ends of rows to their
//! neighbours; `edges` masks these values.
//!
//! - [`forward`] and [`input_gradient`] use the same algorithm, `correlation`: weights slide over a run. For the
//!   gradient by the input, the run is one of `dy`, and the kernel is turned by 180°.
//! - [`weight_gradient`] multiplies a run of `dy` with the run of `x`, shifted by each tap of the kernel (`products`).
//!
//! All use the same runs, in which an output lies on the input under the middle of its kernel (`geometry`). With a
//! stride above 1, a run of `dy` has zeros between the values, and the convolution drops results.

mod bias;
mod correlation;
mod edges;
mod forward;
mod geometry;
mod input_gradient;
mod products;
mod runs;
mod shape;
mod slide;
mod weight_gradient;

pub use bias::bias_gradient;
pub use forward::forward;
pub use input_gradient::input_gradient;
pub use shape::DepthwiseShape;
pub use weight_gradient::weight_gradient;
