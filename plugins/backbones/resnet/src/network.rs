//! The network of every kind: a stem, stages of residual blocks, the mean over the pixels.

use alluvium_model::{Backbone, Inputs};
use burn::module::Module;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;

use crate::block::Block;
use crate::conv_norm::{ConvNorm, Show};

/// The network: `[batch, channels, height, width]` → `[batch, channels of the last stage]`.
#[derive(Module, Debug)]
pub struct ResNet {
    pub(crate) stem: ConvNorm,
    /// Only after a stem for large images.
    pub(crate) pool: Option<MaxPool2d>,
    pub(crate) stages: Vec<Vec<Block>>,
}

impl Backbone for ResNet {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.forward_shown(inputs, &mut |_, _, _, _| {})
    }

    fn latent_size(&self) -> usize {
        self.layers().last().map(|(_, size)| *size).unwrap_or_default()
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let last = self.stages.len() - 1;
        let name = |index: usize| if index == last { "latent".to_owned() } else { format!("stage-{}", index + 1) };
        let size = |stage: &Vec<Block>| stage.last().map(Block::outputs).unwrap_or_default();
        self.stages.iter().enumerate().map(|(index, stage)| (name(index), size(stage))).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let unseen: &mut Show<'_> = &mut |_, _, _, _| {};
        let mut x = self.before_stages(inputs, unseen);
        let forward = |stage: &Vec<Block>| {
            x = stage.iter().fold(x.clone(), |x, block| block.forward_shown(x, unseen));
            averaged(x.clone())
        };
        self.stages.iter().map(forward).collect()
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let show: &mut Show<'_> =
            &mut |name, layer, x, _| map(&format!("{name}.conv.weight"), layer.patches(x.clone()));
        self.forward_shown(inputs, show)
    }

    fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.forward_shown(inputs, &mut |name, _, _, convolved| norm(&format!("{name}.norm"), convolved.clone()))
    }
}

impl ResNet {
    /// The latents. Calls `show` for every layer, with its name.
    pub(crate) fn forward_shown(&self, inputs: Inputs, show: &mut Show<'_>) -> Tensor<2> {
        let mut x = self.before_stages(inputs, show);
        for (stage, blocks) in self.stages.iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                let mut show = |name: &str, layer: &ConvNorm, x: &Tensor<4>, convolved: &Tensor<4>| {
                    show(&format!("stages.{stage}.{index}.{name}"), layer, x, convolved);
                };
                x = block.forward_shown(x, &mut show);
            }
        }
        averaged(x)
    }

    fn before_stages(&self, inputs: Inputs, show: &mut Show<'_>) -> Tensor<4> {
        let x = self.stem.forward_rectified("stem", inputs.pictures(), show);
        match &self.pool {
            Some(pool) => pool.forward(x),
            None => x,
        }
    }
}

/// The mean over an image's pixels.
fn averaged(x: Tensor<4>) -> Tensor<2> {
    x.mean_dims(&[2, 3]).flatten(1, 3)
}
