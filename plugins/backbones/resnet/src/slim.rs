//! The `slim-resnet18` backbone: the narrow ResNet-18 that is common in continual learning.

use alluvium_model::{BackboneConfig, BoxedBackbone, InputShape, ModelError, options, plugin};
use burn::tensor::Device;

use crate::block::{Form, Shortcut};
use crate::layout::{Layout, Stem};

/// A slim ResNet-18 for small images: a 3×3 convolution, then four stages of two basic blocks, the later three of which
/// halve the image and double the channels; the latent is the last stage averaged over its pixels.
///
/// Convolutions have no bias, and each is followed by batch normalisation. It has no max-pooling, and works with any
/// input size. Running statistics are averaged and sent like weights: a consolidation on surrogate data should freeze them.
#[options]
pub struct SlimResNet18Config {
    /// The channels of the first stage; the others have two, four and eight times as many. 64 is the full ResNet-18.
    #[schemars(range(min = 1, max = 1024))]
    #[default(20)]
    pub width: usize,
}

#[plugin(
    kind = "slim-resnet18",
    paper = "He et al., \"Deep residual learning for image recognition\", CVPR 2016; slim as in Lopez-Paz & Ranzato, \
             \"Gradient episodic memory for continual learning\", NeurIPS 2017"
)]
impl BackboneConfig for SlimResNet18Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let layout = self.layout();
        if layout.width == 0 {
            let reason = "`width` = 0; it must be at least 1".to_owned();
            return Err(ModelError::Backbone { kind: layout.kind.to_owned(), reason });
        }
        Ok(Box::new(layout.network(input, compute)?))
    }
}

impl SlimResNet18Config {
    pub(crate) fn layout(&self) -> Layout {
        Layout {
            kind: "slim-resnet18",
            stem: Stem::Small,
            width: self.width,
            blocks: &[2, 2, 2, 2],
            form: Form::Basic,
            shortcut: Shortcut::Convolution,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_width_is_refused() {
        let error = SlimResNet18Config { width: 0 }.build([3, 32, 32].into(), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("`width` = 0"), "{error}");
    }
}
