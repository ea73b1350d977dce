//! Task vectors: an expert's change as a difference of weights, and the state of strategies that merge them.
//!
//! A task vector is τ = θ_expert − θ_reference (Ilharco et al., "Editing models with task arithmetic", arXiv 2212.04089),
//! here over the parameters of the backbone. In the paper, the reference is the pre-trained model that all fine-tuned models
//! start from. A device of a stream starts from the previous central model instead; [`RelativeTo`] chooses the reference.
//!
//! *Parameters* are the backbone's tensors without the running statistics of a normalisation. Running statistics are averaged
//! over the experts, because a sum of differences of variances can be negative, and so can a rescaled or trimmed difference.

use alluvium_model::{BACKBONE, Expert, ModelState, Number, Pairwise, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parameters::parameters;
use crate::{ExpertStart, Received, RunDescription, Sight, StrategyError, StrategyState, Survey};

/// The reference of a task vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum RelativeTo {
    /// θ₀, the central model that the first device took: the base model of the papers. The task vector of a later expert then
    /// also holds what the centre had learned before.
    Initial,
    /// The previous central model, which the device started from. The task vector holds only the change of this device.
    Previous,
    /// θ₀, which the centre hands out to every device instead of the central model. This is the papers' setting, in which all
    /// experts are fine-tuned from one model. The task vector holds only the change of this device.
    CommonStart,
}

impl RelativeTo {
    /// The survey that sees task vectors, for [`Piecewise::survey`](crate::Piecewise::survey): all of them at once, or only that
    /// of the expert of this index if each has its own central model as reference.
    pub fn survey(self, index: usize) -> Survey {
        match self {
            RelativeTo::Initial | RelativeTo::CommonStart => Survey::Start,
            RelativeTo::Previous => Survey::Expert(index),
        }
    }

    /// The reference for a sum of task vectors in which each change counts once, as in the paper: the previous central model if
    /// the devices started from it, θ₀ if all experts started from θ₀.
    pub fn what_experts_started_from(start: ExpertStart) -> Self {
        match start {
            ExpertStart::Previous => RelativeTo::Previous,
            ExpertStart::Common => RelativeTo::Initial,
        }
    }

    /// Checks the reference against the run, for [`StrategyConfig::validate`](crate::StrategyConfig::validate).
    ///
    /// # Errors
    /// [`StrategyError::Option`] for `relative_to`, when devices would come back and lose what they learned before.
    pub fn validate(self, run: &RunDescription) -> Result<(), StrategyError> {
        match run.protocol.as_ref().filter(|terms| terms.visits_per_device > 1) {
            Some(terms) if self == RelativeTo::CommonStart => Err(StrategyError::Option {
                option: "relative_to",
                problem: format!(
                    "= \"common-start\" gives every device the initial model, so a device that comes back under the protocol \"{}\" \
                     begins again",
                    terms.name
                ),
                accepted: "\"initial\", \"previous\", or a protocol in which a device takes part once".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The task vector that a survey sees. It equals the result of [`TaskVectors::receive`] for the same expert.
    ///
    /// # Errors
    /// When the backbones differ; the message names the tensor.
    pub fn vector(self, sight: &Sight<'_>) -> Result<Weights, StrategyError> {
        let reference = match self {
            RelativeTo::Initial | RelativeTo::CommonStart => sight.start,
            RelativeTo::Previous => sight.previous,
        };
        difference(&parameters(&sight.expert.model), &parameters(reference))
    }
}

/// What strategies that merge task vectors keep between devices: θ₀, the number of experts, and the number of experts that had
/// each head.
///
/// The state is one copy of the backbone's parameters, for any number of devices.
#[derive(Debug, Clone, Default)]
pub struct TaskVectors {
    base: Weights,
    received: Received,
}

const BASE: &str = "base";

impl TaskVectors {
    /// Counts one more expert and returns its task vector. The first call takes `previous` as θ₀.
    ///
    /// # Errors
    /// When the expert's weights are not finite or the backbones differ; the message names the tensor.
    pub fn receive(
        &mut self,
        relative_to: RelativeTo,
        previous: &ModelState,
        expert: &Expert,
    ) -> Result<Weights, StrategyError> {
        let first = self.experts() == 0;
        let before = parameters(previous);
        let base = if first { &before } else { &self.base };
        let reference = match relative_to {
            RelativeTo::Initial | RelativeTo::CommonStart => base,
            RelativeTo::Previous => &before,
        };
        let vector = difference(&parameters(&expert.model), reference)?;
        self.received.receive(previous, expert)?;
        if first {
            self.base = before;
        }
        Ok(vector)
    }

    /// θ₀: the parameters of the central model that the first device took.
    pub fn base(&self) -> &Weights {
        &self.base
    }

    /// The number of experts so far.
    pub fn experts(&self) -> u32 {
        self.received.experts()
    }

    /// The new central model: `previous` with these parameters, and with the expert's head.
    ///
    /// Running statistics of a normalisation become the mean over all experts so far. A returning head becomes the mean over the
    /// experts that had it.
    ///
    /// # Errors
    /// When the models do not fit together; the message names the tensor.
    pub fn central(
        &self,
        previous: &ModelState,
        expert: &Expert,
        parameters: Weights,
    ) -> Result<ModelState, StrategyError> {
        let mut merged = Weights::new();
        merged.extend_below(BACKBONE, parameters);
        self.received.central(previous, expert, &merged)
    }

    /// The model that the next device takes, for [`Strategy::handed_out`](crate::Strategy::handed_out). If all devices have a
    /// common start, it is θ₀ without heads and with the central model's running statistics. Otherwise it is `None`, which
    /// means the central model.
    pub fn handed_out(&self, relative_to: RelativeTo, central: &ModelState) -> Option<ModelState> {
        (relative_to == RelativeTo::CommonStart).then(|| {
            let mut backbone = central.backbone_weights();
            self.base.iter().for_each(|(name, values)| backbone.insert(name, values.clone()));
            central.with_heads(|_| false).with_backbone_weights(backbone)
        })
    }

    /// The state to store. A strategy adds its own values and weights under other names than `base`.
    pub fn state(&self) -> StrategyState {
        let mut state = self.received.state();
        state.weights.extend_below(BASE, self.base.clone());
        state
    }

    /// Restores what [`state`](Self::state) returned.
    ///
    /// # Errors
    /// [`StrategyError::State`], which says what is missing.
    pub fn restore(state: &StrategyState) -> Result<Self, StrategyError> {
        let received = Received::restore(state)?;
        let base = state.weights.below(BASE);
        if received.experts() > 0 && base.is_empty() {
            return Err(StrategyError::State(format!("the weights `{BASE}` are missing")));
        }
        Ok(TaskVectors { base, received })
    }
}

/// `weights` − `reference`.
///
/// # Errors
/// When the tensors differ in name or shape; the message names the tensor.
pub fn difference(weights: &Weights, reference: &Weights) -> Result<Weights, StrategyError> {
    Ok(weights.combine_by(reference, &Difference)?)
}

struct Difference;

impl Pairwise for Difference {
    fn of<N: Number>(&self, own: N, other: N) -> N {
        own - other
    }
}

/// `weights` + `scaling` · `vector`, computed in 64 bits.
///
/// # Errors
/// When the tensors differ in name or shape; the message names the tensor.
pub fn add_scaled(weights: &Weights, scaling: f64, vector: &Weights) -> Result<Weights, StrategyError> {
    Ok(weights.combine(vector, |own, change| own + scaling * change)?)
}

#[cfg(test)]
mod tests {
    use alluvium_model::{HeadSpec, Manifest, Values};

    use super::*;

    /// A model of one weight, one running variance and one head of one weight.
    fn model(weight: f32, variance: f32, head: Option<f32>) -> ModelState {
        let one = |value| Values::new(vec![1], vec![value]);
        let mut model = empty();
        model.weights.insert("backbone.norm.gamma", one(weight));
        model.weights.insert("backbone.norm.running_var", one(variance));
        if let Some(value) = head {
            let weights = [("weight".to_owned(), one(value))].into_iter().collect();
            model.set_head(HeadSpec { name: "a".to_owned(), classes: vec![0] }, weights);
        }
        model
    }

    fn empty() -> ModelState {
        #[derive(Debug, Serialize, Deserialize)]
        struct Nothing;

        #[typetag::serde(name = "task-vector-test")]
        impl alluvium_model::BackboneConfig for Nothing {
            fn build(
                &self,
                _input: alluvium_model::InputShape,
                _compute: &burn::tensor::Device,
            ) -> Result<alluvium_model::BoxedBackbone, alluvium_model::ModelError> {
                unreachable!("only its weights are used")
            }
        }
        ModelState::bare(std::sync::Arc::new(Nothing), [1, 1, 1].into())
    }

    fn expert(weight: f32, variance: f32, head: f32) -> Expert {
        let model = model(weight, variance, Some(head));
        let digest = model.digest();
        let manifest = Manifest {
            task: 0,
            task_name: "a".to_owned(),
            samples: 1,
            steps: 1,
            parent: digest.clone(),
            digest,
            statistics: Default::default(),
        };
        Expert::new(model, manifest).unwrap()
    }

    fn gamma(weights: &Weights) -> f32 {
        weights.get("norm.gamma").unwrap().as_f32().unwrap()[0]
    }

    #[test]
    fn task_vectors_are_counted_from_the_initial_or_the_previous_model() {
        let cases = [(RelativeTo::Initial, 4.0), (RelativeTo::Previous, 1.0), (RelativeTo::CommonStart, 4.0)];
        for (relative_to, expected) in cases {
            let mut vectors = TaskVectors::default();
            let first = vectors.receive(relative_to, &model(1.0, 1.0, None), &expert(3.0, 1.0, 0.0)).unwrap();
            assert_eq!((gamma(&first), first.len()), (2.0, 1), "3 − 1, without the statistic");
            let second = vectors.receive(relative_to, &model(4.0, 1.0, None), &expert(5.0, 1.0, 0.0)).unwrap();
            assert_eq!(gamma(&second), expected, "5 − 1 or 5 − 4");
            assert_eq!((gamma(vectors.base()), vectors.experts()), (1.0, 2));
            let handed_out = vectors.handed_out(relative_to, &model(7.0, 3.0, Some(1.0)));
            let taken = handed_out.map(|model| (gamma(&parameters(&model)), model.weights.len(), model.heads.len()));
            let expected = (relative_to == RelativeTo::CommonStart).then_some((1.0, 2, 0));
            assert_eq!(taken, expected, "θ₀ with the statistic, without a head");
        }
    }

    #[test]
    fn statistics_and_a_returning_head_are_averaged_over_the_experts() {
        let mut vectors = TaskVectors::default();
        let mut central = model(0.0, 1.0, None);
        for expert in [expert(0.0, 2.0, 1.0), expert(0.0, 4.0, 2.0), expert(0.0, 9.0, 6.0)] {
            vectors.receive(RelativeTo::Initial, &central, &expert).unwrap();
            vectors = TaskVectors::restore(&vectors.state()).unwrap();
            let merged = add_scaled(vectors.base(), 1.0, &parameters(&model(7.0, 0.0, None))).unwrap();
            central = vectors.central(&central, &expert, merged).unwrap();
        }
        // Variances (2 + 4 + 9) / 3 = 5, not counting the initial 1; the head (1 + 2 + 6) / 3 = 3; the weight 0 + 1·7.
        let value = |name: &str| central.weights.get(name).unwrap().as_f32().unwrap()[0];
        assert!((value("backbone.norm.running_var") - 5.0).abs() < 1e-5);
        assert!((value("heads.a.weight") - 3.0).abs() < 1e-5);
        assert_eq!(value("backbone.norm.gamma"), 7.0);
        assert_eq!(central.heads.len(), 1);
    }

    #[test]
    fn a_state_that_lacks_something_is_refused() {
        let mut vectors = TaskVectors::default();
        vectors.receive(RelativeTo::Initial, &model(1.0, 1.0, None), &expert(3.0, 1.0, 0.0)).unwrap();
        for lost in ["experts", "heads", BASE] {
            let mut state = vectors.state();
            state.values.remove(lost);
            if lost == BASE {
                state.weights = Weights::new();
            }
            let error = TaskVectors::restore(&state).unwrap_err().to_string();
            assert!(error.contains(&format!("`{lost}`")), "{error}");
        }
    }

    #[test]
    fn weights_that_are_not_finite_are_refused() {
        let error = TaskVectors::default()
            .receive(RelativeTo::Initial, &model(1.0, 1.0, None), &expert(f32::NAN, 1.0, 0.0))
            .unwrap_err();
        assert!(error.to_string().contains("norm.gamma"), "{error}");
    }
}
