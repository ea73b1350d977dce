//! The proximal term: it keeps a device's weights near those that it took from the centre.

use std::collections::BTreeMap;

use alluvium_model::{Model, NamedTensors, Values, Weights};
use burn::tensor::{Device as Compute, Tensor};

/// Adds μ/2 ‖w − w_t‖² to the loss of a training run, where w_t are the weights that the device took (Li et al., "Federated
/// optimization in heterogeneous networks", MLSys 2020, arXiv 1812.06127, eq. 2).
///
/// Gradient descent with momentum is linear in the gradient: the velocity of a sum is the sum of the velocities. So
/// each step on the loss is followed by the term's own step, u ← m·u + μ(w − w_t) and w ← w − ηu, computed from the
/// weights before both. Together they are a step on the sum. A limit on the gradients applies only to the gradients of
/// the loss.
#[derive(Debug)]
pub(crate) struct Proximal {
    strength: f64,
    momentum: f64,
    taken: NamedTensors,
    /// w − w_t before the next step; absent: zero.
    away: NamedTensors,
    /// u; absent: zero.
    velocity: NamedTensors,
}

impl Proximal {
    /// Creates the term with μ = `strength` around the weights `taken`, by full names. It does not affect other
    /// weights. `momentum` is the momentum of the steps; `compute` is without autodiff.
    pub(crate) fn new(strength: f64, momentum: f64, taken: &Weights, compute: &Compute) -> Self {
        // A model in training has 32-bit weights.
        let flat = |(name, tensor): (&str, &Values)| {
            Some((name.to_owned(), Tensor::<1>::from_floats(tensor.as_f32()?, compute)))
        };
        let taken = taken.iter().filter_map(flat).collect();
        Proximal { strength, momentum, taken, away: BTreeMap::new(), velocity: BTreeMap::new() }
    }

    /// Takes the term's own step, after the step on the loss with the learning rate `rate`.
    pub(crate) fn pull(&mut self, rate: f64, model: &mut Model) {
        model.update(&mut |name, moved| {
            let taken = self.taken.get(name)?.clone();
            let force = self.away.remove(name).map(|away| away.mul_scalar(self.strength));
            let lasting = self.velocity.remove(name).map(|velocity| velocity.mul_scalar(self.momentum));
            let velocity = match (lasting, force) {
                (Some(lasting), Some(force)) => Some(lasting + force),
                (one, other) => one.or(other),
            };
            let pulled = match &velocity {
                Some(velocity) => moved - velocity.clone().mul_scalar(rate),
                None => moved,
            };
            self.away.insert(name.to_owned(), pulled.clone() - taken);
            velocity.map(|velocity| self.velocity.insert(name.to_owned(), velocity));
            Some(pulled)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{HeadSpec, Inputs, ModelState, Optimiser, Schedule, Seed, SgdSettings};

    use super::*;

    /// One latent, and a head of two classes; all weights are 1.
    fn taken() -> ModelState {
        let (backbone, seed, compute) = (Arc::new(MlpConfig { layers: vec![1] }), Seed::new(0), Compute::flex());
        let mut state = ModelState::initial(backbone, [1, 1, 2].into(), seed, &compute).unwrap();
        state.grow_head(&HeadSpec { name: "own".to_owned(), classes: vec![0, 1] }, 1, seed);
        let one = |(name, tensor): (&str, &Values)| {
            (name.to_owned(), Values::new(tensor.shape.clone(), vec![1.0; tensor.len()]))
        };
        state.weights = state.weights.iter().map(one).collect();
        state
    }

    /// The head's first weight after some steps at the rate 0.1 on the loss ½Σ(w − 4)² over the head's weights.
    fn after(steps: usize, strength: f64, momentum: f64, held: &str) -> f32 {
        let (state, compute) = (taken(), Compute::flex());
        let mut model = Model::load(&state, &compute.clone().autodiff()).unwrap();
        let sgd = SgdSettings {
            learning_rate: 0.1,
            momentum,
            weight_decay: 0.0,
            gradient_clip: 0.0,
            schedule: Schedule::Constant,
        };
        let mut optimiser = Optimiser::new(sgd, steps);
        let held = state.weights.iter().filter(|(name, _)| name.starts_with(held));
        let held = held.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
        let mut proximal = Proximal::new(strength, momentum, &held, &compute);
        let learning = compute.autodiff();
        let inputs = Inputs::from(Tensor::<4>::zeros([2, 1, 1, 2], &learning));
        let latents = Tensor::<2>::from_floats([[1.0], [0.0]], &learning);
        for _ in 0..steps {
            // Of the latents 1 and 0, the scores w + b and b: their difference is w.
            let scores = model.heads()[0].scores(inputs.clone(), latents.clone());
            let away = scores.clone().narrow(0, 0, 1) - scores.narrow(0, 1, 1) - 4.0;
            let rate = optimiser.rate();
            optimiser.step(away.clone().mul(away).sum().mul_scalar(0.5), &mut model);
            proximal.pull(rate, &mut model);
        }
        model.state().weights.get("heads.own.weight").unwrap().as_f32().unwrap()[0]
    }

    fn assert_near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
    }

    #[test]
    fn one_and_two_steps_by_hand() {
        // w = 1, gradient 1 − 4 = −3, no pull yet: 1 + 0.1·3 = 1.3.
        assert_near(after(1, 2.0, 0.0, ""), 1.3);
        // Gradient 1.3 − 4 + 2·(1.3 − 1) = −2.1: 1.3 + 0.21 = 1.51.
        assert_near(after(2, 2.0, 0.0, ""), 1.51);
        // With momentum 0.5 the velocity is 0.5·(−3) − 2.1 = −3.6: 1.3 + 0.36 = 1.66.
        assert_near(after(2, 2.0, 0.5, ""), 1.66);
        // Then 1.66 − 4 + 2·0.66 = −1.02, 0.5·(−3.6) − 1.02 = −2.82: 1.66 + 0.282 = 1.942.
        assert_near(after(3, 2.0, 0.5, ""), 1.942);
    }

    #[test]
    fn at_rest_the_gradient_and_the_pull_cancel() {
        // w − 4 + 2(w − 1) = 0: w = 2.
        assert_near(after(300, 2.0, 0.5, ""), 2.0);
        // With μ = 12, w = (4 + 12) / 13 = 1.230769.
        assert_near(after(300, 12.0, 0.5, ""), 1.230_769);
    }

    #[test]
    fn weights_that_were_not_taken_are_free() {
        // 4 − 3·0.9³ = 1.813
        assert_near(after(3, 2.0, 0.0, "backbone"), 1.813);
        assert_near(after(3, 0.0, 0.0, ""), 1.813);
    }
}
