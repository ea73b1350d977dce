//! The classifier across tasks: ridge regression or Gaussians on features that never move.

use std::fmt::Debug;
use std::sync::Arc;

use alluvium_model::{
    AcrossTasks, Answers, BoxedClassifier, ClassifierConfig, DynClassifier, DynModule, HeadShape, Inputs, ModelError,
    ModelState, Random, Values, Weights, typetag,
};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::features::{FeatureMap, FeatureSpec};
use crate::gaussian::Gaussians;
use crate::ridge::Ridge;

/// What the classifier computes from features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Wᵀψ + b.
    Linear,
    /// log N(ψ; μ_k, Σ_k), up to a constant.
    Gaussian,
}

/// A classifier of features. It has no initial weights of its own: a strategy makes them from sums.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatisticsClassifier {
    rule: Rule,
    features: FeatureSpec,
}

/// The prefix of the tensors of the feature map.
const FEATURES: &str = "features";
const WEIGHT: &str = "weight";
const BIAS: &str = "bias";
const MEANS: &str = "means";
const WHITENING: &str = "whitening";
const OFFSETS: &str = "offsets";

impl StatisticsClassifier {
    /// The model with ridge regression as its classifier across tasks. `handed` are the tensors of the feature map.
    pub fn linear(
        model: ModelState,
        features: FeatureSpec,
        handed: &Weights,
        ridge: &Ridge,
        answers: Answers,
    ) -> ModelState {
        let (rows, columns) = (ridge.weight.nrows(), ridge.weight.ncols());
        let values = (0..rows * columns).map(|index| ridge.weight[(index / columns, index % columns)] as f32);
        let mut weights = Weights::new();
        weights.insert(WEIGHT, Values::new(vec![rows, columns], values.collect()));
        weights.insert(BIAS, Values::new(vec![columns], ridge.bias.iter().map(|value| *value as f32).collect()));
        Self::add(model, Rule::Linear, features, handed, weights, (ridge.classes.clone(), answers))
    }

    /// The model with Gaussians of classes as its classifier across tasks. `handed` are the tensors of the feature map.
    pub fn gaussian(
        model: ModelState,
        features: FeatureSpec,
        handed: &Weights,
        gaussians: &Gaussians,
        answers: Answers,
    ) -> ModelState {
        let classes = gaussians.classes.len();
        let size = gaussians.whitening.first().map_or(0, |whitening| whitening.nrows());
        let means = gaussians.means.iter().flatten().map(|value| *value as f32).collect();
        let mut whitening = Vec::with_capacity(gaussians.whitening.len() * size * size);
        for matrix in &gaussians.whitening {
            whitening.extend((0..size * size).map(|index| matrix[(index / size, index % size)] as f32));
        }
        let mut weights = Weights::new();
        weights.insert(MEANS, Values::new(vec![classes, size], means));
        weights.insert(WHITENING, Values::new(vec![gaussians.whitening.len(), size, size], whitening));
        let offsets = gaussians.offsets.iter().map(|value| *value as f32).collect();
        weights.insert(OFFSETS, Values::new(vec![classes], offsets));
        Self::add(model, Rule::Gaussian, features, handed, weights, (gaussians.classes.clone(), answers))
    }

    fn add(
        model: ModelState,
        rule: Rule,
        features: FeatureSpec,
        handed: &Weights,
        mut weights: Weights,
        (classes, answers): (Vec<usize>, Answers),
    ) -> ModelState {
        weights.extend_below(FEATURES, handed.clone());
        let classifier = Arc::new(StatisticsClassifier { rule, features });
        model.with_across(AcrossTasks { classifier, classes, answers }, weights)
    }
}

#[typetag::serde(name = "class-statistics")]
impl ClassifierConfig for StatisticsClassifier {
    /// Nothing: a classifier without sums has no weights.
    fn initial(&self, _head: HeadShape, _random: &mut Random) -> Weights {
        Weights::new()
    }

    fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
        let (config, compute) = (self.clone(), compute.clone());
        Ok(Box::new(Loaded { config, head, compute, weights: Weights::new(), built: None }))
    }
}

/// The classifier on a compute device. It does not learn by gradients.
#[derive(Debug)]
struct Loaded {
    config: StatisticsClassifier,
    head: HeadShape,
    compute: Device,
    weights: Weights,
    built: Option<(FeatureMap, Scorer)>,
}

#[derive(Debug)]
enum Scorer {
    Linear(Box<LinearClasses>),
    Gaussian(Box<WhitenedClasses>),
}

/// W, `[features, classes]`, and b, `[1, classes]`.
#[derive(Debug)]
struct LinearClasses {
    weight: Tensor<2>,
    bias: Tensor<2>,
}

/// Gaussians, ready for many samples.
#[derive(Debug)]
struct WhitenedClasses {
    /// Each whitening matrix transposed, side by side, `[features, matrices · features]`.
    whitening: Tensor<2>,
    /// The whitened means, `[1, classes, features]`.
    means: Tensor<3>,
    /// `[1, classes]`.
    offsets: Tensor<2>,
}

/// The samples whose whitened features are in memory at a time.
const BATCH: usize = 64;

impl Scorer {
    fn of(rule: Rule, weights: &Weights, size: usize, classes: usize, compute: &Device) -> Result<Self, ModelError> {
        let tensor = |name: &str, expected: Vec<usize>| -> Result<Vec<f32>, ModelError> {
            Ok(weights.shaped(name, &expected)?.single(name)?.to_vec())
        };
        let load = |values: Vec<f32>, shape: [usize; 2]| Tensor::from_data(TensorData::new(values, shape), compute);
        match rule {
            Rule::Linear => {
                let (weight, bias) = (tensor(WEIGHT, vec![size, classes])?, tensor(BIAS, vec![classes])?);
                let (weight, bias) = (load(weight, [size, classes]), load(bias, [1, classes]));
                Ok(Scorer::Linear(Box::new(LinearClasses { weight, bias })))
            }
            Rule::Gaussian => {
                let matrices = weights.get(WHITENING).and_then(|found| found.shape.first().copied());
                let matrices = matrices.filter(|count| *count == 1 || *count == classes).unwrap_or(classes);
                let (means, whitening) =
                    (tensor(MEANS, vec![classes, size])?, tensor(WHITENING, vec![matrices, size, size])?);
                let offsets = tensor(OFFSETS, vec![classes])?;
                let whitening = Tensor::<3>::from_data(TensorData::new(whitening, [matrices, size, size]), compute);
                let means = Tensor::<3>::from_data(TensorData::new(means, [classes, size, 1]), compute);
                // Row by row, L⁻¹ψ: the columns of all (L⁻¹)ᵀ side by side.
                let side_by_side = whitening.clone().permute([2, 0, 1]).reshape([size, matrices * size]);
                let repeated = if matrices == classes { whitening } else { whitening.repeat_dim(0, classes) };
                let whitened = repeated.matmul(means).reshape([1, classes, size]);
                let offsets = load(offsets, [1, classes]);
                Ok(Scorer::Gaussian(Box::new(WhitenedClasses { whitening: side_by_side, means: whitened, offsets })))
            }
        }
    }

    fn scores(&self, features: Tensor<2>) -> Tensor<2> {
        match self {
            Scorer::Linear(classes) => features.matmul(classes.weight.clone()) + classes.bias.clone(),
            Scorer::Gaussian(classes) => {
                let WhitenedClasses { whitening, means, offsets } = classes.as_ref();
                let size = features.dims()[1];
                let of_batch = |features: Tensor<2>| {
                    let count = features.dims()[0];
                    let matrices = whitening.dims()[1] / size.max(1);
                    let whitened = features.matmul(whitening.clone()).reshape([count, matrices, size]);
                    let squares = (whitened - means.clone()).square().sum_dim(2).squeeze_dim::<2>(2);
                    offsets.clone() - squares * 0.5
                };
                Tensor::cat(features.split(BATCH, 0).into_iter().map(of_batch).collect(), 0)
            }
        }
    }
}

impl DynClassifier for Loaded {
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        match &self.built {
            Some((map, scorer)) => scorer.scores(map.features(inputs, &mut |_| latents.clone())),
            None => Tensor::zeros([inputs.len(), self.head.classes], &self.compute),
        }
    }
}

impl DynModule for Loaded {
    fn parameters(&self) -> Weights {
        self.weights.clone()
    }

    fn set_parameters(&mut self, weights: &Weights) -> Result<(), ModelError> {
        let StatisticsClassifier { rule, features } = &self.config;
        let handed = weights.below(FEATURES);
        let map = FeatureMap::of(features, &handed, (self.head.input, self.head.latent_size), &self.compute)
            .map_err(|error| error.below(FEATURES))?;
        let scorer = Scorer::of(*rule, weights, map.size(), self.head.classes, &self.compute)?;
        self.built = Some((map, scorer));
        self.weights = weights.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{HeadSpec, Model, Seed};
    use alluvium_strategy::conformance::central;

    use super::*;
    use crate::gaussian::{Covariance, Shrinkage, estimate};
    use crate::ridge::{Choice, solve};
    use crate::{ClassSums, FeatureSource, Features, Moments, ProjectionKind};

    /// The features are the six values of the input.
    fn features() -> FeatureSpec {
        let source = Features { features: FeatureSource::Inputs, ..Features::default() };
        FeatureSpec { source, projection: ProjectionKind::None, size: 1, unit_length: false, backbone: None }
    }

    /// Sums of random samples of the classes 0 and 5.
    fn sums(moments: Moments) -> ClassSums {
        let drawn = alluvium_model::initial_linear(6, 40, &mut Seed::new(4).random());
        let rows = drawn.get("weight").unwrap().as_f32().unwrap().to_vec();
        let labels: Vec<usize> = (0..40).map(|row| if row % 2 == 0 { 0 } else { 5 }).collect();
        let mut sums = ClassSums::new(6, moments);
        sums.add_samples(&rows, &labels);
        sums
    }

    fn scores(state: &ModelState, values: [f32; 6]) -> (Vec<f32>, Vec<usize>) {
        let compute = Device::flex();
        let back = ModelState::from_bytes(&state.to_bytes().unwrap()).unwrap();
        let model = Model::load(&back, &compute).unwrap();
        assert_eq!(model.state().digest(), state.digest());
        let inputs = Inputs::from_values(values.to_vec(), state.input, &compute);
        let latents = model.latents(inputs.clone());
        let (scores, classes) = model.scores_of_any_task(inputs, latents).unwrap();
        (crate::features::rows(scores), classes)
    }

    const SAMPLE: [f32; 6] = [0.1, -0.3, 0.2, 0.05, -0.1, 0.4];

    #[test]
    fn scores_of_ridge_regression_are_products() {
        let ridge = solve(&sums(Moments::Shared), Choice::Fraction(0.1)).unwrap();
        let model =
            StatisticsClassifier::linear(central(&["a"], 1), features(), &Weights::new(), &ridge, Answers::Always);
        let (found, classes) = scores(&model, SAMPLE);
        assert_eq!(classes, [0, 5]);
        for (column, found) in found.iter().enumerate() {
            let products =
                SAMPLE.iter().enumerate().map(|(row, value)| f64::from(*value) * ridge.weight[(row, column)]);
            let expected = products.sum::<f64>() + ridge.bias[column];
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn scores_of_gaussians_are_logarithms_of_densities() {
        let shrinkage = Shrinkage { tied: Some(0.5), ridge: 0.1, noise: 0.0 };
        for covariance in [Covariance::Own, Covariance::Tied, Covariance::None] {
            let gaussians = estimate(&sums(Moments::OfClasses), covariance, shrinkage).unwrap();
            let model = StatisticsClassifier::gaussian(
                central(&["a"], 1),
                features(),
                &Weights::new(),
                &gaussians,
                Answers::UnknownTask,
            );
            let (found, _) = scores(&model, SAMPLE);
            for (class, found) in found.iter().enumerate() {
                let whitening = &gaussians.whitening[class.min(gaussians.whitening.len() - 1)];
                let of_row = |row: usize| {
                    let of = |(column, value): (usize, &f32)| {
                        whitening[(row, column)] * (f64::from(*value) - gaussians.means[class][column])
                    };
                    SAMPLE.iter().enumerate().map(of).sum::<f64>().powi(2)
                };
                let expected = gaussians.offsets[class] - 0.5 * (0..6).map(of_row).sum::<f64>();
                assert!((f64::from(*found) - expected).abs() < 1e-3 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let ridge = solve(&sums(Moments::Shared), Choice::Fraction(0.1)).unwrap();
        let model =
            StatisticsClassifier::linear(central(&["a"], 1), features(), &Weights::new(), &ridge, Answers::Always);
        let mut wrong = model.clone();
        wrong.weights.insert("across.bias", Values::new(vec![3], vec![0.0; 3]));
        let error = Model::load(&wrong, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("across.bias"), "{error}");
        // A model that lost its classifier is a model of heads again.
        let plain = model.without_across();
        assert_eq!(plain.weights, central(&["a"], 1).weights);
        assert_eq!(plain.heads, [HeadSpec { ..central(&["a"], 1).heads[0].clone() }]);
    }
}
