//! The checks of a classifier: its weights, scores, linear maps and gradients, and that it learns.

use std::sync::Arc;

use alluvium_registry::Family;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde_json::json;

use super::{check_options, host, images};
use crate::{
    Backbone, BackboneConfig, BoxedBackbone, BoxedClassifier, ClassifierConfig, HeadShape, HeadSpec, InputShape,
    Inputs, Learning, Model, ModelError, ModelState, Optimiser, Seed, options, plugin,
};

/// The head that classifiers are checked on. Inputs are pictures of 1×4×5, like those of many streams in small.
const HEAD: [usize; 2] = [6, 3];
const INPUT: [usize; 3] = [1, 4, 5];
const BATCH: usize = 4;

/// Checks the classifier of a kind with its default options.
///
/// # Panics
/// When the classifier does not conform. The message says which check failed.
pub fn check_classifier(kind: &str) {
    let config: Box<dyn ClassifierConfig> = serde_json::from_value(json!({ "kind": kind }))
        .unwrap_or_else(|error| panic!("kind = \"{kind}\" without options is not a configuration: {error}"));
    check_options(Family::Classifier, &config);
    check_classifier_config(config.into());
}

/// Checks a classifier with the given options.
///
/// # Panics
/// When the classifier does not conform. The message says which check failed.
pub fn check_classifier_config(config: Arc<dyn ClassifierConfig>) {
    let name = &format!("{config:?}");
    draws_its_weights_from_the_seed(name, config.as_ref());
    keeps_its_weights(name, config.as_ref());
    scores_each_sample_by_itself(name, config.as_ref());
    maps_fit_their_weights(name, config.as_ref());
    gradients_reach_all_parameters(name, config.as_ref());
    is_stored_and_learns(name, config);
}

fn shape() -> HeadShape {
    HeadShape { input: INPUT.into(), latent_size: HEAD[0], classes: HEAD[1] }
}

/// The classifier with initial weights.
fn initial(name: &str, config: &dyn ClassifierConfig, compute: &Device) -> BoxedClassifier {
    let mut built = config.build(shape(), compute).unwrap_or_else(|error| panic!("{name}: {error}"));
    let written = built.set_parameters(&config.initial(shape(), &mut Seed::new(0).random()));
    written.unwrap_or_else(|error| panic!("{name}: it does not accept its initial weights: {error}"));
    built
}

/// Inputs and latents.
fn samples(compute: &Device) -> (Inputs, Tensor<2>) {
    let [channels, height, width] = INPUT;
    let latents = images([BATCH, 1, 1, HEAD[0]], compute).reshape([BATCH, HEAD[0]]);
    (images([BATCH, channels, height, width], compute).into(), latents)
}

fn draws_its_weights_from_the_seed(name: &str, config: &dyn ClassifierConfig) {
    let draw = |seed| config.initial(shape(), &mut Seed::new(seed).random());
    assert_eq!(draw(1), draw(1), "{name}: the same seed must give the same initial weights");
    draw(1).check_finite().unwrap_or_else(|error| panic!("{name}: {error}"));
}

fn keeps_its_weights(name: &str, config: &dyn ClassifierConfig) {
    for compute in [Device::flex(), Device::flex().autodiff()] {
        let mut classifier = initial(name, config, &compute);
        let own = classifier.parameters();
        let shifted = own.combine(&own, |value, _| value + 0.25).expect("the same tensors");
        classifier.set_parameters(&shifted).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(classifier.parameters(), shifted, "{name}: it has other weights than those that were set");
    }
}

fn scores_each_sample_by_itself(name: &str, config: &dyn ClassifierConfig) {
    let compute = Device::flex();
    let classifier = initial(name, config, &compute);
    let (inputs, latents) = samples(&compute);
    let all = classifier.scores(inputs.clone(), latents.clone());
    assert_eq!(all.dims(), [BATCH, HEAD[1]], "{name}: the shape of the scores, [batch, classes]");
    let all = host(all);
    assert!(all.iter().all(|score| score.is_finite()), "{name}: a score is not a finite number: {all:?}");
    let [channels, height, width] = INPUT;
    let pictures = images([BATCH, channels, height, width], &compute);
    for index in 0..BATCH {
        let alone = classifier.scores(pictures.clone().narrow(0, index, 1).into(), latents.clone().narrow(0, index, 1));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs().max(1.0);
        let same = host(alone).iter().zip(&all[index * HEAD[1]..]).all(near);
        assert!(same, "{name}: the scores of sample {index} depend on the other samples of its batch");
    }
}

fn maps_fit_their_weights(name: &str, config: &dyn ClassifierConfig) {
    let compute = Device::flex();
    let classifier = initial(name, config, &compute);
    let (shapes, (inputs, latents)) = (classifier.shapes(), samples(&compute));
    classifier.maps(inputs, latents, &mut |weight, rows| {
        let shape = shapes.get(weight).unwrap_or_else(|| panic!("{name}: the map `{weight}` is not a parameter"));
        let expected = match shape.as_slice() {
            [inputs, _] => *inputs,
            [_, inner @ ..] => inner.iter().product(),
            [] => panic!("{name}: the map `{weight}` is a number"),
        };
        assert_eq!(rows.dims()[1], expected, "{name}: the size of the rows of `{weight}`, a weight of shape {shape:?}");
    });
}

fn gradients_reach_all_parameters(name: &str, config: &dyn ClassifierConfig) {
    let learning = Device::flex().autodiff();
    let classifier = initial(name, config, &learning);
    let (inputs, latents) = samples(&learning);
    let scores = classifier.scores(inputs, latents);
    let gradients = classifier.named_gradients(&(scores.clone() * scores.sin()).sum().backward());
    for (parameter, gradient) in gradients {
        let gradient = host(gradient);
        assert!(gradient.iter().all(|value| value.is_finite()), "{name}: the gradient of `{parameter}` is not finite");
        assert!(gradient.iter().any(|value| *value != 0.0), "{name}: `{parameter}` has no gradient");
    }
}

/// Checks that a model with the classifier is written and read, and that gradient steps lower the cross-entropy.
fn is_stored_and_learns(name: &str, config: Arc<dyn ClassifierConfig>) {
    let learning = Device::flex().autodiff();
    let state = ModelState::initial(Arc::new(FlatConfig {}), INPUT.into(), Seed::new(0), &learning);
    let mut state = state.expect("the double can be built").with_classifier(config);
    state.grow_head(&HeadSpec { name: "a".to_owned(), classes: vec![0, 1] }, HEAD[0], Seed::new(0));
    let bytes = state.to_bytes().unwrap_or_else(|error| panic!("{name}: {error}"));
    let read = ModelState::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let written = |state: &ModelState| serde_json::to_value(&state.classifier).expect("a configuration can be written");
    assert_eq!(written(&read), written(&state), "{name}: a model that was stored has another classifier");

    let mut model = Model::load(&read, &learning).unwrap_or_else(|error| panic!("{name}: {error}"));
    let steps = 60;
    let settings = Learning { learning_rate: 0.1, gradient_clip: 1.0, ..Learning::default() };
    let mut optimiser = Optimiser::new(&settings, steps);
    let (inputs, _) = samples(&learning);
    // Two samples of each class, which a line separates, also in the inputs. The loss is the mean of log(1 + exp(other − own)).
    let signs = Tensor::<2>::from_floats([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]], &learning);
    let mut losses = vec![];
    for _ in 0..steps {
        let behind = model.forward(inputs.clone()).mul(signs.clone()).sum_dim(1).neg();
        let loss = burn::tensor::activation::softplus(behind, 1.0).mean();
        losses.push(loss.clone().into_scalar::<f32>());
        optimiser.step(loss, &mut model);
    }
    assert!(losses[steps - 1] < 0.7 * losses[0], "{name}: it does not learn: {losses:?}");
    let found = model.state().weights;
    assert!(found.digest() != read.weights.digest(), "{name}: it does not change its weights");
}

/// A test double of the conformance tests: one linear layer.
#[options]
struct FlatConfig {}

#[plugin(kind = "_conformance-flat")]
impl BackboneConfig for FlatConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(Flat { layer: LinearConfig::new(input.values(), HEAD[0]).init(compute) }))
    }
}

#[derive(Module, Debug)]
struct Flat {
    layer: Linear,
}

impl Backbone for Flat {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.layer.forward(inputs.vectors()).tanh()
    }

    fn latent_size(&self) -> usize {
        HEAD[0]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_linear_classifier_conforms() {
        super::check_classifier("linear");
    }
}
