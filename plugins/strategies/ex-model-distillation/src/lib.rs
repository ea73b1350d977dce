//! The `ex-model-distillation` strategy: distillation from two teachers whose logits are made comparable, with the class of
//! which they are most sure for a label.
//!
//! This file is the strategy; `loss` holds the loss on tensors alone.

mod loss;

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, DistillationBatches, DistillationSettings, Expert, ModelState, Strategy, StrategyConfig,
    StrategyError, StudentStart, Teachers,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use loss::loss;

/// Ex-model distillation: a student learns the logits of the previous central model and of the expert at once, and with
/// cross-entropy the class of which the teachers are most sure, on surrogate data.
///
/// L = mse(z, z°) + `cross_entropy_weight`·CE(z, argmax_j z°_j), both over all units. The target z°_j of an old unit is what
/// the previous central model says, that of a new unit what the expert says; with `bias_normalisation`, less the sample's
/// mean over that teacher's units. A class that both teachers know has the mean of both. All this is as in the authors'
/// code (github.com/AntonioCarta/ex_model_cl); without cross-entropy it is `deep-model-consolidation`.
///
/// What differs from that code: the cross-entropy has a weight. Its label is always the unit of the highest target, as
/// there with auxiliary data and noise, also where an input was made for a class, whose label the authors' generators
/// hand on. New units start from the expert's head. Batch normalisation is frozen in the student, unless it starts from
/// initial weights. The first expert is taken as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExModelDistillationConfig {
    /// Which weights the student starts from. `previous` and `initial` are the two that the authors' code knows.
    pub start: StudentStart,
    /// Whether each sample's mean over a teacher's units is subtracted from the teacher's logits. Teachers that never saw
    /// each other's classes are biased by different amounts. The authors' code leaves it out where tasks are told apart.
    pub bias_normalisation: bool,
    /// The weight of the cross-entropy; 0: the squared error alone. The authors' code takes 1 or leaves it out.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub cross_entropy_weight: f64,
    /// How the student learns.
    #[serde(flatten)]
    pub distillation: DistillationSettings,
}

impl Default for ExModelDistillationConfig {
    fn default() -> Self {
        ExModelDistillationConfig {
            start: StudentStart::Previous,
            bias_normalisation: true,
            cross_entropy_weight: 1.0,
            distillation: DistillationSettings::default(),
        }
    }
}

describe!(
    Family::Strategy,
    "ex-model-distillation",
    ExModelDistillationConfig,
    paper: "Carta, Cossu, Lomonaco, Bacciu, \"Ex-Model: continual learning from a stream of trained models\", CVPR \
            workshops 2022, arXiv 2112.06511"
);

#[typetag::serde(name = "ex-model-distillation")]
impl StrategyConfig for ExModelDistillationConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::Surrogate
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(ExModelDistillation { config: self.clone() }))
    }
}

/// It keeps nothing between devices.
#[derive(Debug)]
struct ExModelDistillation {
    config: ExModelDistillationConfig,
}

impl Strategy for ExModelDistillation {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if previous.heads.is_empty() {
            return Ok(expert.model.clone()); // The centre knows nothing yet that could be kept.
        }
        let ExModelDistillationConfig { start, bias_normalisation, cross_entropy_weight, distillation } = &self.config;
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
