//! The loop in which a student learns from two teachers.

use alluvium_model::{Inputs, Model, ModelState};
use burn::tensor::Tensor;

use super::{DistillationBatches, DistillationSettings, Targets};
use crate::{Context, StrategyError};

impl DistillationSettings {
    /// Calls `learn` once per step, with the inputs and the teachers' outputs for them,
    /// on the autodiff device.
    ///
    /// # Errors
    /// When surrogate data are not granted or cannot be made.
    pub fn for_each_batch(
        &self,
        mut batches: DistillationBatches<'_>,
        context: &mut Context<'_>,
        mut learn: impl FnMut(Inputs, Targets),
    ) -> Result<(), StrategyError> {
        for step in 0..self.steps {
            let (inputs, targets) = batches.batch(step, context)?;
            let count = inputs.len();
            learn(inputs.map(Tensor::from_inner), targets.autodiff());
            context.step_taken(count, step + 1, self.steps);
        }
        Ok(())
    }

    /// Distils the teachers' logits into the student, and returns the new central model. `loss` computes the loss, `[1]`, from
    /// the student's logits and their targets, both `[batch, logits]`.
    ///
    /// # Errors
    /// When surrogate data are not granted or cannot be made, or [`StrategyError::Diverged`].
    pub fn learn(
        &self,
        mut student: Model,
        batches: DistillationBatches<'_>,
        context: &mut Context<'_>,
        loss: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>,
    ) -> Result<ModelState, StrategyError> {
        let mut optimiser = self.optimiser();
        self.for_each_batch(batches, context, |inputs, targets| {
            let logits = student.forward(inputs);
            optimiser.step(loss(logits, targets.logits), &mut student);
        })?;
        let central = student.state();
        central.weights.check_finite().map_err(StrategyError::Diverged)?;
        Ok(central)
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use alluvium_model::Seed;
    use burn::tensor::Device;

    use super::*;
    use crate::conformance::{RandomInputs, central, expert};
    use crate::{StudentStart, Teachers, mean_squared_error};

    /// The squared error before each step, and the effort.
    fn losses(settings: &DistillationSettings) -> (Vec<f32>, u64, u64) {
        let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
        let mut surrogate = RandomInputs;
        let mut context = Context::new(&Device::flex(), Seed::new(0), 0).with_surrogate(&mut surrogate);
        let mut student = StudentStart::Initial.student(&previous, &expert, &context).unwrap();
        let compute = context.compute().clone();
        let teachers = Teachers::new(&previous, &expert, &student, (1.0, 1.0), &compute).unwrap();
        let batches = DistillationBatches::of_surrogate(settings, teachers, &mut context).unwrap();
        let mut optimiser = settings.optimiser();
        let mut losses = vec![];
        let steps = settings.for_each_batch(batches, &mut context, |inputs, targets| {
            let loss = mean_squared_error(student.forward(inputs), targets.logits);
            losses.push(loss.clone().into_scalar::<f32>());
            optimiser.step(loss, &mut student);
        });
        steps.unwrap();
        (losses, context.effort().steps, context.effort().samples)
    }

    #[test]
    fn a_student_learns_from_a_fixed_set_and_from_fresh_inputs() {
        for cache_teachers in [true, false] {
            let settings = DistillationSettings { cache_teachers, batch_size: 32, ..Default::default() };
            let (losses, steps, samples) = losses(&settings);
            assert_eq!((losses.len(), steps, samples), (400, 400, 400 * 32));
            let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
            let (before, after) = (mean(&losses[..10]), mean(&losses[390..]));
            assert!(after < 0.5 * before, "cache_teachers = {cache_teachers}: from {before} to {after}");
        }
    }

    #[test]
    fn a_batch_larger_than_the_fixed_set_is_all_of_it() {
        let settings = DistillationSettings { steps: 3, batch_size: 1000, ..Default::default() };
        let (losses, steps, samples) = losses(&settings);
        assert_eq!((losses.len(), steps, samples), (3, 3, 3 * 32));
    }
}
