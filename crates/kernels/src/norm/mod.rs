//! Normalisations, each forward and backward in two passes over the data.
//!
//! Both forms end in `y = a · x + b` with `a` and `b` constant over a plane (one channel of one image), optionally
//! followed by a rectifier. The backward pass computes the rectifier's mask again from the same `a` and `b`.

use std::fmt::Debug;

pub mod batch;
pub mod group;

mod plane;
pub(crate) mod sums;

/// A normalisation, forward and backward: the options of [`batch`] or of [`group`].
///
/// `threads` is the number of threads it may use; it does not change the results.
pub trait Kernel: Debug + Clone + Send + 'static {
    /// The values of the forward pass that the backward pass needs.
    type Statistics: Debug + Clone + Send + 'static;

    /// Writes the normalised input to `out`, and returns what [`backward`](Self::backward) needs.
    fn forward(&self, shape: &NormShape, operands: Operands<'_>, out: &mut [f32], threads: usize) -> Self::Statistics;

    /// Writes the gradient by the input to `dx`, and returns those by the parameters; `dy` is the gradient by the output.
    fn backward(
        &self,
        shape: &NormShape,
        operands: Operands<'_>,
        statistics: &Self::Statistics,
        dy: &[f32],
        dx: &mut [f32],
        threads: usize,
    ) -> Gradients;
}

/// The sizes of a normalisation's input, `[batch, channels, pixels]`: rows and columns of an image count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormShape {
    /// The number of images.
    pub batch: usize,
    /// The channels of an image.
    pub channels: usize,
    /// The pixels of a channel.
    pub pixels: usize,
}

impl NormShape {
    /// The values of one image.
    pub fn image(&self) -> usize {
        self.channels * self.pixels
    }

    /// Panics unless tensors and channel parameters have the lengths of this shape.
    fn check(&self, tensors: &[&[f32]], parameters: &[&[f32]]) {
        for tensor in tensors {
            assert_eq!(tensor.len(), self.batch * self.image(), "normalisation: a tensor disagrees with {self:?}");
        }
        for parameter in parameters {
            assert_eq!(parameter.len(), self.channels, "normalisation: a parameter disagrees with {self:?}");
        }
    }
}

/// The learned parameters of a normalisation: one scale and one shift per channel.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// The scales, γ.
    pub scale: &'a [f32],
    /// The shifts, β.
    pub shift: &'a [f32],
}

/// The input of a normalisation, and the learned parameters.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// The input; its length must fit its [`NormShape`].
    pub x: &'a [f32],
    /// Scales and shifts.
    pub affine: Affine<'a>,
}

/// The gradients by the learned parameters, one of each per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// The gradients by the scales.
    pub scale: Vec<f32>,
    /// The gradients by the shifts.
    pub shift: Vec<f32>,
}
