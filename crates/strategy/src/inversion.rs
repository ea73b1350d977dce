//! Model inversion: inputs that are optimised until a frozen model gives the wished predictions for them.

mod settings;

use alluvium_model::{Inputs, Model, ModelState, Random};
use burn::optim::{AdamConfig, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RunningStatistics, StatisticsDistance, SurrogateError, SurrogateRequest};

pub use settings::InversionSettings;

/// Added to the logits of the other heads, so that their probability becomes 0.
const MASKED: f32 = -1e4;

/// The largest absolute value of a first input, as a fraction of the bound. At the bound itself, tanh has no gradient.
const START_WITHIN: f32 = 0.95;

/// The models whose running statistics an input is drawn towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum MatchedModels {
    /// The model that the input is made from: the expert for one half, the previous central model for the other.
    Own,
    /// Both models. It takes twice the time.
    Both,
}

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
/// Each input is tanh of the optimised variable, so it stays within −1…1, or within `bound` to either side. The losses of the
/// inputs are added up. Adam scales each value by itself, so an input does not depend on the other inputs of its batch, rounding
/// aside. Only the statistics of features are taken over a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inversion {
    /// The number of steps of each input.
    pub steps: usize,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// The number of inputs that are optimised together.
    pub batch_size: usize,
    /// The weight of the cross-entropy.
    pub class_weight: f64,
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
    /// How these statistics are compared.
    pub statistics_distance: StatisticsDistance,
    /// The models whose running statistics count.
    pub statistics_of: MatchedModels,
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
        self.draw_from(None, count, request, wish)
    }

    /// [`draw`](Self::draw) from first inputs, of which there are `count`, in place of noise. Values near the bound or beyond it
    /// begin at 0.95 of the bound.
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    pub fn draw_from(
        &self,
        start: Option<Inputs>,
        count: usize,
        request: &SurrogateRequest<'_>,
        wish: impl Fn(&ModelState, &mut Random) -> Wish,
    ) -> Result<Inputs, SurrogateError> {
        let teachers = request.learned();
        if teachers.is_empty() {
            return Err(SurrogateError::Misfit {
                problem: "are made from models that have learned, and before the first device there is none".to_owned(),
                accepted: "surrogate data of another source".to_owned(),
            });
        }
        let size = request.input.values();
        let start = start.map(|inputs| self.variables(inputs));
        let mut values = vec![0.0; count * size];
        // Without autodiff: burn treats such weights as constants, also when the inputs learn.
        let load = |state: &&ModelState| {
            let mut model = Model::load(state, request.compute)?;
            model.freeze_training_behaviour();
            Ok(Teacher::new(model, self.feature_statistics > 0.0))
        };
        let models = teachers.iter().map(load).collect::<Result<Vec<_>, SurrogateError>>()?;
        for (turn, state) in teachers.iter().enumerate() {
            let others = models.iter().enumerate().filter(|(other, _)| *other != turn).map(|(_, teacher)| teacher);
            let others: Vec<_> = others.filter(|_| self.statistics_of == MatchedModels::Both).collect();
            let indices: Vec<_> = (turn..count).step_by(teachers.len()).collect();
            for batch in indices.chunks(self.batch_size.max(1)) {
                let (mut wishes, mut first) = (vec![], vec![]);
                for index in batch {
                    let mut random = request.seed.at("inverted input", *index).random();
                    wishes.push(wish(state, &mut random));
                    match &start {
                        Some(start) => first.extend_from_slice(&start[index * size..][..size]),
                        None => first.extend((0..size).map(|_| 2.0 * random.random::<f32>() - 1.0)),
                    }
                }
                let found = self.optimise(&models[turn], &others, request.inputs(first), &wishes)?;
                for (index, input) in batch.iter().zip(found.chunks(size)) {
                    values[index * size..][..size].copy_from_slice(input);
                }
            }
        }
        Ok(request.inputs(values))
    }

    /// Optimises the inputs from `start`, their values before tanh. `others` count only with their statistics.
    fn optimise(
        &self,
        teacher: &Teacher,
        others: &[&Teacher],
        start: Inputs,
        wishes: &[Wish],
    ) -> Result<Vec<f32>, SurrogateError> {
        let model = &teacher.model;
        let (targets, mask) = wanted(model, wishes, &start.device());
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
            let latents = teacher.measured(inputs.clone(), self.statistics_distance, &mut distances);
            for other in others {
                other.measured(inputs.clone(), self.statistics_distance, &mut distances);
            }
            let logits = model.scores(inputs, latents);
            let likelihoods = log_softmax(logits.div_scalar(self.temperature) + mask.clone(), 1);
            let mut loss = (likelihoods * targets.clone()).sum().mul_scalar(-self.class_weight);
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

impl Inversion {
    /// The variables of some inputs: the inverse of [`bounded`](Self::bounded).
    fn variables(&self, inputs: Inputs) -> Vec<f32> {
        let values = inputs.vectors().into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
        let variable = |value: f32| (value / self.bound as f32).clamp(-START_WITHIN, START_WITHIN).atanh();
        values.into_iter().map(variable).collect()
    }
}

/// A model that inputs are made from.
struct Teacher {
    model: Model,
    /// What statistics are drawn towards; `None` where they do not count.
    running: Option<RunningStatistics>,
}

impl Teacher {
    fn new(model: Model, is_measured: bool) -> Self {
        // The inputs learn, so what they are compared with must be on a device with autodiff, as constants.
        let running = is_measured.then(|| RunningStatistics::of(&model, &model.device().autodiff()));
        Teacher { model, running }
    }

    /// The latents. Adds the distance of every batch normalisation.
    fn measured(&self, inputs: Inputs, distance: StatisticsDistance, distances: &mut Vec<Tensor<1>>) -> Tensor<2> {
        self.model.forward_normalised(inputs, &mut |name, x| {
            distances.extend(self.running.as_ref().and_then(|running| running.of_batch(distance, name, x)));
        })
    }
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
