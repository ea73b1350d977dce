//! A block of the transformer: self-attention, then a perceptron, each behind a normalisation and beside a shortcut.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::module::attention;
use burn::tensor::{Device, Tensor};

/// ε of every normalisation.
pub(crate) const EPSILON: f64 = 1e-6;

/// The hidden size of the perceptron, as a multiple of the size of a token.
const EXPANSION: usize = 4;

/// Called for every fully connected layer, with its name and its input tokens, `[batch, tokens, inputs]`.
pub(crate) type Show<'a> = dyn FnMut(&str, &Tensor<3>) + 'a;

/// x + attention(norm(x)), then x + mlp(norm(x)), on tokens `[batch, tokens, width]`.
#[derive(Module, Debug)]
pub struct Block {
    attention_norm: LayerNorm,
    attention: Attention,
    mlp_norm: LayerNorm,
    mlp: Mlp,
}

impl Block {
    /// `width` is a multiple of `heads`.
    pub(crate) fn new(width: usize, heads: usize, compute: &Device) -> Self {
        let norm = || LayerNormConfig::new(width).with_epsilon(EPSILON).init(compute);
        Block {
            attention_norm: norm(),
            attention: Attention::new(width, heads, compute),
            mlp_norm: norm(),
            mlp: Mlp::new(width, compute),
        }
    }

    /// Calls `show` for every fully connected layer, with its name in the block.
    pub(crate) fn forward_shown(&self, x: Tensor<3>, show: &mut Show<'_>) -> Tensor<3> {
        let x = x.clone() + self.attention.forward_shown(self.attention_norm.forward(x), show);
        x.clone() + self.mlp.forward_shown(self.mlp_norm.forward(x), show)
    }
}

/// Self-attention of several heads: softmax(QKᵀ/√d)V of each, side by side, then a linear layer.
#[derive(Module, Debug)]
struct Attention {
    /// Queries, keys and values side by side, and within each of them the heads.
    qkv: Linear,
    output: Linear,
    heads: usize,
}

impl Attention {
    fn new(width: usize, heads: usize, compute: &Device) -> Self {
        let linear = |outputs| LinearConfig::new(width, outputs).init(compute);
        Attention { qkv: linear(3 * width), output: linear(width), heads }
    }

    fn forward_shown(&self, x: Tensor<3>, show: &mut Show<'_>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        show("attention.qkv", &x);
        let qkv = self.qkv.forward(x).reshape([batch, tokens, 3, self.heads, width / self.heads]);
        // [3, batch, heads, tokens, width of a head]
        let qkv = qkv.permute([2, 0, 3, 1, 4]);
        let [queries, keys, values] = [0, 1, 2].map(|index| qkv.clone().narrow(0, index, 1).squeeze_dim::<4>(0));
        let mixed = attention(queries, keys, values, None, None, Default::default());
        let mixed = mixed.swap_dims(1, 2).reshape([batch, tokens, width]);
        show("attention.output", &mixed);
        self.output.forward(mixed)
    }
}

/// Two fully connected layers with the exact GELU between them, on each token by itself.
#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    fn new(width: usize, compute: &Device) -> Self {
        Mlp {
            first: LinearConfig::new(width, EXPANSION * width).init(compute),
            second: LinearConfig::new(EXPANSION * width, width).init(compute),
        }
    }

    fn forward_shown(&self, x: Tensor<3>, show: &mut Show<'_>) -> Tensor<3> {
        show("mlp.first", &x);
        let x = gelu(self.first.forward(x));
        show("mlp.second", &x);
        self.second.forward(x)
    }
}
