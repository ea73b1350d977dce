//! The `resnet32` backbone: the ResNet of CIFAR, which class-incremental learning is often measured with.

use alluvium_model::{BackboneConfig, BoxedBackbone, InputShape, ModelError, options, plugin};
use burn::tensor::Device;

use crate::block::{Form, Shortcut};
use crate::layout::{Layout, Stem};

/// ResNet-32 for small images: a 3×3 convolution, then three stages of five basic blocks with 16, 32 and 64 channels; the
/// latent is the last stage averaged over its pixels, 64 numbers.
///
/// This is n = 5 of section 4.2 of the paper, which has 6n + 2 layers with the classifier. The shortcuts around the two
/// blocks that halve the image have no weights in the paper: this is `shortcut = "identity"`. Code bases differ: PyCIL has
/// `identity`, FACIL and Avalanche's `resnet32` have `convolution`. iCaRL's network is neither: it puts half of the new zero
/// channels before the others and omits the last rectifier. With `convolution`, tensors have the names and shapes of FACIL,
/// whose names are those of torchvision. Any input size works. Each convolution is followed by batch normalisation, so
/// that a consolidation on surrogate data should freeze the running statistics.
#[options]
pub struct ResNet32Config {
    /// The shortcut around the blocks that halve the image and double the channels: the input itself (463 504 weights in the
    /// network for three channels), or a 1×1 convolution (466 256).
    #[default(Shortcut::Identity)]
    pub shortcut: Shortcut,
}

#[plugin(
    kind = "resnet32",
    paper = "He et al., \"Deep residual learning for image recognition\", CVPR 2016, section 4.2"
)]
impl BackboneConfig for ResNet32Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(self.layout().network(input, compute)?))
    }
}

impl ResNet32Config {
    pub(crate) fn layout(&self) -> Layout {
        Layout {
            kind: "resnet32",
            stem: Stem::Small,
            width: 16,
            blocks: &[5, 5, 5],
            form: Form::Basic,
            shortcut: self.shortcut,
        }
    }
}
