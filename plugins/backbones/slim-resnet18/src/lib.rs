//! The `slim-resnet18` backbone: the narrow ResNet-18 that continual learning is usually measured with.

mod block;

use alluvium_model::registry::{Family, describe};
use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, ModelError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use block::{Block, ConvNorm, Show};

/// A slim ResNet-18 for small images: a 3×3 convolution, then four stages of two basic blocks, the later three of which
/// halve the image and double the channels; the latent is the last stage averaged over its pixels.
///
/// Convolutions have no bias, and each is followed by batch normalisation. There is no max-pooling, and any input size
/// will do. Running statistics are averaged and sent like weights: a consolidation on surrogate data should freeze them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlimResNet18Config {
    /// The channels of the first stage; the others have two, four and eight times as many. 64 is the full ResNet-18.
    #[schemars(range(min = 1, max = 1024))]
    pub width: usize,
}

impl Default for SlimResNet18Config {
    fn default() -> Self {
        SlimResNet18Config { width: 20 }
    }
}

describe!(
    Family::Backbone,
    "slim-resnet18",
    SlimResNet18Config,
    paper: "He et al., \"Deep residual learning for image recognition\", CVPR 2016; slim as in Lopez-Paz & Ranzato, \
            \"Gradient episodic memory for continual learning\", NeurIPS 2017"
);

/// The stride of each stage's first block.
const STRIDES: [usize; 4] = [1, 2, 2, 2];

#[typetag::serde(name = "slim-resnet18")]
impl BackboneConfig for SlimResNet18Config {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(self.network(input, compute)?))
    }
}

impl SlimResNet18Config {
    fn network(&self, input: InputShape, compute: &Device) -> Result<SlimResNet18, ModelError> {
        if self.width == 0 || input.values() == 0 {
            let reason = format!("inputs of {input} and `width` = {} must all be at least 1", self.width);
            return Err(ModelError::Backbone { kind: "slim-resnet18".to_owned(), reason });
        }
        let mut stages = vec![];
        let mut channels = self.width;
        for (place, stride) in STRIDES.into_iter().enumerate() {
            let outputs = self.width << place;
            let first = Block::new(channels, outputs, stride, compute);
            stages.push(vec![first, Block::new(outputs, outputs, 1, compute)]);
            channels = outputs;
        }
        Ok(SlimResNet18 { stem: ConvNorm::new(input.channels, self.width, 3, 1, compute), stages })
    }
}

/// The network: `[batch, channels, height, width]` → `[batch, 8 × width option]`.
#[derive(Module, Debug)]
pub struct SlimResNet18 {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
}

impl Backbone for SlimResNet18 {
    fn forward(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.forward_shown(inputs, &mut |_, _, _, _| {})
    }

    fn latent_size(&self) -> usize {
        self.layers().last().map(|(_, size)| *size).unwrap_or_default()
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let last = self.stages.len() - 1;
        let name = |place: usize| if place == last { "latent".to_owned() } else { format!("stage-{}", place + 1) };
        let size = |stage: &Vec<Block>| stage.last().map(Block::outputs).unwrap_or_default();
        self.stages.iter().enumerate().map(|(place, stage)| (name(place), size(stage))).collect()
    }

    fn forward_layers(&self, inputs: Tensor<4>) -> Vec<Tensor<2>> {
        let unseen: &mut Show<'_> = &mut |_, _, _, _| {};
        let mut x = self.stem.forward_rectified("stem", inputs, unseen);
        let forward = |stage: &Vec<Block>| {
            x = stage.iter().fold(x.clone(), |x, block| block.forward_shown(x, unseen));
            pooled(x.clone())
        };
        self.stages.iter().map(forward).collect()
    }

    fn forward_maps(&self, inputs: Tensor<4>, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let show: &mut Show<'_> =
            &mut |name, layer, x, _| map(&format!("{name}.conv.weight"), layer.patches(x.clone()));
        self.forward_shown(inputs, show)
    }

    fn forward_normalised(&self, inputs: Tensor<4>, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.forward_shown(inputs, &mut |name, _, _, convolved| norm(&format!("{name}.norm"), convolved.clone()))
    }
}

impl SlimResNet18 {
    /// The latents; every layer is shown by its name.
    fn forward_shown(&self, inputs: Tensor<4>, show: &mut Show<'_>) -> Tensor<2> {
        let mut x = self.stem.forward_rectified("stem", inputs, show);
        for (stage, blocks) in self.stages.iter().enumerate() {
            for (place, block) in blocks.iter().enumerate() {
                let mut show = |name: &str, layer: &ConvNorm, x: &Tensor<4>, convolved: &Tensor<4>| {
                    show(&format!("stages.{stage}.{place}.{name}"), layer, x, convolved);
                };
                x = block.forward_shown(x, &mut show);
            }
        }
        pooled(x)
    }
}

/// The mean over an image's pixels.
fn pooled(x: Tensor<4>) -> Tensor<2> {
    x.mean_dims(&[2, 3]).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_model::{
        HeadSpec, Model, ModelState, Optimiser, Parameters, Schedule, Seed, SetParameters, SgdSettings, Values, Weights,
    };

    use burn::tensor::TensorData;

    use super::*;

    fn network(width: usize, channels: usize, compute: &Device) -> SlimResNet18 {
        SlimResNet18Config { width }.network([channels, 32, 32].into(), compute).unwrap()
    }

    /// Images whose pixels all differ.
    fn images(shape: [usize; 4], compute: &Device) -> Tensor<4> {
        let count = shape.iter().product::<usize>() as i64;
        (Tensor::arange(0..count, compute).float() * 0.37).sin().reshape(shape)
    }

    fn host(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    fn statistics(network: &SlimResNet18) -> Weights {
        // `valid` takes up the update that burn's running state still holds back.
        let all = network.valid().parameters();
        all.iter().filter(|(name, _)| name.contains("running")).map(|(name, v)| (name.to_owned(), v.clone())).collect()
    }

    #[test]
    fn the_parameter_count_is_that_of_the_formula() {
        let network = network(20, 3, &Device::flex());
        // Convolutions: stem 3·9·w; a stage of o channels on i inputs: 9·i·o + 3·9·o², and i·o for a shortcut. With
        // w = 20: 540 + (4·9·400) + (9·20·40 + 27·1600 + 800) + (9·40·80 + 27·6400 + 3200) + (9·80·160 + 27·25600 + 12800).
        let convolutions =
            540 + 14_400 + (7_200 + 43_200 + 800) + (28_800 + 172_800 + 3_200) + (115_200 + 691_200 + 12_800);
        // Normalised channels: stem w; a stage of o channels 4·o, and o more for a shortcut.
        let channels = 20 + 80 + 5 * 40 + 5 * 80 + 5 * 160;
        assert_eq!((convolutions, channels), (1_090_140, 1_500));
        // Weights of a normalisation: gain and shift; with them go running mean and variance.
        let parameters = network.parameters();
        let trained = parameters.iter().filter(|(name, _)| !name.contains("running"));
        assert_eq!(trained.map(|(_, tensor)| tensor.values.len()).sum::<usize>(), convolutions + 2 * channels);
        assert_eq!(parameters.values(), convolutions + 4 * channels);
    }

    #[test]
    fn shapes_are_those_of_the_description_for_any_input_size() {
        let compute = Device::flex();
        for (height, width) in [(32, 32), (28, 28), (5, 9), (1, 1)] {
            let network = SlimResNet18Config { width: 2 }.build([1, height, width].into(), &compute).unwrap();
            let inputs = images([3, 1, height, width], &compute);
            assert_eq!(network.forward(inputs.clone()).dims(), [3, 16]);
            let sizes: Vec<_> = network.forward_layers(inputs).iter().map(|layer| layer.dims()).collect();
            assert_eq!(sizes, [[3, 2], [3, 4], [3, 8], [3, 16]]);
        }
        let layers = network(20, 3, &compute).layers();
        let expected = [("stage-1", 20), ("stage-2", 40), ("stage-3", 80), ("latent", 160)];
        assert_eq!(layers, expected.map(|(name, size)| (name.to_owned(), size)));
    }

    #[test]
    fn the_latent_is_the_last_layer() {
        let compute = Device::flex();
        let network = network(2, 3, &compute);
        let inputs = images([2, 3, 8, 8], &compute);
        assert_eq!(host(network.forward(inputs.clone())), host(network.forward_layers(inputs).pop().unwrap()));
    }

    #[test]
    fn rows_times_kernels_are_the_convolutions() {
        let compute = Device::flex();
        let network = network(2, 3, &compute);
        let inputs = images([2, 3, 8, 6], &compute);
        let mut convolutions = vec![];
        network.forward_shown(inputs.clone(), &mut |_, _, _, convolved| convolutions.push(convolved.clone()));
        let mut maps = vec![];
        let latents =
            Backbone::forward_maps(&network, inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
        assert_eq!(host(latents), host(network.forward(inputs)));
        let parameters = network.parameters();
        let kernels: Vec<_> =
            parameters.iter().map(|(name, _)| name).filter(|name| name.ends_with("conv.weight")).collect();
        let mut named: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, kernels, "every convolution, once");
        for ((name, rows), convolved) in maps.iter().zip(convolutions) {
            let kernel = parameters.get(name).unwrap();
            let kernel = TensorData::new(kernel.values.clone(), [kernel.shape[0], kernel.shape[1..].iter().product()]);
            let found = rows.clone().matmul(Tensor::<2>::from_data(kernel, &compute).transpose());
            // [batch, outputs, height, width] → one row a pixel.
            let pixels = convolved.permute([0, 2, 3, 1]).flatten::<2>(0, 2);
            assert_eq!(found.dims(), pixels.dims(), "{name}");
            assert!(host(found).iter().zip(host(pixels)).all(|(a, b)| (a - b).abs() < 1e-4), "{name}");
        }
    }

    #[test]
    fn every_normalisation_is_shown_once_under_the_name_of_its_statistics() {
        let compute = Device::flex();
        let network = network(2, 3, &compute);
        let inputs = images([2, 3, 8, 6], &compute);
        let mut shown = vec![];
        let latents =
            Backbone::forward_normalised(&network, inputs.clone(), &mut |name, x| shown.push((name.to_owned(), x)));
        assert_eq!(host(latents), host(network.forward(inputs)));
        let statistics = statistics(&network);
        for (name, x) in &shown {
            let mean = statistics.get(&format!("{name}.running_mean")).unwrap();
            assert_eq!(mean.shape, [x.dims()[1]], "{name}");
        }
        assert_eq!(2 * shown.len(), statistics.len(), "a mean and a variance each");
    }

    #[test]
    fn running_statistics_move_in_training_only() {
        let plain = Device::flex();
        let running = network(2, 3, &plain);
        let before = statistics(&running);
        running.forward(images([4, 3, 8, 8], &plain));
        assert_eq!(statistics(&running), before);

        let learning = plain.autodiff();
        let trained = network(2, 3, &learning);
        trained.forward(images([4, 3, 8, 8], &learning));
        let after = statistics(&trained);
        assert!(before.iter().all(|(name, tensor)| after.get(name).unwrap() != tensor), "every statistic moved");
    }

    #[test]
    fn frozen_training_behaviour_keeps_the_statistics() {
        let learning = Device::flex().autodiff();
        let mut network = network(2, 3, &learning);
        let before = statistics(&network);
        alluvium_model::DynBackbone::freeze_training_behaviour(&mut network);
        network.forward(images([4, 3, 8, 8], &learning));
        assert_eq!(statistics(&network), before);
    }

    #[test]
    fn statistics_are_written_and_used() {
        for compute in [Device::flex(), Device::flex().autodiff()] {
            let built = network(2, 1, &compute);
            let shifted = |(name, tensor): (&str, &Values)| {
                let shift = if name.contains("running") { 2.5 } else { 0.0 };
                let values = tensor.values.iter().map(|value| value + shift).collect();
                (name.to_owned(), Values::new(tensor.shape.clone(), values))
            };
            let weights: Weights = built.parameters().iter().map(shifted).collect();
            let own = built.valid();
            let written = built.clone().with_parameters(&weights).unwrap().valid();
            assert_eq!(written.parameters(), weights);
            // In use they normalise: other statistics, other latents.
            let inputs = images([1, 1, 8, 8], &Device::flex());
            assert_ne!(host(written.forward(inputs.clone())), host(own.forward(inputs)));
        }
    }

    #[test]
    fn steps_down_the_gradient_lower_the_loss() {
        let learning = Device::flex().autodiff();
        let config = SlimResNet18Config { width: 2 };
        let mut state = ModelState::initial(Arc::new(config), [1, 8, 8].into(), Seed::new(0), &learning).unwrap();
        let head = HeadSpec { name: "a".to_owned(), classes: vec![0, 1] };
        state.grow_head(&head, 16, Seed::new(0));
        let mut model = Model::load(&state, &learning).unwrap();
        let settings = SgdSettings {
            learning_rate: 0.05,
            momentum: 0.9,
            weight_decay: 0.0,
            gradient_clip: Some(5.0),
            schedule: Schedule::Constant,
        };
        let mut optimiser = Optimiser::new(settings, 20);
        let inputs = images([4, 1, 8, 8], &learning);
        let targets = Tensor::<2>::from_floats([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]], &learning);
        let mut losses = vec![];
        for _ in 0..20 {
            let loss = (model.logits(model.latents(inputs.clone())) - targets.clone()).square().mean();
            losses.push(loss.clone().into_scalar::<f32>());
            optimiser.step(loss, &mut model);
        }
        assert!(losses[19] < 0.2 * losses[0], "{losses:?}");
    }

    #[test]
    fn no_width_is_refused() {
        let error = SlimResNet18Config { width: 0 }.build([3, 32, 32].into(), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("`width` = 0"), "{error}");
    }
}
