//! Estimates the running statistics again after the student has learned.

use alluvium_model::{BACKBONE, Inputs, Model, ModelError, ModelState, Values};
use burn::tensor::Tensor;

/// The number of inputs that go through the student at a time. The estimate does not depend on it.
const CHUNK: usize = 500;

/// The model whose running statistics are mean and variance over all inputs, without
/// autodiff. Its parameters do not change, and neither does a backbone without batch normalisation.
///
/// Batch normalisations are estimated one after another, in the order in which the network runs them, each with its own pass
/// over the inputs. The input of each then already depends on the new statistics of those before it. So the result is the same
/// as with all inputs in one batch, which may not fit into memory.
///
/// # Errors
/// When the model cannot be run.
pub(crate) fn recalibrated(mut state: ModelState, inputs: &Inputs) -> Result<ModelState, ModelError> {
    let chunks = inputs.clone().split(CHUNK);
    let mut names = vec![];
    if let Some(first) = chunks.first() {
        let one = first.clone().slice(0..1);
        let model = Model::load(&state, &inputs.device())?;
        model.forward_normalised(one, &mut |name, _| names.push(name.to_owned()));
    }
    for name in names {
        let model = Model::load(&state, &inputs.device())?;
        let mut moments = Moments::default();
        for chunk in &chunks {
            model.forward_normalised(chunk.clone(), &mut |shown, x| {
                if shown == name {
                    moments.add(x);
                }
            });
        }
        for (statistic, values) in [("running_mean", moments.means()), ("running_var", moments.variances())] {
            state.weights.insert(format!("{BACKBONE}.{name}.{statistic}"), Values::new(vec![values.len()], values));
        }
    }
    Ok(state)
}

/// The moments of each channel over all added values.
#[derive(Debug, Default)]
struct Moments {
    /// The number of values of a channel.
    count: f64,
    /// A channel's mean, and the sum of its values' squared distances from it.
    channels: Vec<[f64; 2]>,
}

impl Moments {
    /// Adds `[batch, channels, height, width]`, as Chan, Golub & LeVeque join two samples ("Algorithms for computing the
    /// sample variance", The American Statistician 37, 1983).
    fn add(&mut self, x: Tensor<4>) {
        let [batch, channels, height, width] = x.dims();
        let count = (batch * height * width) as f64;
        let means = x.clone().mean_dims(&[0, 2, 3]);
        let variances = host((x - means.clone()).square().mean_dims(&[0, 2, 3]));
        self.channels.resize(channels, [0.0; 2]);
        let all = self.count + count;
        for ([mean, squares], (other, variance)) in self.channels.iter_mut().zip(host(means).into_iter().zip(variances))
        {
            let distance = other - *mean;
            *squares += variance * count + distance * distance * self.count * count / all;
            *mean += distance * count / all;
        }
        self.count = all;
    }

    fn means(&self) -> Vec<f32> {
        self.channels.iter().map(|[mean, _]| *mean as f32).collect()
    }

    /// The variance, divided by the number of values, as in burn's layer.
    fn variances(&self) -> Vec<f32> {
        self.channels.iter().map(|[_, squares]| (squares / self.count) as f32).collect()
    }
}

fn host(tensor: Tensor<4>) -> Vec<f64> {
    let values = tensor.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
    values.into_iter().map(f64::from).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_model::{Expert, HeadSpec, Manifest, Seed};
    use alluvium_strategy::conformance::{NormsConfig, consolidate};
    use alluvium_strategy::{DistillationSettings, is_statistic};
    use burn::tensor::Device;

    use super::*;
    use crate::{BatchNorm as Policy, PldConfig};

    /// A model for inputs of one channel and two pixels.
    fn model(seed: u64) -> ModelState {
        ModelState::initial(Arc::new(NormsConfig {}), [1, 1, 2].into(), Seed::new(seed), &Device::flex()).unwrap()
    }

    #[test]
    fn statistics_are_those_of_all_inputs_layer_after_layer() {
        // The values 1, 3, 5 and 7 have the mean 4 and the variance (9 + 1 + 1 + 9)/4 = 5. Normalised by these, times 2 and
        // plus 1, they have the mean 1 and the variance 4. (With the old mean 0 and variance 1 they would be 9 and 20.)
        let mut state = model(0);
        let one = |value: f32| Values::new(vec![1], vec![value]);
        state.weights.insert("backbone.first.gamma".to_owned(), one(2.0));
        state.weights.insert("backbone.first.beta".to_owned(), one(1.0));
        // Two inputs; and three chunks of inputs, the last one smaller, each with other statistics.
        for times in [1, CHUNK + 7] {
            let values = [[1.0, 3.0].repeat(times), [5.0, 7.0].repeat(times)].concat();
            let inputs = Inputs::from_values(values, [1, 1, 2].into(), &Device::flex());
            let found = recalibrated(state.clone(), &inputs).unwrap();
            let expected = [
                ("first.running_mean", 4.0),
                ("first.running_var", 5.0),
                ("second.running_mean", 1.0),
                ("second.running_var", 4.0),
            ];
            for (name, expected) in expected {
                let value = found.backbone_weights().get(name).unwrap().as_f32().unwrap()[0];
                assert!((value - expected).abs() < 1e-4, "{times}: {name} is {value}, expected {expected}");
            }
            let kept = state.weights.iter().filter(|(name, _)| !is_statistic(name));
            kept.for_each(|(name, tensor)| assert_eq!(found.weights.get(name), Some(tensor), "{name}"));
        }
    }

    #[test]
    fn a_recalibrated_student_is_a_frozen_one_with_other_statistics() {
        let headed = |name: &str, classes: [usize; 2], seed: u64| {
            let mut state = model(seed);
            let head = HeadSpec { name: name.to_owned(), classes: classes.to_vec() };
            state.grow_head(&head, 2, Seed::new(seed));
            state
        };
        let (previous, of_expert) = (headed("a", [0, 1], 1), headed("b", [2, 3], 2));
        let (parent, digest) = (previous.digest(), of_expert.digest());
        let task_name = "b".to_owned();
        let manifest =
            Manifest { task: 1, task_name, samples: 4, steps: 1, parent, digest, statistics: Default::default() };
        let expert = Expert::new(of_expert, manifest).unwrap();
        for cache_teachers in [true, false] {
            let distillation = DistillationSettings { steps: 5, batch_size: 8, cache_teachers, ..Default::default() };
            let central = |batch_norm| {
                let config = PldConfig { distillation: distillation.clone(), batch_norm, ..Default::default() };
                consolidate(&config, &previous, &expert).weights
            };
            let (frozen, found) = (central(Policy::Frozen), central(Policy::Recalibrated));
            assert_eq!(central(Policy::Recalibrated), found, "the same seed gives the same model");
            let moved = central(Policy::Batch);
            assert!(frozen.iter().any(|(name, tensor)| is_statistic(name) && moved.get(name) != Some(tensor)));
            for (name, tensor) in frozen.iter() {
                assert_eq!(found.get(name) != Some(tensor), is_statistic(name), "{cache_teachers}: {name}");
            }
        }
    }
}
