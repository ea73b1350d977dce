//! The `ex-model-distillation` strategy: distillation from two teachers whose logits are made comparable. Their most probable
//! class is the label.
//!
//! This file is the strategy; `loss` holds the loss on tensors alone.

mod loss;

use alluvium_strategy::{
    Context, DistillationBatches, DistillationSettings, Expert, ModelState, Strategy, StrategyError, StudentStart,
    Teachers, first_expert, strategy,
};

use loss::loss;

/// Ex-model distillation: a student learns the logits of the previous central model and of the expert at once, and with
/// cross-entropy the most probable class of the teachers, on surrogate data.
///
/// L = mse(z, z°) + `cross_entropy_weight`·CE(z, argmax_j z°_j), both over all logits. The target z°_j of an old
/// logit is that of the previous central model, the target of a new logit that of the expert. With `bias_normalisation`, the
/// sample's mean over the teacher's logits is subtracted. A class that both teachers know has the mean of both as target. This
/// is as in the authors' code (github.com/AntonioCarta/ex_model_cl); without cross-entropy it is `deep-model-consolidation`.
///
/// Two things differ from that code. The cross-entropy has a weight. And its label is always the class of the highest target,
/// as there with auxiliary data and noise; for inputs that were generated for a class, the authors' code uses that class. The
/// head of a new task starts from the expert's head. Batch normalisation is frozen in the student, unless it starts from initial
/// weights. The first expert becomes the central model unchanged, if it has the centre's backbone.
#[strategy(
    kind = "ex-model-distillation",
    data = Surrogate,
    unlike_networks,
    paper = "Carta, Cossu, Lomonaco, Bacciu, \"Ex-Model: continual learning from a stream of trained models\", CVPR \
             workshops 2022, arXiv 2112.06511"
)]
pub struct ExModelDistillation {
    /// Which weights the student starts from. The authors' code has `previous` and `initial`.
    #[default(StudentStart::Previous)]
    pub start: StudentStart,
    /// Whether the mean of each sample's logits is subtracted from a teacher's logits. Teachers that never saw
    /// each other's classes are biased by different amounts. The authors' code omits it if tasks are told apart.
    #[default(true)]
    pub bias_normalisation: bool,
    /// The weight of the cross-entropy; 0 leaves only the squared error. The authors' code uses 1 or 0.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub cross_entropy_weight: f64,
    /// How the student learns.
    #[serde(flatten)]
    pub distillation: DistillationSettings,
}

impl Strategy for ExModelDistillation {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if let Some(first) = first_expert(previous, expert) {
            return Ok(first);
        }
        let ExModelDistillation { start, bias_normalisation, cross_entropy_weight, distillation } = &*self;
        let student = start.student(previous, expert, context)?;
        let mut teachers = Teachers::new(previous, expert, &student, (1.0, 1.0), context.compute())?;
        if !bias_normalisation {
            teachers = teachers.with_raw_logits();
        }
        let batches = DistillationBatches::of_surrogate(distillation, teachers, context)?;
        distillation.learn(student, batches, context, |logits, targets| loss(logits, targets, *cross_entropy_weight))
    }
}

#[cfg(test)]
mod tests;
