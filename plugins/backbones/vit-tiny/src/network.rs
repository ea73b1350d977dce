//! The network: patches become tokens, the blocks pass over them, the class token is the latent.

use alluvium_layers::conv2d;
use alluvium_model::{Backbone, Inputs, patches};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

use crate::block::{Block, EPSILON, Show};

/// The sizes of a network, all at least 1; `width` is a multiple of `heads`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// The channels of the inputs.
    pub channels: usize,
    /// The patches of an image.
    pub patches: usize,
    /// The side of a patch.
    pub patch_size: usize,
    pub depth: usize,
    pub width: usize,
    pub heads: usize,
}

/// The network: `[batch, channels, height, width]` → `[batch, width of a token]`.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    /// A convolution whose kernel is as large as its stride: one token per patch.
    pub(crate) patches: Conv2d,
    /// `[1, 1, width]`
    class_token: Param<Tensor<3>>,
    /// The positions that are added to the tokens, the class token first: `[1, 1 + patches, width]`.
    positions: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl VisionTransformer {
    pub(crate) fn new(sizes: &Sizes, compute: &Device) -> Self {
        let Sizes { channels, patches, patch_size, depth, width, heads } = *sizes;
        let side = [patch_size; 2];
        let zeros = |tokens| Param::from_tensor(Tensor::zeros([1, tokens, width], compute));
        VisionTransformer {
            patches: Conv2dConfig::new([channels, width], side).with_stride(side).init(compute),
            class_token: zeros(1),
            positions: zeros(1 + patches),
            blocks: (0..depth).map(|_| Block::new(width, heads, compute)).collect(),
            norm: LayerNormConfig::new(width).with_epsilon(EPSILON).init(compute),
        }
    }

    /// The tokens before the first block, the class token first: `[batch, 1 + patches, width]`.
    pub(crate) fn tokens(&self, inputs: Inputs) -> Tensor<3> {
        let batch = inputs.len();
        // [batch, width, rows, columns] → [batch, patches, width]
        let of_patches = conv2d(&self.patches, inputs.pictures()).flatten::<3>(2, 3).swap_dims(1, 2);
        let of_class = self.class_token.val().repeat_dim(0, batch);
        Tensor::cat(vec![of_class, of_patches], 1) + self.positions.val()
    }

    /// The latents. Calls `show` for every fully connected layer with its name, and `after` with the class token after each block.
    fn forward_shown(&self, inputs: Inputs, show: &mut Show<'_>, after: &mut dyn FnMut(Tensor<2>)) -> Tensor<2> {
        let mut x = self.tokens(inputs);
        for (index, block) in self.blocks.iter().enumerate() {
            let mut show = |name: &str, rows: &Tensor<3>| show(&format!("blocks.{index}.{name}"), rows);
            x = block.forward_shown(x, &mut show);
            after(of_class(x.clone()));
        }
        self.norm.forward(of_class(x))
    }
}

/// The class token of each sample, `[batch, width]`.
fn of_class(tokens: Tensor<3>) -> Tensor<2> {
    tokens.narrow(1, 0, 1).squeeze_dim(1)
}

impl Backbone for VisionTransformer {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.forward_shown(inputs, &mut |_, _| {}, &mut |_| {})
    }

    fn latent_size(&self) -> usize {
        self.class_token.val().dims()[2]
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let last = self.blocks.len();
        let name = |index: usize| if index == last { "latent".to_owned() } else { format!("block-{index}") };
        (1..=last).map(|index| (name(index), self.latent_size())).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let mut outputs = vec![];
        let latent = self.forward_shown(inputs, &mut |_, _| {}, &mut |output| outputs.push(output));
        // The output of the last block is the latent before normalisation.
        outputs.pop();
        outputs.push(latent);
        outputs
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let [_, _, rows, columns] = self.patches.weight.dims();
        map("patches.weight", patches(inputs.clone().pictures(), [rows, columns], self.patches.stride, [0, 0]));
        // One row a token.
        let show: &mut Show<'_> = &mut |name, x| map(&format!("{name}.weight"), x.clone().flatten(0, 1));
        self.forward_shown(inputs, show, &mut |_| {})
    }
}
