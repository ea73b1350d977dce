//! A guard that needs no data: a student that drifts away from its teachers on inputs that it does not learn from goes back.

use alluvium_model::{Inputs, Model, ModelError, ModelState};
use burn::tensor::Tensor;

use super::Targets;

/// How often the student is judged on the way, the first time before the first step. It is judged once more after the last one.
const TIMES: usize = 10;

/// The inputs that are held back from the student, and the best student on them so far.
#[derive(Debug)]
pub(super) struct Guard {
    inputs: Inputs,
    /// The teachers' outputs for them.
    targets: Targets,
    best: Option<(f64, ModelState)>,
}

impl Guard {
    pub(super) fn new(inputs: Inputs, targets: Targets) -> Self {
        Guard { inputs, targets, best: None }
    }

    /// Whether the student is judged before this step.
    pub(super) fn is_due(step: usize, steps: usize) -> bool {
        step.is_multiple_of(steps.div_ceil(TIMES).max(1))
    }

    /// Keeps the student if its loss on the inputs is the smallest so far. Its statistics do not move meanwhile.
    ///
    /// # Errors
    /// When the student cannot be run.
    pub(super) fn judge(
        &mut self,
        student: &Model,
        loss: impl FnOnce(&Model, Inputs, Targets) -> Option<Tensor<1>>,
    ) -> Result<(), ModelError> {
        let state = student.state();
        let mut judged = Model::load(&state, &student.device())?;
        judged.freeze_training_behaviour();
        let inputs = self.inputs.clone().map(Tensor::from_inner);
        let Some(loss) = loss(&judged, inputs, self.targets.clone().autodiff()) else { return Ok(()) };
        let loss = f64::from(loss.into_scalar::<f32>());
        if loss.is_finite() && self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.best = Some((loss, state));
        }
        Ok(())
    }

    /// The best student; `None` if the loss was never a number.
    pub(super) fn best(self) -> Option<ModelState> {
        self.best.map(|(_, state)| state)
    }
}
