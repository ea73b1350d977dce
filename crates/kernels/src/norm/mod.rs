//! Normalisations, each forward and backward in two passes over the data.
//!
//! Both forms end in `y = a · x + b` with `a` and `b` constant over a plane (one channel of one image), optionally
//! followed by a rectifier, whose mask the backward pass finds again from the same `a` and `b`.

pub mod batch;
pub mod group;

mod plane;
pub(crate) mod sums;

/// The sizes of a normalisation's input, `[batch, channels, pixels]`: rows and columns of an image count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The number of images.
    pub batch: usize,
    /// The channels of an image.
    pub channels: usize,
    /// The pixels of a channel.
    pub pixels: usize,
}

impl Shape {
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

/// The learned parameters of a normalisation: one scale and one shift a channel.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// The scales, γ.
    pub scale: &'a [f32],
    /// The shifts, β.
    pub shift: &'a [f32],
}

/// The gradients by the learned parameters, one of each a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By the scales.
    pub scale: Vec<f32>,
    /// By the shifts.
    pub shift: Vec<f32>,
}
