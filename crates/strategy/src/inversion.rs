//! Model inversion: inputs that are optimised until a frozen model gives the wished predictions for them.

mod settings;

use std::collections::BTreeMap;

use alluvium_model::{Inputs, Model, ModelState, Random, Values};
use burn::optim::{AdamConfig, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::{SurrogateError, SurrogateRequest};

pub use settings::InversionSettings;

/// Added to the logits of the other heads, so that their probability becomes 0.
const MASKED: f32 = -1e4;

/// The predictions that a model should give for one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The index of the head among the model's heads.
    pub head: usize,
    /// The probability of each of the head's classes.
    pub probabilities: Vec<f32>,
}

/// How inputs are optimised: Adam (Kingma & Ba, ICLR 2015) on the cross-entropy between the wished and the given predictions,
/// plus priors of natural images.
///
/// Each input is tanh of the optimised variable, so it stays within −1…1, or within `bound` to either side. The losses of the inputs are added up. Adam scales
/// each value by itself, so an input does not depend on the other inputs of its batch, rounding aside. Only the statistics of
/// features are taken over a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inversion {
    /// The number of steps of each input.
    pub steps: usize,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// The number of inputs that are optimised together.
    pub batch_size: usize,
    /// The temperature that divides logits before the softmax.
    pub temperature: f64,
    /// The largest absolute value of an input's values. 1 for pictures.
    pub bound: f64,
    /// The weight of [`total_variation`]. It has no effect on inputs that are not pictures.
    pub total_variation: f64,
    /// The weight of the mean square of an input's values.
    pub l2: f64,
    /// The weight of the distance between a batch's statistics and the running ones, in every batch normalisation.
    pub feature_statistics: f64,
}

impl Inversion {
    /// Inverts the models of a request. The first input and every second one after it are made from the expert, the others
    /// from the previous central model. While the central model has no head, all inputs are made from the expert. `wish`
    /// gives the wished predictions of each input.
    ///
    /// Weights and running statistics are frozen. Each input has its own generator, for its wish and for its initial noise.
    ///
    /// # Errors
    /// When a model cannot be run, or inputs stop being finite.
    pub fn draw(
        &self,
        count: usize,
        request: &SurrogateRequest<'_>,
        wish: impl Fn(&ModelState, &mut Random) -> Wish,
    ) -> Result<Inputs, SurrogateError> {
        let mut teachers = vec![&request.expert.model, request.previous];
        teachers.retain(|state| !state.heads.is_empty());
        let size = request.input.values();
        let mut values = vec![0.0; count * size];
        for (turn, state) in teachers.iter().enumerate() {
            // Without autodiff: burn treats such weights as constants, also when the inputs learn.
            let mut model = Model::load(state, request.compute)?;
            model.freeze_training_behaviour();
            let indices: Vec<_> = (turn..count).step_by(teachers.len()).collect();
            for batch in indices.chunks(self.batch_size.max(1)) {
                let (mut wishes, mut noise) = (vec![], vec![]);
                for index in batch {
                    let mut random = request.seed.at("inverted input", *index).random();
                    wishes.push(wish(state, &mut random));
                    noise.extend((0..size).map(|_| 2.0 * random.random::<f32>() - 1.0));
                }
                let found = self.optimise(&model, request.inputs(noise), &wishes)?;
                for (index, input) in batch.iter().zip(found.chunks(size)) {
                    values[index * size..][..size].copy_from_slice(input);
                }
            }
        }
        Ok(request.inputs(values))
    }

    /// Optimises the inputs from `start`, their values before tanh.
    fn optimise(&self, model: &Model, start: Inputs, wishes: &[Wish]) -> Result<Vec<f32>, SurrogateError> {
        let (targets, mask) = wanted(model, wishes, &start.device());
        let running =
            if self.feature_statistics > 0.0 { running_statistics(model, &start.device()) } else { BTreeMap::new() };
        let adam = AdamConfig::new().with_epsilon(1e-8).build();
        let shape = start.shape();
        let (mut free, mut state) = (start.vectors(), None);
        for _ in 0..self.steps {
            let leaf = free.clone().autodiff().require_grad();
            let within = self.bounded(leaf.clone());
            // Everything that pictures go into takes this one tensor, so that gradients are added up in one order.
            let pictures = shape.picture().map(|_| Inputs::new(within.clone(), shape).pictures());
            let inputs = match &pictures {
                Some(pictures) => pictures.clone().into(),
                None => Inputs::new(within.clone(), shape),
            };
            let mut distances = vec![];
            let latents = model.forward_normalised(inputs.clone(), &mut |name, x| {
                distances.extend(running.get(name).map(|running| distance(x, running)));
            });
            let logits = model.scores(inputs, latents);
            let likelihoods = log_softmax(logits.div_scalar(self.temperature) + mask.clone(), 1);
            let mut loss = (likelihoods * targets.clone()).sum().neg();
            let smooth = pictures.clone().filter(|_| self.total_variation > 0.0);
            if let Some(variation) = smooth.and_then(total_variation) {
                loss = loss + variation.mul_scalar(self.total_variation);
            }
            let count = within.dims()[0];
            if self.l2 > 0.0 {
                let squares = match pictures {
                    Some(pictures) => pictures.square().mean(),
                    None => within.square().mean(),
                };
                loss = loss + squares.mul_scalar(self.l2 * count as f64);
            }
            if let Some(distance) = distances.into_iter().reduce(|a, b| a + b) {
                loss = loss + distance.mul_scalar(self.feature_statistics * count as f64);
            }
            let mut gradients = loss.backward();
            let Some(gradient) = leaf.grad_remove(&mut gradients) else { break };
            (free, state) = adam.step(self.learning_rate, free, gradient, state);
        }
        let found = self.bounded(free).into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
        if found.iter().all(|value| value.is_finite()) {
            return Ok(found);
        }
        Err(SurrogateError::Option {
            option: "learning_rate",
            problem: format!("= {} makes inputs that are not finite", self.learning_rate),
            accepted: "a smaller one, or models whose outputs are finite".to_owned(),
        })
    }
}

impl Inversion {
    /// The inputs of some variables: tanh, times the bound.
    fn bounded(&self, variables: Tensor<2>) -> Tensor<2> {
        let within = variables.tanh();
        if self.bound == 1.0 { within } else { within.mul_scalar(self.bound) }
    }
}

/// The running mean and variance of each batch normalisation by its name, both `[channels]`. They are constants when inputs learn.
fn running_statistics(model: &Model, compute: &Device) -> BTreeMap<String, [Tensor<1>; 2]> {
    let weights = model.state().backbone_weights();
    // A model that runs has 32 bits.
    let constant = |tensor: &Values| Some(Tensor::<1>::from_floats(tensor.as_f32()?, compute).autodiff());
    let pair = |(name, mean): (&str, &Values)| {
        let norm = name.strip_suffix(".running_mean")?;
        let variance = weights.get(&format!("{norm}.running_var"))?;
        Some((norm.to_owned(), [constant(mean)?, constant(variance)?]))
    };
    weights.iter().filter_map(pair).collect()
}

/// ‖μ(x) − μ‖₂ + ‖σ²(x) − σ²‖₂, the distance of a batch's statistics, over samples and pixels, from the running ones: a term
/// of R_feature (Yin et al., arXiv 1912.08795, eq. 4). `x` is `[batch, channels, height, width]`.
fn distance(x: Tensor<4>, [running_mean, running_variance]: &[Tensor<1>; 2]) -> Tensor<1> {
    let mean = x.clone().mean_dims(&[0, 2, 3]);
    let variance = (x - mean.clone()).square().mean_dims(&[0, 2, 3]);
    // At a distance of 0 the root has no gradient.
    let norm = |difference: Tensor<1>| difference.square().sum().add_scalar(1e-12).sqrt();
    norm(mean.flatten(0, 3) - running_mean.clone()) + norm(variance.flatten(0, 3) - running_variance.clone())
}

/// The target probabilities of all logits, and what is added to the logits, both `[wishes, logits of all heads]`.
fn wanted(model: &Model, wishes: &[Wish], compute: &Device) -> (Tensor<2>, Tensor<2>) {
    let sizes: Vec<_> = model.heads().iter().map(|head| head.spec.classes.len()).collect();
    let (mut targets, mut mask) = (vec![], vec![]);
    for wish in wishes {
        for (index, size) in sizes.iter().enumerate() {
            let wished = index == wish.head;
            let probability = |class: usize| wish.probabilities.get(class).filter(|_| wished).copied();
            targets.extend((0..*size).map(|class| probability(class).unwrap_or_default()));
            mask.extend(std::iter::repeat_n(if wished { 0.0 } else { MASKED }, *size));
        }
    }
    let shape = [wishes.len(), sizes.iter().sum()];
    let constant = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), compute).autodiff();
    (constant(targets), constant(mask))
}

/// The total variation of each input, summed over the inputs: the mean distance of a value to its right neighbour, plus the
/// mean distance to its lower neighbour (Rudin, Osher & Fatemi, 1992, in its anisotropic form). `None` for a single pixel.
///
/// The weight of this form does not depend on the sizes of image and batch. Yin et al. take norms over the whole batch, in four
/// directions, so the meaning of their weight does.
pub fn total_variation(inputs: Tensor<4>) -> Option<Tensor<1>> {
    let [count, _, height, width] = inputs.dims();
    let distance = |along: usize, length: usize| {
        let after = inputs.clone().narrow(along, 1, length - 1);
        let distance = (after - inputs.clone().narrow(along, 0, length - 1)).abs();
        distance.mean().mul_scalar(count as f64)
    };
    let sides = [(3, width), (2, height)].into_iter().filter(|(_, length)| *length > 1);
    sides.map(|(along, length)| distance(along, length)).reduce(|across, down| across + down)
}

#[cfg(test)]
mod tests;
