//! The `vit-tiny` backbone: the smallest vision transformer of DeiT and timm.
//!
//! The names of its tensors are those on the right of the table `timm-vit` of `alluvium-checkpoint`.

mod block;
mod network;

use alluvium_model::{BackboneConfig, BoxedBackbone, InputShape, ModelError, PictureShape, options, plugin};
use burn::tensor::Device;

use network::{Sizes, VisionTransformer};

/// A small vision transformer: the image is cut into square patches, each becomes a token, and blocks of self-attention and
/// a perceptron pass over them; the latent is the class token after the last normalisation.
///
/// With `patch_size` 16 on 3×224×224 it is timm's `vit_tiny_patch16_224` without the classifier: 5 524 416 weights.
/// Normalisation comes before attention and perceptron (ε = 10⁻⁶). The hidden layer of the perceptron is four times as large as
/// a token, with GELU in its exact form. Positions are learned, and dropout is not used. Layer normalisation has no running
/// statistics, so the network behaves the same on a device's data and on surrogate data. The layers that may be distilled are
/// the class token after each block. Initial weights are drawn as for every backbone, not from timm's narrower normal
/// distribution.
///
/// Time and memory grow with the square of the number of patches. Such networks need more data or more steps than
/// convolutional ones to generalise.
#[options]
pub struct VitTinyConfig {
    /// The side of a patch, in pixels. Height and width of the inputs must be multiples of it, and there may be at most
    /// 4096 patches. The default suits images of 28 to 64 pixels; 16 is usual for 224.
    #[schemars(range(min = 1, max = 256))]
    #[default(4)]
    pub patch_size: usize,
    /// The number of blocks.
    #[schemars(range(min = 1, max = 64))]
    #[default(12)]
    pub depth: usize,
    /// The size of a token, and of the latent; a multiple of `heads`.
    #[schemars(range(min = 1, max = 4096))]
    #[default(192)]
    pub width: usize,
    /// The heads of each attention.
    #[schemars(range(min = 1, max = 64))]
    #[default(3)]
    pub heads: usize,
}

/// The largest number of patches of an image. The scores of one head's attention then take 64 MiB per sample.
const MOST_PATCHES: usize = 4096;

#[plugin(
    kind = "vit-tiny",
    paper = "Dosovitskiy et al., \"An image is worth 16x16 words\", ICLR 2021, arXiv 2010.11929; tiny as in Touvron \
             et al., \"Training data-efficient image transformers\", ICML 2021, arXiv 2012.12877"
)]
impl BackboneConfig for VitTinyConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let sizes = self.sizes(input.picture_for("vit-tiny")?);
        let sizes = sizes.map_err(|reason| ModelError::Backbone { kind: "vit-tiny".to_owned(), reason })?;
        Ok(Box::new(VisionTransformer::new(&sizes, compute)))
    }
}

impl VitTinyConfig {
    /// The sizes of the network, or why it cannot be built.
    fn sizes(&self, input: PictureShape) -> Result<Sizes, String> {
        let VitTinyConfig { patch_size, depth, width, heads } = *self;
        let shape = InputShape::from(input);
        if [patch_size, depth, width, heads].contains(&0) {
            return Err("`patch_size`, `depth`, `width` and `heads` must all be at least 1".to_owned());
        }
        if !width.is_multiple_of(heads) {
            return Err(format!("`width` = {width} is not a multiple of `heads` = {heads}"));
        }
        let [rows, columns] = [input.height, input.width].map(|side| side / patch_size);
        let whole = [input.height, input.width].iter().all(|side| side.is_multiple_of(patch_size));
        if !whole || rows == 0 || columns == 0 || input.channels == 0 {
            return Err(format!(
                "inputs of {shape} cannot be cut into patches of `patch_size` = {patch_size}; accepted: at least one \
                 channel, and a height and a width that are multiples of it"
            ));
        }
        match rows.checked_mul(columns) {
            Some(patches) if patches <= MOST_PATCHES => {
                Ok(Sizes { channels: input.channels, patches, patch_size, depth, width, heads })
            }
            _ => Err(format!(
                "inputs of {shape} have {rows} by {columns} patches of `patch_size` = {patch_size}; accepted: at most \
                 {MOST_PATCHES} patches"
            )),
        }
    }
}

#[cfg(test)]
mod tests;
