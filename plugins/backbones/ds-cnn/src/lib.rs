//! The `ds-cnn` backbone: depthwise separable convolutions, for spectrograms of short words.

mod network;

use alluvium_model::{BackboneConfig, BoxedBackbone, InputShape, ModelError, options, plugin};
use burn::tensor::Device;

/// A depthwise separable convolutional network for keyword spotting: a convolution over bands and frames, blocks of a 3×3
/// convolution within each channel and a 1×1 convolution across them, and averages over all frames and some bands, which are the
/// latent.
///
/// It is the DS-CNN of Zhang et al., whose smallest form has the defaults here: 64 channels and four blocks. Each convolution is
/// followed by a normalisation and a rectifier. The normalisation is that of groups (4 groups; Wu & He, ECCV 2018), and not of
/// batches as in the paper: it has no running statistics, so the network behaves the same on a device's sounds and on surrogate
/// data. With it, averages over all bands tell little; so the bands are divided into strips, and each strip has averages of its
/// own. The paper has one strip.
#[options]
pub struct DsCnnConfig {
    /// The channels, a multiple of 4.
    #[schemars(range(min = 4, max = 1024))]
    #[default(64)]
    pub width: usize,
    /// The number of blocks.
    #[schemars(range(min = 1, max = 32))]
    #[default(4)]
    pub blocks: usize,
    /// The bands and frames that a kernel of the first convolution covers.
    #[schemars(inner(range(min = 1, max = 64)))]
    #[default([4, 10])]
    pub kernel: [usize; 2],
    /// The stride of the first convolution over bands and frames.
    #[schemars(inner(range(min = 1, max = 16)))]
    #[default([2, 2])]
    pub stride: [usize; 2],
    /// The number of strips into which the bands are divided. The latent has `width` values for each of them.
    #[schemars(range(min = 1, max = 64))]
    #[default(4)]
    pub strips: usize,
}

const KIND: &str = "ds-cnn";
/// The number of groups of each normalisation.
const GROUPS: usize = 4;

#[plugin(
    kind = "ds-cnn",
    paper = "Zhang et al., \"Hello edge: keyword spotting on microcontrollers\", arXiv 1711.07128; Wu & He, \"Group normalization\", \
             ECCV 2018"
)]
impl BackboneConfig for DsCnnConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let refuse = |reason: String| Err(ModelError::Backbone { kind: KIND.to_owned(), reason });
        if self.width == 0 || !self.width.is_multiple_of(GROUPS) {
            return refuse(format!("`width` = {} is not a multiple of {GROUPS}", self.width));
        }
        let picture = input.picture_for(KIND)?;
        if input.values() == 0 || self.blocks == 0 || self.kernel.contains(&0) || self.stride.contains(&0) {
            return refuse(format!("inputs of {input}, `blocks`, `kernel` and `stride` must all be at least 1"));
        }
        let padding = self.padding();
        let sides = [picture.height, picture.width];
        if (0..2).any(|axis| sides[axis] + 2 * padding[axis] < self.kernel[axis]) {
            return refuse(format!("a `kernel` of {:?} does not fit inputs of {input}", self.kernel));
        }
        let rows = (sides[0] + 2 * padding[0] - self.kernel[0]) / self.stride[0] + 1;
        if !(1..=rows).contains(&self.strips) {
            return refuse(format!(
                "`strips` = {}, but the first convolution leaves {rows} bands of {input}",
                self.strips
            ));
        }
        Ok(Box::new(network::DsCnn::new(self, picture.channels, compute)))
    }
}

impl DsCnnConfig {
    /// The zeros around the input: with a stride of 1, an odd kernel keeps the size.
    fn padding(&self) -> [usize; 2] {
        self.kernel.map(|side| (side - 1) / 2)
    }
}
