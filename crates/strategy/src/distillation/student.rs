//! The weights that the student starts from.

use alluvium_model::{Expert, Model, ModelState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Context, StrategyError, average_backbones, take_head};

/// Which weights the student starts from.
///
/// Heads come from the previous central model. A head that it does not have comes from the expert. If both have it,
/// `average` averages it.
///
/// An expert with another backbone than the centre's has no weights to start from. With `expert` and `average`, the student starts
/// from the previous central model then, and a new head has initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum StudentStart {
    /// The previous central model.
    Previous,
    /// The expert's backbone.
    Expert,
    /// The mean of both backbones.
    Average,
    /// Fresh initial weights, also for all heads.
    Initial,
}

/// The central model where nothing is to be distilled: the expert's, if the previous central model has learned nothing yet and has the
/// expert's backbone. `None` where a student must learn.
pub fn first_expert(previous: &ModelState, expert: &Expert) -> Option<ModelState> {
    (previous.heads.is_empty() && expert.model.has_the_backbone_of(previous)).then(|| expert.model.clone())
}

impl StudentStart {
    /// The student before its first step.
    ///
    /// # Errors
    /// When the backbone cannot be built.
    pub fn state(
        self,
        previous: &ModelState,
        expert: &Expert,
        context: &Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let is_like = expert.model.has_the_backbone_of(previous);
        let mut student = match self {
            StudentStart::Initial => return initial(previous, expert, context),
            StudentStart::Previous => previous.clone(),
            StudentStart::Expert | StudentStart::Average if !is_like => previous.clone(),
            StudentStart::Expert => previous.with_backbone_weights(expert.model.backbone_weights()),
            StudentStart::Average => average_backbones(previous, expert, 0.5)?,
        };
        match student.head(&expert.head().name) {
            Some(_) => {}
            None if is_like => take_head(&mut student, expert),
            None => student.grow_head(expert.head(), latent_size(previous, context)?, context.seed().of("student")),
        }
        Ok(student)
    }

    /// Whether the student's backbone has learned nothing yet. Then it has no running statistics to keep, either.
    pub fn is_untrained(self, previous: &ModelState, expert: &Expert) -> bool {
        let of_the_first_expert = previous.heads.is_empty() && !expert.model.has_the_backbone_of(previous);
        self == StudentStart::Initial || of_the_first_expert
    }

    /// The student on the autodiff device, ready to learn.
    ///
    /// Its batch normalisation is frozen, because the statistics of surrogate data are not those of the devices' data.
    /// A student that [is untrained](Self::is_untrained) normalises by the batch, and learns running statistics.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn student(
        self,
        previous: &ModelState,
        expert: &Expert,
        context: &Context<'_>,
    ) -> Result<Model, StrategyError> {
        let mut student = Model::load(&self.state(previous, expert, context)?, &context.compute().clone().autodiff())?;
        if !self.is_untrained(previous, expert) {
            student.freeze_training_behaviour();
        }
        Ok(student)
    }
}

/// A new model with all heads of the previous one, and the expert's.
fn initial(previous: &ModelState, expert: &Expert, context: &Context<'_>) -> Result<ModelState, StrategyError> {
    let seed = context.seed().of("student");
    let student = ModelState::initial(previous.backbone.clone(), previous.input, seed, context.compute())?;
    let mut student = student.with_classifier(previous.classifier.clone());
    let latent_size = latent_size(previous, context)?;
    for head in previous.heads.iter().chain([expert.head()]) {
        student.grow_head(head, latent_size, seed);
    }
    Ok(student)
}

fn latent_size(model: &ModelState, context: &Context<'_>) -> Result<usize, StrategyError> {
    Ok(model.backbone.build(model.input, context.compute())?.latent_size())
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_resnet::SlimResNet18Config;
    use alluvium_model::Seed;
    use burn::tensor::Tensor;

    use super::*;
    use crate::conformance::{assert_close, central, context, expert, unlike_expert};
    use crate::is_statistic;

    #[test]
    fn each_start_has_all_heads_on_the_backbone_that_it_names() {
        let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
        let state = |start: StudentStart| start.state(&previous, &expert, &context()).unwrap();
        for start in [StudentStart::Previous, StudentStart::Expert, StudentStart::Average, StudentStart::Initial] {
            let names: Vec<_> = state(start).heads.into_iter().map(|head| head.name).collect();
            assert_eq!(names, ["a", "b", "c"], "{start:?}");
        }
        let (old, new) = (previous.backbone_weights(), expert.model.backbone_weights());
        assert_eq!(state(StudentStart::Previous).backbone_weights(), old);
        assert_eq!(state(StudentStart::Expert).backbone_weights(), new);
        let mean = old.combine(&new, |a, b| (a + b) / 2.0).unwrap();
        assert_close(&state(StudentStart::Average).backbone_weights(), &mean, "the mean");
        let head = expert.head();
        assert_eq!(state(StudentStart::Expert).head_weights(head), expert.model.head_weights(head));
    }

    #[test]
    fn initial_weights_are_nobodys_and_repeat_themselves() {
        let (previous, expert) = (central(&["a"], 1), expert("a", 2));
        let state = || StudentStart::Initial.state(&previous, &expert, &context()).unwrap();
        let student = state();
        assert_eq!(student.heads, previous.heads);
        for other in [&previous, &expert.model] {
            assert_ne!(student.backbone_weights(), other.backbone_weights());
            assert_ne!(student.head_weights(&student.heads[0]), other.head_weights(&student.heads[0]));
        }
        assert_eq!(student.weights, state().weights);
    }

    #[test]
    fn a_student_of_an_unlike_expert_starts_from_the_centre_with_a_new_head() {
        let (previous, expert) = (central(&["a"], 1), unlike_expert("b", 2));
        for start in [StudentStart::Previous, StudentStart::Expert, StudentStart::Average] {
            let student = start.state(&previous, &expert, &context()).unwrap();
            assert_eq!(student.backbone_weights(), previous.backbone_weights(), "{start:?}");
            assert_eq!(student.head_weights(&previous.heads[0]), previous.head_weights(&previous.heads[0]));
            // The centre's latents have four values, the expert's three.
            let shape = |state: &ModelState| state.head_weights(expert.head()).get("weight").unwrap().shape.clone();
            assert_eq!((shape(&student), shape(&expert.model)), (vec![4, 2], vec![3, 2]));
            assert!(!start.is_untrained(&previous, &expert) && start.is_untrained(&central(&[], 1), &expert));
        }
    }

    #[test]
    fn only_a_student_of_initial_weights_learns_the_statistics_of_its_batches() {
        let context = context();
        let backbone = Arc::new(SlimResNet18Config { width: 2 });
        let previous = ModelState::initial(backbone, [1, 8, 8].into(), Seed::new(1), context.compute()).unwrap();
        let mut expert = expert("b", 2);
        expert.model = previous.clone();
        expert.model.grow_head(&central(&["b"], 1).heads[0], 16, Seed::new(2));
        for (start, learns) in
            [(StudentStart::Previous, false), (StudentStart::Expert, false), (StudentStart::Initial, true)]
        {
            let student = start.student(&previous, &expert, &context).unwrap();
            let before = student.state().weights;
            student.latents(Tensor::<4>::ones([4, 1, 8, 8], &context.compute().clone().autodiff()).into());
            let after = student.state().weights;
            let moved: Vec<_> = before.iter().filter(|(name, tensor)| after.get(name) != Some(tensor)).collect();
            assert_eq!(!moved.is_empty(), learns, "{start:?}");
            assert!(moved.iter().all(|(name, _)| is_statistic(name)), "{start:?}");
        }
    }
}
