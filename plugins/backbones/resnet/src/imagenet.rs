//! The backbones `resnet18`, `resnet34` and `resnet50`: the networks of ImageNet, laid out as in torchvision.

use alluvium_model::{BackboneConfig, BoxedBackbone, InputShape, ModelError, options, plugin};
use burn::tensor::Device;

use crate::block::{Form, Shortcut};
use crate::layout::{Layout, Stem};

const PAPER: &str = "He et al., \"Deep residual learning for image recognition\", CVPR 2016";

/// ResNet-18 as torchvision has it: a 7×7 convolution and max-pooling, which make the image a quarter as wide and high,
/// then four stages of two basic blocks; the latent is the last stage averaged over its pixels, 512 numbers.
///
/// Its tensors are those of torchvision's `resnet18` without the classifier: 11 176 512 weights. Any input size and any
/// number of channels work, but images much smaller than 64×64 leave few pixels to the last stages; for those use
/// `slim-resnet18` or `resnet32`. Each convolution is followed by batch normalisation, so that a consolidation
/// on surrogate data should freeze the running statistics.
#[options]
pub struct ResNet18Config {}

pub(crate) const RESNET18: Layout = Layout {
    kind: "resnet18",
    stem: Stem::Large,
    width: 64,
    blocks: &[2, 2, 2, 2],
    form: Form::Basic,
    shortcut: Shortcut::Convolution,
};

#[plugin(kind = "resnet18", paper = PAPER)]
impl BackboneConfig for ResNet18Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(RESNET18.network(input, compute)?))
    }
}

/// ResNet-34 as torchvision has it: `resnet18` with three, four, six and three basic blocks in its stages. The latent has
/// 512 numbers.
///
/// Its tensors are those of torchvision's `resnet34` without the classifier: 21 284 672 weights.
#[options]
pub struct ResNet34Config {}

pub(crate) const RESNET34: Layout = Layout { kind: "resnet34", blocks: &[3, 4, 6, 3], ..RESNET18 };

#[plugin(kind = "resnet34", paper = PAPER)]
impl BackboneConfig for ResNet34Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(RESNET34.network(input, compute)?))
    }
}

/// ResNet-50 as torchvision has it: `resnet34` with bottlenecks, blocks of a 1×1, a 3×3 and a 1×1 convolution that widens
/// four times. The latent has 2048 numbers.
///
/// Its tensors are those of torchvision's `resnet50` without the classifier: 23 508 032 weights. A block that halves the
/// image does so in its 3×3 convolution ("ResNet v1.5"); the paper does it in the 1×1 convolution before.
#[options]
pub struct ResNet50Config {}

pub(crate) const RESNET50: Layout = Layout { kind: "resnet50", form: Form::Bottleneck, ..RESNET34 };

#[plugin(kind = "resnet50", paper = PAPER)]
impl BackboneConfig for ResNet50Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(RESNET50.network(input, compute)?))
    }
}
