//! The gradient step: stochastic gradient descent over a model and a module that learns beside it.

use std::f64::consts::PI;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Model;
use crate::module_gradients::{scale, squared_norm};
use crate::sgd::Sgd;

/// How the learning rate changes from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Schedule {
    /// It stays constant.
    #[default]
    Constant,
    /// It falls to zero along half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017, eq. 5, without restarts).
    Cosine,
    /// It falls to zero along a line.
    Linear,
}

impl Schedule {
    /// The factor on the learning rate at a step, in `[0, 1]`; `step` counts from 0.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        let done = step as f64 / steps.max(1) as f64;
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (PI * done).cos()),
            Schedule::Linear => 1.0 - done,
        }
    }
}

/// The settings of stochastic gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSettings {
    /// The learning rate of the first step.
    pub learning_rate: f64,
    /// The momentum, in `[0, 1)`; 0 for none. No dampening, as in PyTorch.
    pub momentum: f64,
    /// The L2 penalty added to every gradient; 0 for none.
    pub weight_decay: f64,
    /// The largest norm of all gradients together; larger ones are scaled down to it. 0: no limit.
    pub gradient_clip: f64,
    /// The schedule of the learning rate.
    pub schedule: Schedule,
}

/// Stochastic gradient descent with momentum over a model, for a number of steps known in advance.
pub struct Optimiser {
    settings: SgdSettings,
    sgd: ModuleOptimizer,
    step: usize,
    steps: usize,
}

impl std::fmt::Debug for Optimiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimiser").field("settings", &self.settings).field("step", &self.step).finish_non_exhaustive()
    }
}

impl Optimiser {
    /// An optimiser that will take `steps` steps.
    pub fn new(settings: SgdSettings, steps: usize) -> Self {
        let sgd = Sgd { momentum: settings.momentum as f32, decay: settings.weight_decay as f32 };
        Optimiser { settings, sgd: sgd.into(), step: 0, steps }
    }

    /// The learning rate of the next step.
    pub fn rate(&self) -> f64 {
        self.settings.learning_rate * self.settings.schedule.factor(self.step, self.steps)
    }

    /// One step down the gradient of `loss`, `[1]`.
    pub fn step(&mut self, loss: Tensor<1>, model: &mut Model) {
        self.step_with(loss, model, &mut Nothing);
    }

    /// One step down the gradient of `loss`, `[1]`, of the model and of a module that learns beside it.
    pub fn step_with<M: Module>(&mut self, loss: Tensor<1>, model: &mut Model, beside: &mut M) {
        let mut gradients = loss.backward();
        let mut of_backbone = model.backbone.take_gradients(&mut gradients);
        let mut of_heads: Vec<_> =
            model.heads.iter().map(|head| head.classifier.take_gradients(&mut gradients)).collect();
        let mut of_beside = GradientsParams::from_module(&mut gradients, beside);

        let most = self.settings.gradient_clip;
        if most > 0.0 {
            let heads = model.heads.iter().zip(&of_heads).map(|(head, own)| head.classifier.squared_norm(own));
            let parts = heads.chain([model.backbone.squared_norm(&of_backbone), squared_norm(beside, &of_beside)]);
            if let Some(total) = parts.flatten().reduce(|a, b| a + b) {
                // As PyTorch's clip_grad_norm_: min(1, most / (norm + 1e-6)).
                let factor = (total.sqrt() + 1e-6).recip().mul_scalar(most).clamp_max(1.0);
                of_backbone = model.backbone.scale(of_backbone, &factor);
                of_beside = scale(beside, of_beside, &factor);
                let pairs = model.heads.iter().zip(of_heads);
                of_heads = pairs.map(|(head, own)| head.classifier.scale(own, &factor)).collect();
            }
        }

        let rate = self.rate();
        model.backbone.step(&mut self.sgd, rate, of_backbone);
        for (head, own) in model.heads.iter_mut().zip(of_heads) {
            head.classifier.step(&mut self.sgd, rate, own);
        }
        *beside = self.sgd.step(rate, beside.clone(), of_beside);
        self.step += 1;
    }
}

/// The module beside a model when no other module learns.
#[derive(Module, Debug)]
struct Nothing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_one_and_fall_as_they_say() {
        assert_eq!(Schedule::Constant.factor(7, 10), 1.0);
        assert_eq!(Schedule::Linear.factor(0, 10), 1.0);
        assert!((Schedule::Linear.factor(5, 10) - 0.5).abs() < 1e-12);
        // ½(1 + cos(π/4)) = 0.853553…
        assert!((Schedule::Cosine.factor(25, 100) - 0.853_553_390_6).abs() < 1e-9);
    }
}
