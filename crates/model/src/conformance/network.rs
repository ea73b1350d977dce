//! The checks of a network: its layers, parameters, gradients, linear maps and normalisations.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;

use super::{host, inputs};
use crate::{BackboneConfig, BoxedBackbone, DynBackbone, InputShape, Seed, Values, initial_weights};

/// How many inputs go through the network at once.
const BATCH: usize = 4;

/// [`check_network`] for the network of a configuration.
///
/// # Panics
/// When the network does not conform. The message says which check failed.
pub fn check_config(config: &dyn BackboneConfig, input: impl Into<InputShape>) {
    let input = input.into();
    config.accepts(input).unwrap_or_else(|error| panic!("{error}"));
    let build = |compute: &Device| config.build(input, compute).unwrap_or_else(|error| panic!("{error}"));
    check_network(&format!("{config:?}"), &build, input);
}

/// Checks the network that `build` builds for inputs of one shape, with initial weights. Messages
/// begin with `name`. The check runs the network forward and back a few times, so choose a small one.
///
/// # Panics
/// When the network does not conform. The message says which check failed.
pub fn check_network(name: &str, build: &dyn Fn(&Device) -> BoxedBackbone, input: impl Into<InputShape>) {
    let network = Network { name, build, input: input.into() };
    network.layers_end_with_the_latent();
    network.weights_are_read_and_written();
    network.maps_fit_their_weights();
    network.normalisations_have_their_statistics();
    network.gradients_reach_all_parameters();
    network.frozen_it_behaves_as_in_use_and_learns();
}

struct Network<'a> {
    name: &'a str,
    build: &'a dyn Fn(&Device) -> BoxedBackbone,
    input: InputShape,
}

impl Network<'_> {
    /// The network with initial weights.
    fn initial(&self, compute: &Device) -> BoxedBackbone {
        let mut network = (self.build)(compute);
        let weights = initial_weights(&network.parameters(), &mut Seed::new(0).random());
        let written = network.set_parameters(&weights);
        written.unwrap_or_else(|error| panic!("{}: it does not accept its own weights: {error}", self.name));
        network
    }

    fn layers_end_with_the_latent(&self) {
        let (name, compute) = (self.name, Device::flex());
        let network = self.initial(&compute);
        let layers = network.layers();
        let names: BTreeSet<_> = layers.iter().map(|(layer, _)| layer).collect();
        assert_eq!(names.len(), layers.len(), "{name}: two layers have the same name: {layers:?}");
        let expected = ("latent".to_owned(), network.latent_size());
        assert_eq!(layers.last(), Some(&expected), "{name}: the last layer is not the latent");

        let inputs = inputs(BATCH, self.input, &compute);
        let outputs = network.forward_layers(inputs.clone());
        let found: Vec<_> = outputs.iter().map(|output| output.dims()).collect();
        let expected: Vec<_> = layers.iter().map(|(_, size)| [BATCH, *size]).collect();
        assert_eq!(found, expected, "{name}: `forward_layers` disagrees with `layers` on the sizes of {layers:?}");
        let last = outputs.into_iter().next_back().map(host);
        assert_eq!(last, Some(host(network.forward(inputs))), "{name}: the last layer's output is not the latent");
    }

    fn weights_are_read_and_written(&self) {
        let name = self.name;
        for compute in [Device::flex(), Device::flex().autodiff()] {
            let network = self.initial(&compute);
            let own = network.parameters();
            let shapes = own.iter().map(|(tensor, values)| (tensor.to_owned(), values.shape.clone()));
            assert_eq!(
                network.shapes(),
                shapes.collect::<BTreeMap<_, _>>(),
                "{name}: `shapes` disagrees with `parameters`"
            );

            let mut shifted = own.combine(&own, |value, _| value + 0.25).expect("the same tensors");
            let mut other = (self.build)(&compute);
            other.set_parameters(&shifted).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(other.parameters(), shifted, "{name}: it has other weights than those that were set");
            shifted.insert("conformance.unknown", Values::new(vec![1], vec![0.0]));
            assert!(other.set_parameters(&shifted).is_err(), "{name}: it accepts a tensor that it does not have");
        }
    }

    fn maps_fit_their_weights(&self) {
        let (name, compute) = (self.name, Device::flex());
        let network = self.initial(&compute);
        let (shapes, inputs) = (network.shapes(), inputs(BATCH, self.input, &compute));
        let mut shown = BTreeSet::new();
        let latents = network.forward_maps(inputs.clone(), &mut |weight, rows| {
            let shape = shapes.get(weight).unwrap_or_else(|| panic!("{name}: the map `{weight}` is not a parameter"));
            let expected = match shape.as_slice() {
                [inputs, _] => *inputs,
                [_, inner @ ..] => inner.iter().product(),
                [] => panic!("{name}: the map `{weight}` is a number"),
            };
            assert_eq!(
                rows.dims()[1],
                expected,
                "{name}: the size of the rows of `{weight}`, a weight of shape {shape:?}"
            );
            assert!(shown.insert(weight.to_owned()), "{name}: the map `{weight}` is shown twice");
        });
        assert_eq!(host(latents), host(network.forward(inputs)), "{name}: `forward_maps` gives other latents");
    }

    fn normalisations_have_their_statistics(&self) {
        let (name, compute) = (self.name, Device::flex());
        let network = self.initial(&compute);
        let (shapes, inputs) = (network.shapes(), inputs(BATCH, self.input, &compute));
        let mut shown = BTreeSet::new();
        let latents = network.forward_normalised(inputs.clone(), &mut |norm, x| {
            for statistic in ["running_mean", "running_var"] {
                let statistic = format!("{norm}.{statistic}");
                let expected = vec![x.dims()[1]];
                assert_eq!(shapes.get(&statistic), Some(&expected), "{name}: the statistic `{statistic}`");
            }
            assert!(shown.insert(norm.to_owned()), "{name}: the normalisation `{norm}` is shown twice");
        });
        assert_eq!(host(latents), host(network.forward(inputs)), "{name}: `forward_normalised` gives other latents");
        let statistics = shapes.keys().filter(|tensor| is_statistic(tensor)).count();
        let all = shown.is_empty() || 2 * shown.len() == statistics;
        assert!(
            all,
            "{name}: `forward_normalised` shows only {shown:?}, but there are {statistics} running statistics"
        );
    }

    fn gradients_reach_all_parameters(&self) {
        let learning = Device::flex().autodiff();
        let network = self.initial(&learning);
        for (parameter, gradient) in self.gradients(network.as_ref(), &learning) {
            assert!(gradient.iter().any(|value| *value != 0.0), "{}: `{parameter}` has no gradient", self.name);
        }
    }

    fn frozen_it_behaves_as_in_use_and_learns(&self) {
        let (name, plain) = (self.name, Device::flex());
        let learning = plain.clone().autodiff();
        let mut frozen = self.initial(&learning);
        let before = frozen.parameters();
        frozen.freeze_training_behaviour();
        let found = host(frozen.forward(inputs(BATCH, self.input, &learning)));
        assert_eq!(
            frozen.parameters(),
            before,
            "{name}: running statistics change although training behaviour is frozen"
        );
        let expected = host(self.initial(&plain).forward(inputs(BATCH, self.input, &plain)));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4 * b.abs().max(1.0);
        assert!(found.iter().zip(&expected).all(near), "{name}: frozen, it gives other latents than in use");
        self.gradients(frozen.as_ref(), &learning);
    }

    /// The gradient of each parameter. Checks that every parameter has one, and that all are finite.
    fn gradients(&self, network: &dyn DynBackbone, learning: &Device) -> Vec<(String, Vec<f32>)> {
        if network.shapes().is_empty() {
            return vec![]; // Without parameters there is nothing to differentiate by.
        }
        let latents = network.forward(inputs(BATCH, self.input, learning));
        let gradients = (latents.clone() * latents.sin()).sum().backward();
        let mut gradients = network.named_gradients(&gradients);
        let shapes = network.shapes();
        let parameters = shapes.into_keys().filter(|name| !is_statistic(name));
        let of_parameter = |parameter: String| {
            let gradient = gradients.remove(&parameter).map(host);
            let gradient = gradient.unwrap_or_else(|| panic!("{}: `{parameter}` has no gradient", self.name));
            assert!(
                gradient.iter().all(|value| value.is_finite()),
                "{}: the gradient of `{parameter}` is not finite",
                self.name
            );
            (parameter, gradient)
        };
        parameters.map(of_parameter).collect()
    }
}

/// Whether the tensor is a running statistic of a batch normalisation.
fn is_statistic(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.starts_with("running_"))
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Tensor;

    use super::*;
    use crate::{Backbone, Inputs};

    /// A backbone with one layer that it uses, and one that it does not use.
    #[derive(Module, Debug)]
    struct OneLayer {
        layer: Linear,
        unused: Option<Linear>,
        /// How much larger the stated size of its latents is than the true size.
        more: usize,
    }

    impl Backbone for OneLayer {
        fn forward(&self, inputs: Inputs) -> Tensor<2> {
            self.layer.forward(inputs.vectors())
        }

        fn latent_size(&self) -> usize {
            self.layer.weight.dims()[1] + self.more
        }
    }

    fn check(unused: bool, more: usize) {
        let build = |compute: &Device| -> BoxedBackbone {
            let layer = || LinearConfig::new(6, 3).init(compute);
            Box::new(OneLayer { layer: layer(), unused: unused.then(layer), more })
        };
        check_network("the double", &build, [1, 2, 3]);
    }

    #[test]
    fn a_right_backbone_passes() {
        check(false, 0);
    }

    #[test]
    #[should_panic(expected = "the double: `unused.bias` has no gradient")]
    fn a_parameter_that_is_not_used_is_named() {
        check(true, 0);
    }

    #[test]
    #[should_panic(expected = "`forward_layers` disagrees with `layers` on the sizes of [(\"latent\", 4)]")]
    fn a_wrong_size_is_named() {
        check(false, 1);
    }
}
