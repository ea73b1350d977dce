//! How far the features of inputs are from the running statistics of a model: from what its batch normalisations saw while the
//! model learned.

use std::collections::BTreeMap;

use alluvium_model::{Inputs, Model, Values};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to the denominators of a normalisation: this fraction of its mean running variance. So a channel that hardly varies
/// does not outweigh all others.
const FLOOR: f64 = 0.01;

/// Added to variances, as in the batch normalisation itself.
const EPSILON: f64 = 1e-5;

/// How the statistics of a batch are compared with the running ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum StatisticsDistance {
    /// ‖μ(x) − μ‖₂ + ‖σ²(x) − σ²‖₂, summed over the normalisations, as in DeepInversion (Yin et al., arXiv 1912.08795, eq. 4).
    Norms,
    /// ((μ(x) − μ)² + (σ(x) − σ)²) / σ², averaged over channels and normalisations. It measures every channel on its own scale.
    Relative,
}

/// The running statistics of a model's batch normalisations, on a compute device.
#[derive(Debug)]
pub struct RunningStatistics {
    /// By the name that the backbone gives the normalisation.
    norms: BTreeMap<String, Running>,
}

/// The running statistics of one batch normalisation, each `[channels]`.
#[derive(Debug)]
struct Running {
    mean: Tensor<1>,
    variance: Tensor<1>,
    deviation: Tensor<1>,
    /// The denominator of relative distances: the variance and its floor.
    scale: Tensor<1>,
}

impl Running {
    fn new(mean: &[f32], variance: &[f32], compute: &Device) -> Self {
        let floor =
            FLOOR * variance.iter().copied().map(f64::from).sum::<f64>() / variance.len().max(1) as f64 + EPSILON;
        let constant = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), compute);
        Running {
            mean: constant(mean.to_vec()),
            variance: constant(variance.to_vec()),
            deviation: constant(variance.iter().map(|one| one.max(0.0).sqrt()).collect()),
            scale: constant(variance.iter().map(|one| (f64::from(*one) + floor) as f32).collect()),
        }
    }

    /// ‖μ(x) − μ‖₂ + ‖σ²(x) − σ²‖₂ of a batch. `x` is `[batch, channels, height, width]`.
    fn norms(&self, x: Tensor<4>) -> Tensor<1> {
        let [mean, variance] = moments(x, &[0, 2, 3]);
        // At a distance of 0 the root has no gradient.
        let norm = |difference: Tensor<1>| difference.square().sum().add_scalar(1e-12).sqrt();
        norm(mean.flatten(0, 3) - self.mean.clone()) + norm(variance.flatten(0, 3) - self.variance.clone())
    }

    /// The relative distance of each sample, averaged over the channels, where statistics are taken over the dimensions `over`:
    /// the pixels, or pixels and batch, which is then one sample. `[samples]`.
    fn relative(&self, x: Tensor<4>, over: &[usize]) -> Tensor<1> {
        let [mean, variance] = moments(x, over);
        let [samples, channels, ..] = mean.dims();
        let rows = |tensor: Tensor<4>| tensor.reshape([samples, channels]);
        // At a variance of 0 the root has no gradient.
        let deviation = rows(variance).add_scalar(1e-12).sqrt();
        let squares = (rows(mean) - self.mean.clone().unsqueeze()).square()
            + (deviation - self.deviation.clone().unsqueeze()).square();
        (squares / self.scale.clone().unsqueeze()).mean_dim(1).flatten(0, 1)
    }
}

/// Mean and variance of `[batch, channels, height, width]` over some dimensions, which keep the size 1.
fn moments(x: Tensor<4>, over: &[usize]) -> [Tensor<4>; 2] {
    let mean = x.clone().mean_dims(over);
    let variance = (x - mean.clone()).square().mean_dims(over);
    [mean, variance]
}

impl RunningStatistics {
    /// The running statistics of a model as constants on a compute device. Choose one with autodiff for
    /// [`of_batch`](Self::of_batch), and one without for [`of_each`](Self::of_each).
    pub fn of(model: &Model, compute: &Device) -> Self {
        let weights = model.state().backbone_weights();
        let pair = |(name, mean): (&str, &Values)| {
            let norm = name.strip_suffix(".running_mean")?;
            let variance = weights.get(&format!("{norm}.running_var"))?;
            // A model that runs has 32 bits.
            Some((norm.to_owned(), Running::new(mean.as_f32()?, variance.as_f32()?, compute)))
        };
        RunningStatistics { norms: weights.iter().filter_map(pair).collect() }
    }

    /// The number of batch normalisations.
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.norms.is_empty()
    }

    /// The part of a batch's distance that one batch normalisation contributes, to be added up over all. `name` and `x` are those
    /// of [`Model::forward_normalised`]. `None` for a normalisation that the model does not have.
    pub fn of_batch(&self, distance: StatisticsDistance, name: &str, x: Tensor<4>) -> Option<Tensor<1>> {
        let running = self.norms.get(name)?;
        Some(match distance {
            StatisticsDistance::Norms => running.norms(x),
            StatisticsDistance::Relative => running.relative(x, &[0, 2, 3]).div_scalar(self.norms.len() as f64),
        })
    }

    /// The distance of each input by itself: over its own pixels, ((μ(x) − μ)² + (σ(x) − σ)²) / (σ² + ε), averaged over the channels
    /// of a normalisation, then over the normalisations. μ and σ² are the running mean and variance; ε is a hundredth of the
    /// normalisation's mean σ², plus 10⁻⁵. Without it, a channel that never varied on the devices' data would decide alone.
    ///
    /// Deviations are compared, not variances: the square of a variance grows with the fourth power of a feature, so that one bright
    /// channel would decide. The deviation over the pixels of data is smaller than the running one, which is also over samples. So
    /// the distance of data is not 0; it is for comparisons between inputs.
    ///
    /// Empty if the model has no batch normalisation.
    pub fn of_each(&self, model: &Model, inputs: Inputs) -> Vec<f64> {
        let mut sum: Option<Tensor<1>> = None;
        model.forward_normalised(inputs, &mut |name, x| {
            if let Some(running) = self.norms.get(name) {
                let one = running.relative(x, &[2, 3]);
                sum = Some(sum.take().map_or(one.clone(), |sum| sum + one));
            }
        });
        let values = |sum: Tensor<1>| sum.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
        sum.map(values).into_iter().flatten().map(|sum| f64::from(sum) / self.norms.len() as f64).collect()
    }
}

#[cfg(all(test, feature = "conformance"))]
pub(crate) mod tests;
