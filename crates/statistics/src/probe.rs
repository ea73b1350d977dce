//! A probe of what sums give away: the inputs whose features are nearest to the mean of a class, or to a draw from its Gaussian.

use alluvium_model::{Inputs, Model, ModelError};
use alluvium_strategy::{Reconstruction, StatisticRequest, total_variation};
use burn::optim::{AdamConfig, Optimizer};
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use crate::gaussian::{Covariance, Shrinkage, estimate};
use crate::{ClassSums, FeatureMap, Moments};

/// The most classes that are reconstructed.
const CLASSES: usize = 6;
/// The gradient steps of all inputs together, and their size.
const STEPS: usize = 200;
const LEARNING_RATE: f64 = 0.05;
/// The weight of the total variation, which makes neighbouring pixels alike.
const SMOOTH: f64 = 0.05;

/// The inputs whose features are nearest to the mean of a class and, where each class has its products, to a draw from its Gaussian.
/// They are found by gradient descent through the features, which everybody has, from grey. `map` is on a device with autodiff.
pub(crate) fn reconstructed(
    sums: &ClassSums,
    map: &FeatureMap,
    request: &StatisticRequest<'_>,
) -> Result<Vec<Reconstruction>, ModelError> {
    let shrinkage = Shrinkage { tied: Some(0.0), ridge: 1e-6, noise: 0.0 };
    let covariance = if sums.moments() == Moments::OfClasses { Covariance::Own } else { Covariance::None };
    let gaussians = estimate(sums, covariance, shrinkage)?;
    let mut wanted = vec![];
    let mut random = request.seed.of("probe").random();
    for (index, class) in gaussians.classes.iter().enumerate().take(CLASSES) {
        wanted.push(("mean", *class, gaussians.means[index].clone()));
        if let (Covariance::Own, Some(gram)) = (covariance, sums.gram_of(*class)) {
            // A draw from N(μ, Σ): μ and the root of Σ times a vector of standard normal numbers.
            let mut within = gram.clone();
            let count = sums.count(*class);
            within.add_outer(-count, &gaussians.means[index]);
            let drawn = within
                .root_times(&(0..sums.features()).map(|_| StandardNormal.sample(&mut random)).collect::<Vec<f64>>());
            let scale = 1.0 / (count - 1.0).max(1.0).sqrt();
            let point = drawn.iter().zip(&gaussians.means[index]).map(|(drawn, mean)| mean + scale * drawn);
            wanted.push(("draw", *class, point.collect()));
        }
    }
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let targets: Vec<Vec<f64>> = wanted.iter().map(|(_, _, target)| target.clone()).collect();
    let size = request.adapted.input.values();
    let found = nearest_inputs(&targets, map, request)?;
    let input = |(index, (what, class, _)): (usize, (&'static str, usize, Vec<f64>))| Reconstruction {
        what,
        class,
        values: found[index * size..(index + 1) * size].to_vec(),
    };
    Ok(wanted.into_iter().enumerate().map(input).collect())
}

/// The inputs in −1…1 whose features are nearest to the targets, one after another.
fn nearest_inputs(
    targets: &[Vec<f64>],
    map: &FeatureMap,
    request: &StatisticRequest<'_>,
) -> Result<Vec<f32>, ModelError> {
    let (shape, compute) = (request.adapted.input, request.compute);
    let model = Model::load(request.adapted, &compute.clone().autodiff())?;
    let values: Vec<f32> = targets.iter().flatten().map(|value| *value as f32).collect();
    let mean_square = values.iter().map(|value| value * value).sum::<f32>() / values.len().max(1) as f32;
    let target =
        Tensor::<2>::from_data(TensorData::new(values, [targets.len(), map.size()]), &compute.clone().autodiff());
    // The first steps break the tie of a grey input, which has no features.
    let mut random = request.seed.of("probe start").random();
    let mut small = || {
        let drawn: f32 = StandardNormal.sample(&mut random);
        0.1 * drawn
    };
    let start: Vec<f32> = (0..targets.len() * shape.values()).map(|_| small()).collect();
    let mut free = Tensor::<2>::from_data(TensorData::new(start, [targets.len(), shape.values()]), compute);
    let adam = AdamConfig::new().with_epsilon(1e-8).build();
    let mut state = None;
    for _ in 0..STEPS {
        let leaf = free.clone().autodiff().require_grad();
        let within = leaf.clone().tanh();
        let features = map.features(Inputs::new(within.clone(), shape), &mut |inputs| model.latents(inputs));
        let distance = (features - target.clone()).square().mean_dim(1).sum();
        let mut loss = distance.div_scalar(mean_square.max(1e-12));
        let pictures = shape.picture().and_then(|_| total_variation(Inputs::new(within, shape).pictures()));
        if let Some(variation) = pictures {
            loss = loss + variation.mul_scalar(SMOOTH);
        }
        let mut gradients = loss.backward();
        let Some(gradient) = leaf.grad_remove(&mut gradients) else { break };
        (free, state) = adam.step(LEARNING_RATE, free, gradient, state);
    }
    Ok(crate::features::rows(free.tanh()))
}
