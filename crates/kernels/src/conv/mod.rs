//! Two-dimensional convolution and its gradients.
//!
//! - [`forward`] and [`input_gradient`] use the same algorithm, in two forms. Small images go through `abreast`: a
//!   group of them at a time, with an image in each lane of the vectors. Other images, and the few that do not fill a
//!   group, go through `taps`: a matrix product whose right side, the patches, is gathered panel by panel from
//!   zero-padded planes. So the whole patch matrix never exists. The gradient by the input is the same product over the
//!   planes of `dy`, with one set of kernel taps for each residue of the stride. Both forms add up in the same order.
//! - [`weight_gradient`] is an outer product summed over all pixels, with channels last so that the patch of a pixel
//!   is a few contiguous runs of the image itself.

mod abreast;
mod bias;
mod forward;
mod groups;
mod input_gradient;
mod interleave;
mod patches;
mod planes;
mod registers;
mod rows;
mod shape;
mod spread;
mod stencil;
mod taps;
mod transpose;
mod weight_gradient;

pub use bias::bias_gradient;
pub use forward::forward;
pub use input_gradient::input_gradient;
pub use shape::Shape;
pub use weight_gradient::weight_gradient;
