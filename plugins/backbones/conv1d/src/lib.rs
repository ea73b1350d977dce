//! The `conv1d` backbone: convolutions along the steps of a sequence, with group normalisation.

use alluvium_model::{
    Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, options, patches, plugin,
};
use burn::module::Module;
use burn::nn::conv;
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig1d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// A one-dimensional convolutional network for sequences `[channels, length]`, such as windows of sensor values.
///
/// Each block is a convolution along the sequence, group normalisation (4 groups), a rectifier, and max-pooling, which shortens
/// the sequence. The mean over the steps that are left goes through a fully connected layer with a rectifier, whose output is the
/// latent. Group normalisation (Wu & He, ECCV 2018) has no running statistics, so the network behaves the same on a device's
/// data and on surrogate data.
#[options]
pub struct Conv1dConfig {
    /// The channels of each convolution, multiples of 4.
    #[schemars(length(min = 1, max = 16), inner(range(min = 4, max = 4096)))]
    #[default(vec![16, 32, 64])]
    pub channels: Vec<usize>,
    /// The number of steps that a kernel covers, odd. Zeros around the sequence keep its length.
    #[schemars(range(min = 1, max = 255))]
    #[default(5)]
    pub kernel: usize,
    /// The number of steps that become one in the max-pooling of each block; steps that are left over are dropped. 1: no pooling.
    #[schemars(range(min = 1, max = 16))]
    #[default(2)]
    pub pool: usize,
    /// The size of the latent.
    #[schemars(range(min = 1, max = 65_536))]
    #[default(64)]
    pub latent: usize,
}

const KIND: &str = "conv1d";
const GROUPS: usize = 4;

#[plugin(kind = "conv1d", paper = "Wu & He, \"Group normalization\", ECCV 2018")]
impl BackboneConfig for Conv1dConfig {
    fn accepts(&self, input: InputShape) -> Result<(), ModelError> {
        let least = self.least_length();
        match *input.sizes() {
            [channels, length] if channels > 0 && length >= least => Ok(()),
            _ if least == 1 => Err(input.unfit(KIND, "sequences [channels, length]")),
            _ => Err(input.unfit(KIND, &format!("sequences [channels, length] of at least {least} steps"))),
        }
    }

    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let refuse = |reason: String| Err(ModelError::Backbone { kind: KIND.to_owned(), reason });
        if self.channels.is_empty() || self.channels.iter().any(|size| *size == 0 || !size.is_multiple_of(GROUPS)) {
            return refuse(format!("`channels` = {:?}; accepted: multiples of {GROUPS}, at least one", self.channels));
        }
        if self.kernel.is_multiple_of(2) || self.pool == 0 || self.latent == 0 {
            let Conv1dConfig { kernel, pool, latent, .. } = self;
            return refuse(format!(
                "`kernel` = {kernel}, `pool` = {pool}, `latent` = {latent}; accepted: an odd kernel, and at least 1"
            ));
        }
        self.accepts(input)?;
        Ok(Box::new(self.network(input.channels(), compute)))
    }
}

impl Conv1dConfig {
    /// The least length of a sequence of which pooling leaves a step.
    fn least_length(&self) -> usize {
        self.channels.iter().fold(1, |length: usize, _| length.saturating_mul(self.pool))
    }

    /// The network for checked options.
    fn network(&self, inputs: usize, compute: &Device) -> Conv1dNetwork {
        let before = std::iter::once(inputs).chain(self.channels.iter().copied());
        let blocks = before.zip(&self.channels).map(|(inputs, outputs)| {
            let padding = self.kernel / 2;
            let conv = conv::Conv1dConfig::new(inputs, *outputs, self.kernel)
                .with_padding(PaddingConfig1d::Explicit(padding, padding))
                .init(compute);
            let pool = MaxPool1dConfig::new(self.pool).with_stride(self.pool).init();
            Block { conv, norm: GroupNormConfig::new(GROUPS, *outputs).init(compute), pool }
        });
        let last = self.channels.last().copied().unwrap_or(inputs);
        Conv1dNetwork { blocks: blocks.collect(), latent: LinearConfig::new(last, self.latent).init(compute) }
    }
}

/// Convolution, group normalisation, rectifier, max-pooling.
#[derive(Module, Debug)]
struct Block {
    conv: conv::Conv1d,
    norm: GroupNorm,
    pool: MaxPool1d,
}

impl Block {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = relu(self.norm.forward(self.conv.forward(x)));
        if self.pool.kernel_size == 1 { x } else { self.pool.forward(x) }
    }

    /// The patches of the sequence as those of a picture of one row.
    fn patches(&self, x: Tensor<3>) -> Tensor<2> {
        patches(x.unsqueeze_dim(2), [1, self.conv.kernel_size], [1, 1], [0, self.conv.kernel_size / 2])
    }
}

/// The network: `[batch, channels, length]` → `[batch, latent]`.
#[derive(Module, Debug)]
pub struct Conv1dNetwork {
    blocks: Vec<Block>,
    latent: Linear,
}

impl Backbone for Conv1dNetwork {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        let x = self.blocks.iter().fold(inputs.sequences(), |x, block| block.forward(x));
        relu(self.latent.forward(averaged(x)))
    }

    fn latent_size(&self) -> usize {
        self.latent.weight.dims()[1]
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let size = |block: &Block| block.conv.weight.dims()[0];
        let blocks = self.blocks.iter().enumerate().map(|(index, block)| (format!("block-{}", index + 1), size(block)));
        blocks.chain([("latent".to_owned(), self.latent_size())]).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let mut x = inputs.sequences();
        let mut outputs = vec![];
        for block in &self.blocks {
            x = block.forward(x);
            outputs.push(averaged(x.clone()));
        }
        outputs.push(relu(self.latent.forward(averaged(x))));
        outputs
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let x = self.blocks.iter().enumerate().fold(inputs.sequences(), |x, (index, block)| {
            map(&format!("blocks.{index}.conv.weight"), block.patches(x.clone()));
            block.forward(x)
        });
        let x = averaged(x);
        map("latent.weight", x.clone());
        relu(self.latent.forward(x))
    }
}

/// The mean over a sequence's steps.
fn averaged(x: Tensor<3>) -> Tensor<2> {
    x.mean_dim(2).squeeze_dim(2)
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::{host, inputs};

    use super::*;

    #[test]
    fn shapes_and_parameter_count_are_those_of_the_description() {
        let compute = Device::flex();
        let config = Conv1dConfig { channels: vec![8, 16], kernel: 3, pool: 2, latent: 10 };
        let network = config.build([6, 11].into(), &compute).unwrap();
        // conv: 8·6·3+8, 16·8·3+16; norm: 2·(8+16); linear: 16·10+10
        assert_eq!(network.parameters().values(), (152 + 400) + 48 + 170);
        let sizes: Vec<_> = network.forward_layers(inputs(3, [6, 11], &compute)).iter().map(Tensor::dims).collect();
        assert_eq!(sizes, [[3, 8], [3, 16], [3, 10]]);
    }

    #[test]
    fn rows_times_weights_are_the_outputs_of_a_convolution() {
        let compute = Device::flex();
        let network = Conv1dConfig { channels: vec![4], kernel: 5, pool: 2, latent: 3 }.network(2, &compute);
        let x = inputs(3, [2, 7], &compute).sequences();
        let block = &network.blocks[0];
        // [batch, outputs, length] → one row a step.
        let steps = block.conv.forward(x.clone()).swap_dims(1, 2).flatten::<2>(0, 1);
        let kernels = block.conv.weight.val().flatten::<2>(1, 2).transpose();
        let found = block.patches(x).matmul(kernels) + block.conv.bias.as_ref().unwrap().val().unsqueeze::<2>();
        assert_eq!(found.dims(), steps.dims());
        assert!(host(found).iter().zip(host(steps)).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn other_inputs_and_options_are_refused() {
        let config = Conv1dConfig::default();
        // Three blocks that halve a sequence need 8 steps.
        assert!(config.accepts([3, 8].into()).is_ok());
        for input in [InputShape::from([3, 7]), [12].into(), [1, 28, 28].into(), [0, 8].into()] {
            let error = config.accepts(input).unwrap_err().to_string();
            assert!(error.contains("\"conv1d\" takes sequences [channels, length] of at least 8 steps"), "{error}");
            assert!(config.build(input, &Device::flex()).is_err());
        }
        let odd = Conv1dConfig { kernel: 4, ..config.clone() };
        assert!(odd.build([3, 8].into(), &Device::flex()).unwrap_err().to_string().contains("`kernel` = 4"));
        let groups = Conv1dConfig { channels: vec![6], ..config };
        assert!(groups.build([3, 8].into(), &Device::flex()).unwrap_err().to_string().contains("multiples of 4"));
    }
}
