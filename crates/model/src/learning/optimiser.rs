//! One step of a model, and of a module that learns beside it.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use super::adam::Adam;
use super::sgd::Sgd;
use super::{Learning, OptimizerKind};
use crate::Model;
use crate::module_gradients::{scale, squared_norm};

/// An optimiser of a model, for a number of steps known in advance.
pub struct Optimiser {
    settings: Learning,
    steps_of: ModuleOptimizer,
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
    pub fn new(settings: &Learning, steps: usize) -> Self {
        let decay = settings.weight_decay;
        let steps_of = match settings.optimizer {
            OptimizerKind::Sgd => Sgd { momentum: settings.momentum as f32, decay: decay as f32 }.into(),
            OptimizerKind::Adam(options) => Adam { options, decay, decoupled: false }.into(),
            OptimizerKind::AdamW(options) => Adam { options, decay, decoupled: true }.into(),
        };
        Optimiser { settings: settings.clone(), steps_of, step: 0, steps }
    }

    /// The learning rate of the next step.
    pub fn rate(&self) -> f64 {
        let Learning { learning_rate, schedule, warmup, .. } = &self.settings;
        learning_rate * schedule.factor_after(*warmup, self.step, self.steps)
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
        model.backbone.step(&mut self.steps_of, rate, of_backbone);
        for (head, own) in model.heads.iter_mut().zip(of_heads) {
            head.classifier.step(&mut self.steps_of, rate, own);
        }
        *beside = self.steps_of.step(rate, beside.clone(), of_beside);
        self.step += 1;
    }
}

/// A module without parameters: what learns beside a model when nothing does.
#[derive(Module, Debug)]
pub struct Nothing;
