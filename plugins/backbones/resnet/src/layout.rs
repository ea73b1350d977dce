//! The layout of one kind of ResNet, and the network built from it.

use alluvium_model::{InputShape, ModelError};
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::Device;

use crate::block::{Block, Form, Shortcut};
use crate::conv_norm::ConvNorm;
use crate::network::ResNet;

/// The layers before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stem {
    /// A 3×3 convolution, which keeps the size of small images.
    Small,
    /// A 7×7 convolution, then 3×3 max-pooling, each with a stride of 2. The result is a quarter as wide and high.
    Large,
}

/// The layout of one kind of ResNet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The kind, for messages.
    pub kind: &'static str,
    pub stem: Stem,
    /// The channels of the stem, and of the 3×3 convolutions of the first stage. Each later stage has twice those of the
    /// one before it, and its first block halves the image.
    pub width: usize,
    /// The blocks of each stage; at least one stage of at least one block.
    pub blocks: &'static [usize],
    pub form: Form,
    pub shortcut: Shortcut,
}

impl Layout {
    /// The network for inputs of one shape.
    ///
    /// # Errors
    /// [`ModelError::Input`] when inputs are not pictures, [`ModelError::Backbone`] when they have no values. The caller must check the width.
    pub fn network(&self, input: InputShape, compute: &Device) -> Result<ResNet, ModelError> {
        let picture = input.picture_for(self.kind)?;
        if input.values() == 0 {
            let reason = format!("inputs of {input}; channels, height and width must all be at least 1");
            return Err(ModelError::Backbone { kind: self.kind.to_owned(), reason });
        }
        let (stem, pool) = match self.stem {
            Stem::Small => (ConvNorm::new(picture.channels, self.width, 3, 1, compute), None),
            Stem::Large => {
                let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]);
                let pool = pool.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init();
                (ConvNorm::new(picture.channels, self.width, 7, 2, compute), Some(pool))
            }
        };
        let mut inputs = self.width;
        let mut block = |stage: usize, index: usize| {
            let channels = self.width << stage;
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let block = Block::new(self.form, [inputs, channels], stride, self.shortcut, compute);
            inputs = block.outputs();
            block
        };
        let stages = self.blocks.iter().enumerate();
        let stages = stages.map(|(stage, blocks)| (0..*blocks).map(|index| block(stage, index)).collect()).collect();
        Ok(ResNet { stem, pool, stages })
    }
}
