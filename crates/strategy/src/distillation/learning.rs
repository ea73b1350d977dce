//! The loop in which a student learns from two teachers.

use alluvium_model::{Inputs, Model, ModelState, Nothing};
use burn::module::Module;
use burn::tensor::Tensor;

use super::guard::Guard;
use super::{DistillationBatches, DistillationSettings, Targets};
use crate::{Context, StrategyError};

impl DistillationSettings {
    /// Distils the teachers' logits into the student, and returns the new central model. `loss` computes the loss, `[1]`, from
    /// the student's logits and their targets, both `[batch, logits]`.
    ///
    /// # Errors
    /// When surrogate data are not granted or cannot be made, or [`StrategyError::Diverged`].
    pub fn learn(
        &self,
        student: Model,
        batches: DistillationBatches<'_>,
        context: &mut Context<'_>,
        mut loss: impl FnMut(Tensor<2>, Tensor<2>) -> Tensor<1>,
    ) -> Result<ModelState, StrategyError> {
        self.learn_with(student, Nothing, batches, context, |student, _, inputs, targets| {
            Some(loss(student.forward(inputs), targets.logits))
        })
    }

    /// Distils the teachers' outputs into the student and a module that learns beside it, and returns the new central model. `loss`
    /// computes the loss, `[1]`, from both, the inputs of a step and the teachers' outputs for them, on the autodiff device; with
    /// `None`, no step is taken.
    ///
    /// # Errors
    /// As [`learn`](Self::learn).
    pub fn learn_with<M: Module>(
        &self,
        mut student: Model,
        mut beside: M,
        mut batches: DistillationBatches<'_>,
        context: &mut Context<'_>,
        mut loss: impl FnMut(&Model, &M, Inputs, Targets) -> Option<Tensor<1>>,
    ) -> Result<ModelState, StrategyError> {
        let mut guard = batches.take_guard();
        self.learning.descend_with(&mut student, &mut beside, self.steps, |step, student, beside| {
            if let Some(guard) = guard.as_mut().filter(|_| Guard::is_due(step, self.steps)) {
                guard.judge(student, |student, inputs, targets| loss(student, beside, inputs, targets))?;
            }
            let (inputs, targets) = batches.batch(step, context)?;
            context.step_taken(inputs.len(), step + 1, self.steps);
            Ok::<_, StrategyError>(loss(student, beside, inputs.map(Tensor::from_inner), targets.autodiff()))
        })?;
        let best = match guard {
            Some(mut guard) => {
                guard.judge(&student, |student, inputs, targets| loss(student, &beside, inputs, targets))?;
                guard.best()
            }
            None => None,
        };
        let central = best.unwrap_or_else(|| student.state());
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
    use crate::{Effort, StudentStart, Surrogate, Teachers, mean_squared_error};

    /// A student of two small teachers: its state before and after it learns, and the effort.
    fn distilled(
        settings: &DistillationSettings,
        start: StudentStart,
        loss: impl FnMut(Tensor<2>, Tensor<2>) -> Tensor<1>,
    ) -> ([ModelState; 2], Effort) {
        let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
        let mut surrogate = RandomInputs;
        let mut context = Context::new(&Device::flex(), Seed::new(0), 0).with_surrogate(&mut surrogate);
        let student = start.student(&previous, &expert, &context).unwrap();
        let (before, compute) = (student.state(), context.compute().clone());
        let teachers = Teachers::new(&previous, &expert, &student, (1.0, 1.0), &compute).unwrap();
        let batches = DistillationBatches::of_surrogate(settings, teachers, &mut context).unwrap();
        let after = settings.learn(student, batches, &mut context, loss).unwrap();
        ([before, after], context.effort())
    }

    /// The squared error before each step, and the effort.
    fn losses(settings: &DistillationSettings) -> (Vec<f32>, u64, u64) {
        let mut losses = vec![];
        let (_, effort) = distilled(settings, StudentStart::Initial, |logits, targets| {
            let loss = mean_squared_error(logits, targets);
            losses.push(loss.clone().into_scalar::<f32>());
            loss
        });
        (losses, effort.steps, effort.samples)
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

    /// How far a student ends from where it starts, if the loss on the inputs that are held back is its distance from where it started,
    /// times a sign.
    fn moved(held_back: f64, sign: f64) -> f32 {
        let settings = DistillationSettings { held_back, steps: 20, ..Default::default() };
        // The inputs that are held back are judged together; a step has all others.
        let learned = RandomInputs.samples() - (held_back * RandomInputs.samples() as f64) as usize;
        let mut first = None;
        let ([before, after], _) = distilled(&settings, StudentStart::Previous, |logits, targets| {
            if logits.dims()[0] == learned {
                return mean_squared_error(logits, targets);
            }
            let first = first.get_or_insert_with(|| logits.clone().detach());
            mean_squared_error(logits, first.clone()).mul_scalar(sign)
        });
        let moved = after.weights.combine(&before.weights, |a, b| (a - b).abs()).unwrap();
        moved.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).fold(0.0, f32::max)
    }

    #[test]
    fn a_student_that_drifts_on_inputs_held_back_goes_back() {
        assert!(moved(0.0, 1.0) > 0.01);
        assert_eq!(moved(0.25, 1.0), 0.0);
        // One that comes nearer stays where it is.
        assert!(moved(0.25, -1.0) > 0.01);
    }

    #[test]
    fn a_guard_keeps_a_student_that_learns() {
        let guarded = DistillationSettings { held_back: 0.25, ..Default::default() };
        // 400 steps of 24 inputs: the guard's inputs are not counted as steps.
        let (_, steps, samples) = losses(&guarded);
        assert_eq!((steps, samples), (400, 400 * 24));
    }

    #[test]
    fn a_batch_larger_than_the_fixed_set_is_all_of_it() {
        let settings = DistillationSettings { steps: 3, batch_size: 1000, ..Default::default() };
        let (losses, steps, samples) = losses(&settings);
        assert_eq!((losses.len(), steps, samples), (3, 3, 3 * 32));
    }
}
