//! The `deep-model-consolidation` strategy: double distillation in output space, on surrogate data.

use alluvium_strategy::{
    Context, DistillationBatches, DistillationSettings, Expert, ModelState, Strategy, StrategyError, StudentStart,
    Teachers, first_expert, mean_squared_error, strategy,
};

/// Deep Model Consolidation: a student learns the logits of the previous central model and those of the expert at once, on
/// surrogate data.
///
/// L = 1/(s+t) · Σ_j (z_j − z°_j)², the mean over a batch, with j over the s old and the t new logits (eq. 3 of the paper).
/// The target z°_j of an old logit is the logit of the previous central model minus the sample's mean over the old logits. The
/// target of a new logit is that of the expert minus the mean over the new logits (eq. 4). All logits have the same weight, so
/// the previous central model gains weight with every task; in `pld`, both teachers weigh the same.
///
/// A class that both teachers know is distilled from the mean of their logits; the paper's teachers share no class. Batch
/// normalisation is frozen in the student, unless it starts from initial weights. The first expert becomes the central model
/// unchanged, if it has the centre's backbone.
#[strategy(
    kind = "deep-model-consolidation",
    data = Surrogate,
    unlike_networks,
    paper = "Zhang et al., \"Class-incremental learning via deep model consolidation\", WACV 2020, arXiv 1903.07864"
)]
pub struct DeepModelConsolidation {
    /// Which weights the student starts from. The paper trains a new model, `initial` (this is how its re-implementation in
    /// FACIL, arXiv 2010.15277, reads it), for many epochs on a large set of auxiliary data. The default is `expert`, as in
    /// `pld`, so that both can be compared after the same number of steps.
    #[default(StudentStart::Expert)]
    pub start: StudentStart,
    /// How the student learns.
    #[serde(flatten)]
    pub distillation: DistillationSettings,
}

impl Strategy for DeepModelConsolidation {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if let Some(first) = first_expert(previous, expert) {
            return Ok(first);
        }
        let distillation = &self.distillation;
        let student = self.start.student(previous, expert, context)?;
        let teachers = Teachers::new(previous, expert, &student, (1.0, 1.0), context.compute())?;
        let batches = DistillationBatches::of_surrogate(distillation, teachers, context)?;
        distillation.learn(student, batches, context, mean_squared_error)
    }
}

#[cfg(test)]
mod tests;
