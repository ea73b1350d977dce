//! The loop: steps down the gradient of a loss.

use burn::module::Module;
use burn::tensor::Tensor;

use super::average::Averaging;
use super::{Learning, Nothing, Optimiser};
use crate::{Model, ModelError};

impl Learning {
    /// Takes up to `steps` steps down the gradient of a loss, and returns how many it took. `loss` computes the loss of a step, `[1]`, from
    /// the step's number, from 0, and the model; with `None`, no step is taken.
    ///
    /// The model must be on an autodiff device. Parameters that `freeze` names stay as they are, also afterwards.
    ///
    /// # Errors
    /// The error of `loss`; the model is then left between two steps.
    pub fn descend<E: From<ModelError>>(
        &self,
        model: &mut Model,
        steps: usize,
        mut loss: impl FnMut(usize, &Model) -> Result<Option<Tensor<1>>, E>,
    ) -> Result<usize, E> {
        self.descend_with(model, &mut Nothing, steps, |step, model, _| loss(step, model))
    }

    /// [`descend`](Self::descend) with a module that learns beside the model, as projections do in a distillation. It is not averaged.
    ///
    /// # Errors
    /// As [`descend`](Self::descend).
    pub fn descend_with<M: Module, E: From<ModelError>>(
        &self,
        model: &mut Model,
        beside: &mut M,
        steps: usize,
        mut loss: impl FnMut(usize, &Model, &M) -> Result<Option<Tensor<1>>, E>,
    ) -> Result<usize, E> {
        model.freeze(&self.freeze);
        let mut optimiser = Optimiser::new(self, steps);
        let mut averaging = self.average.map(|average| Averaging::new(average, steps));
        let mut taken = 0;
        for step in 0..steps {
            let Some(loss) = loss(step, model, beside)? else { continue };
            optimiser.step_with(loss, model, beside);
            taken += 1;
            if let Some(averaging) = &mut averaging {
                averaging.step_taken(model);
            }
        }
        if let Some(averaging) = averaging {
            let mut state = model.state();
            if let Some(averaged) = averaging.result(&state.weights) {
                state.weights = averaged;
                *model = Model::load(&state, &model.device())?;
            }
        }
        Ok(taken)
    }
}
