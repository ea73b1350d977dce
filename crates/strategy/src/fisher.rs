//! The diagonal of the Fisher information: how much each weight matters for a model's predictions on a task.

use alluvium_model::{Model, ModelError, ModelState, NamedTensors, Seed, Values, Weights};
use alluvium_stream::TaskDataset;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use rand::RngExt;
use rand::seq::index::sample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which labels the Fisher information is estimated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum FisherLabels {
    /// The samples' own labels: the empirical Fisher information.
    Empirical,
    /// Labels drawn from the model's own predictions: the Fisher information proper.
    True,
}

/// F of every weight of a model, under the names of the weights. F is the mean, over at most `most` samples, of the squared
/// gradient of log p(y|x) through the task's own head, with normalisation frozen (Kirkpatrick et al., arXiv 1612.00796,
/// eq. 3). Weights that p(y|x) does not depend on (other heads, running statistics) have F = 0.
///
/// The gradient is taken for each sample by itself: the gradient of a batch would be squared after the sum over its samples.
///
/// # Errors
/// When the model cannot be run.
pub fn fisher(
    model: &ModelState,
    task: &TaskDataset<'_>,
    labels: FisherLabels,
    most: usize,
    seed: Seed,
    compute: &Device,
) -> Result<Weights, ModelError> {
    let learning = compute.clone().autodiff();
    let mut running = Model::load(&model.with_heads(|head| head.name == task.head.name), &learning)?;
    running.freeze_training_behaviour();
    let mut random = seed.random();
    let count = task.samples.len().min(most);
    let mut sums = NamedTensors::new();
    for index in sample(&mut random, task.samples.len(), count) {
        let alone = task.samples.select([index]);
        let Some(head) = running.head(&task.head.name) else { break };
        let inputs = alone.inputs(&learning);
        let log = log_softmax(head.scores(inputs.clone(), running.latents(inputs)), 1);
        let class_index = match labels {
            FisherLabels::Empirical => {
                task.head.classes.iter().position(|class| *class == alone.labels()[0]).unwrap_or_default()
            }
            FisherLabels::True => drawn(&log, random.random()),
        };
        for (name, gradient) in running.gradients(log.slice([0..1, class_index..class_index + 1]).sum()) {
            let square = gradient.clone().mul(gradient);
            let sum = match sums.remove(&name) {
                Some(sum) => sum + square,
                None => square,
            };
            sums.insert(name, sum);
        }
    }
    let mean = |(name, weight): (&str, &Values)| {
        let mean = sums.get(name).map(|sum| sum.clone().div_scalar(count as f64).into_data().convert::<f32>());
        let mean = mean.and_then(|mean| mean.try_into_vec::<f32>().ok());
        let values = mean.unwrap_or_else(|| vec![0.0; weight.len()]);
        (name.to_owned(), Values::new(weight.shape.clone(), values))
    };
    Ok(model.weights.iter().map(mean).collect())
}

/// The class index that a number from [0, 1) falls on, given the log-probabilities of the classes, `[1, classes]`.
fn drawn(log: &Tensor<2>, mut at: f32) -> usize {
    let logs = log.clone().into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
    let passed = logs.iter().take_while(|log| {
        at -= log.exp();
        at >= 0.0
    });
    passed.count().min(logs.len().saturating_sub(1))
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::{central, samples};

    /// A model whose latents are always (1, 2, 3, 0), and whose head `a` gives the probabilities 3/4 and 1/4 for every input.
    fn known() -> ModelState {
        let mut model = central(&["a", "b"], 1);
        let values = [
            ("backbone.layer.weight", vec![0.0; 24], vec![6, 4]),
            ("backbone.layer.bias", vec![1.0, 2.0, 3.0, 0.0], vec![4]),
            ("heads.a.weight", vec![0.0; 8], vec![4, 2]),
            ("heads.a.bias", vec![3.0f32.ln(), 0.0], vec![2]),
        ];
        for (name, values, shape) in values {
            model.weights.insert(name, Values::new(shape, values));
        }
        model
    }

    fn of(model: &ModelState, labels: FisherLabels, most: usize) -> Weights {
        let own = samples("a");
        let dataset = TaskDataset { head: &model.heads[0], samples: &own };
        fisher(model, &dataset, labels, most, Seed::new(5), &Device::flex()).unwrap()
    }

    fn assert_near(found: &Weights, name: &str, expected: &[f64], tolerance: f64) {
        let found = found.get(name).unwrap().as_f32().unwrap();
        assert_eq!(found.len(), expected.len());
        let near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= tolerance;
        assert!(found.iter().zip(expected).all(near), "{name}: {found:?}, expected {expected:?}");
    }

    #[test]
    fn softmax_regression_has_a_closed_form() {
        // Softmax regression on h: ∂ log p_y / ∂W_ij = h_i·(1[y = j] − p_j), and the same with h = 1 for the bias.
        // p = (3/4, 1/4). Five samples of class 0 have 1[y = j] − p_j = (1/4, −1/4), five of class 1 have (−3/4, 3/4):
        // F_bias = ½·1/16 + ½·9/16 = 5/16 for both classes, and F_W_ij = h_i²·5/16 with h² = (1, 4, 9, 0).
        let found = of(&known(), FisherLabels::Empirical, 100);
        assert_near(&found, "heads.a.bias", &[0.3125; 2], 1e-6);
        assert_near(&found, "heads.a.weight", &[0.3125, 0.3125, 1.25, 1.25, 2.8125, 2.8125, 0.0, 0.0], 1e-5);
        // The head's weights are zero, so the output depends neither on the backbone nor on the other head.
        assert_near(&found, "backbone.layer.bias", &[0.0; 4], 0.0);
        assert_near(&found, "heads.b.weight", &[0.0; 8], 0.0);
    }

    #[test]
    fn labels_from_the_model_give_the_fisher_information_proper() {
        // E_y∼p (1[y = j] − p_j)² = p_j(1 − p_j) = 3/16 for both classes, where the labels' own share gave 5/16. Of ten draws,
        // k fall on class 0: F = (k·1/16 + (10 − k)·9/16) / 10, which is 3/16 on average with a deviation of 0.07.
        let found = of(&known(), FisherLabels::True, 100);
        let bias = found.get("heads.a.bias").unwrap().as_f32().unwrap();
        let k = (f64::from(bias[0]) * 160.0 - 90.0) / -8.0;
        assert!((k - k.round()).abs() < 1e-3 && (2.0..=10.0).contains(&k), "{k}");
        assert!((bias[0] - bias[1]).abs() < 1e-6);
    }

    #[test]
    fn a_number_falls_on_the_unit_whose_share_it_is_in() {
        let log = Tensor::<2>::from_floats([[0.5f32.ln(), 0.25f32.ln(), 0.25f32.ln()]], &Device::flex());
        let class_indices = [0.0, 0.49, 0.51, 0.74, 0.76, 0.999_999].map(|at| drawn(&log, at));
        assert_eq!(class_indices, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn the_backbones_agree_with_finite_differences() {
        let model = central(&["a"], 4);
        let found = of(&model, FisherLabels::Empirical, 100);
        let log_likelihoods = |model: &ModelState| {
            let model = Model::load(model, &Device::flex()).unwrap();
            let logits = model.forward(samples("a").inputs(&Device::flex()));
            let logs = log_softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap();
            let labels = samples("a").labels().to_vec();
            logs.chunks(2).zip(labels).map(|(pair, label)| f64::from(pair[label])).collect::<Vec<_>>()
        };
        // Small enough that no sample crosses the kink of the rectifier.
        let step = 1e-3;
        let bias = model.weights.get("backbone.layer.bias").unwrap().clone();
        for index in 0..4 {
            let moved = |by: f32| {
                let mut moved = model.clone();
                let mut values = bias.clone();
                values.as_f32_mut().unwrap()[index] += by;
                moved.weights.insert("backbone.layer.bias", values);
                log_likelihoods(&moved)
            };
            let (up, down) = (moved(step), moved(-step));
            let squares = up.iter().zip(&down).map(|(up, down)| ((up - down) / (2.0 * f64::from(step))).powi(2));
            let expected = squares.sum::<f64>() / 10.0;
            let found = f64::from(found.get("backbone.layer.bias").unwrap().as_f32().unwrap()[index]);
            assert!((found - expected).abs() < 0.02 * expected + 1e-5, "bias {index}: {found}, expected {expected}");
        }
    }
}
