//! The sizes of a depthwise convolution.

/// The sizes of a depthwise convolution with symmetric zero padding; one output for each channel, no dilation. Pairs
/// are `[vertical, horizontal]`.
///
/// Input `[batch, channels, height, width]`, weights `[channels, 1, kernel[0], kernel[1]]`, output
/// `[batch, channels, rows, columns]`, where [`DepthwiseShape::rows`] and [`DepthwiseShape::columns`] follow from the
/// rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseShape {
    /// The number of images.
    pub batch: usize,
    /// The channels of an input image, and of an output image.
    pub channels: usize,
    /// The rows of an input image.
    pub height: usize,
    /// The columns of an input image.
    pub width: usize,
    /// The size of the kernels.
    pub kernel: [usize; 2],
    /// The step from one output pixel to the next, in input pixels.
    pub stride: [usize; 2],
    /// The zeros added on each side.
    pub padding: [usize; 2],
}

impl DepthwiseShape {
    /// The rows of an output image.
    ///
    /// # Panics
    ///
    /// If the kernel does not fit the padded image, or if kernel or stride are 0.
    pub fn rows(&self) -> usize {
        positions(self.height, self.kernel[0], self.stride[0], self.padding[0])
    }

    /// The columns of an output image.
    ///
    /// # Panics
    ///
    /// If the kernel does not fit the padded image, or if kernel or stride are 0.
    pub fn columns(&self) -> usize {
        positions(self.width, self.kernel[1], self.stride[1], self.padding[1])
    }

    /// The values of one input image.
    pub fn input_image(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The values of one output image.
    ///
    /// # Panics
    ///
    /// If the kernel does not fit the padded image, or if kernel or stride are 0.
    pub fn output_image(&self) -> usize {
        self.channels * self.rows() * self.columns()
    }

    /// The values of all weights.
    pub fn weights(&self) -> usize {
        self.channels * self.area()
    }

    /// The values of one kernel.
    pub(super) fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Panics unless the slices have the lengths of this shape.
    pub(super) fn check(&self, x: Option<&[f32]>, w: Option<&[f32]>, y: Option<&[f32]>) {
        let named = [
            ("input", x, self.batch * self.input_image()),
            ("weights", w, self.weights()),
            ("output", y, self.batch * self.output_image()),
        ];
        for (name, values, expected) in named {
            if let Some(values) = values {
                assert_eq!(values.len(), expected, "depthwise convolution: the {name} disagrees with {self:?}");
            }
        }
    }
}

/// The number of positions of a kernel along an axis.
fn positions(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    assert!(kernel > 0 && stride > 0, "depthwise convolution: kernel and stride must be at least 1");
    let padded = size + 2 * padding;
    assert!(
        padded >= kernel,
        "depthwise convolution: a kernel of {kernel} does not fit an image of {padded} with its padding"
    );
    (padded - kernel) / stride + 1
}
