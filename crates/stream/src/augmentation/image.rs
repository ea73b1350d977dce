//! An image while it is changed.

use alluvium_model::PictureShape;

/// The values of one image, `[channels, height, width]`, 0 to 255 and not rounded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    pub(crate) shape: PictureShape,
    pub(crate) values: Vec<f32>,
}

impl Image {
    /// The image of these bytes.
    pub(crate) fn new(shape: PictureShape, bytes: &[u8]) -> Self {
        Image { shape, values: bytes.iter().map(|byte| f32::from(*byte)).collect() }
    }

    /// A black image.
    pub(super) fn black(shape: PictureShape) -> Self {
        Image { shape, values: vec![0.0; shape.values()] }
    }

    /// The pixels of a channel.
    pub(super) fn pixels(&self) -> usize {
        self.shape.height * self.shape.width
    }
}
