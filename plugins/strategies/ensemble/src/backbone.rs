//! A backbone that consists of other backbones. Its latents are theirs, side by side.

use std::sync::Arc;

use alluvium_model::{BackboneConfig, BoxedBackbone, DynBackbone, DynModule, InputShape, Inputs, ModelError, Weights};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The kind under which a stored ensemble is read. It has no description, so a configuration cannot name it: an ensemble only
/// comes into being from experts.
const KIND: &str = "ensemble";

/// The members of an ensemble, in the order in which they came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnsembleBackboneConfig {
    pub(crate) members: Vec<Arc<dyn BackboneConfig>>,
}

#[typetag::serde(name = "ensemble")]
impl BackboneConfig for EnsembleBackboneConfig {
    fn accepts(&self, input: InputShape) -> Result<(), ModelError> {
        self.members.iter().try_for_each(|member| member.accepts(input))
    }

    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        if self.members.is_empty() {
            let reason = "`members` is empty; accepted: one backbone or more".to_owned();
            return Err(ModelError::Backbone { kind: KIND.to_owned(), reason });
        }
        let members = self.members.iter().map(|member| member.build(input, compute));
        Ok(Box::new(EnsembleBackbone { members: members.collect::<Result<_, _>>()? }))
    }

    fn members(&self) -> &[Arc<dyn BackboneConfig>] {
        &self.members
    }
}

/// The prefix of a member's tensors among those of the ensemble's backbone; members are counted from 0.
pub(crate) fn prefix(member: usize) -> String {
    format!("members.{member}")
}

/// The members on a compute device.
///
/// They run, and gradients flow through them to the inputs, but they are never trained: an expert is kept as it is. So the
/// ensemble returns no gradients of its own, and a step does not change it.
#[derive(Debug)]
struct EnsembleBackbone {
    members: Vec<BoxedBackbone>,
}

impl DynBackbone for EnsembleBackbone {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        Tensor::cat(self.members.iter().map(|member| member.forward(inputs.clone())).collect(), 1)
    }

    fn latent_size(&self) -> usize {
        self.members.iter().map(|member| member.latent_size()).sum()
    }

    fn layers(&self) -> Vec<(String, usize)> {
        vec![("latent".to_owned(), self.latent_size())]
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        vec![self.forward(inputs)]
    }
}

impl DynModule for EnsembleBackbone {
    fn parameters(&self) -> Weights {
        let mut weights = Weights::new();
        for (number, member) in self.members.iter().enumerate() {
            weights.extend_below(&prefix(number), member.parameters());
        }
        weights
    }

    fn set_parameters(&mut self, weights: &Weights) -> Result<(), ModelError> {
        let mut set = 0;
        for (number, member) in self.members.iter_mut().enumerate() {
            let own = weights.below(&prefix(number));
            member.set_parameters(&own).map_err(|error| error.below(&prefix(number)))?;
            set += own.len();
        }
        if set < weights.len() {
            let own = self.parameters();
            if let Some((name, _)) = weights.iter().find(|(name, _)| own.get(name).is_none()) {
                return Err(ModelError::Unknown { name: name.to_owned() });
            }
        }
        Ok(())
    }

    fn freeze_training_behaviour(&mut self) {
        self.members.iter_mut().for_each(|member| member.freeze_training_behaviour());
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{HeadSpec, Learning, Model, ModelState, Optimiser, Seed};
    use alluvium_strategy::conformance::TinyConfig;

    use super::*;

    /// An ensemble of two, of four latents each, with one head.
    fn state() -> ModelState {
        let members: Vec<Arc<dyn BackboneConfig>> = vec![Arc::new(TinyConfig {}), Arc::new(TinyConfig {})];
        let backbone = Arc::new(EnsembleBackboneConfig { members });
        let mut state = ModelState::initial(backbone, [1, 2, 3].into(), Seed::new(1), &Device::flex()).unwrap();
        state.grow_head(&HeadSpec { name: "a".to_owned(), classes: vec![0, 1] }, 8, Seed::new(2));
        state
    }

    #[test]
    fn members_are_named_by_their_place() {
        let state = state();
        let names: Vec<_> = state.weights.iter().map(|(name, _)| name).filter(|name| name.contains("bias")).collect();
        assert_eq!(names, ["backbone.members.0.layer.bias", "backbone.members.1.layer.bias", "heads.a.bias"]);
        let model = Model::load(&state, &Device::flex()).unwrap();
        assert_eq!((model.latent_size(), model.layer_sizes()), (8, vec![("latent".to_owned(), 8)]));
        assert_eq!(model.state().weights, state.weights);
    }

    #[test]
    fn members_run_but_do_not_learn() {
        let compute = Device::flex().autodiff();
        let mut model = Model::load(&state(), &compute).unwrap();
        let inputs = Inputs::from(Tensor::<4>::ones([3, 1, 2, 3], &compute));
        let loss = |model: &Model| model.forward(inputs.clone()).powi_scalar(2).sum();
        assert!(model.gradients(loss(&model)).keys().all(|name| name.starts_with("heads.a.")));
        let settings = Learning { learning_rate: 0.1, gradient_clip: 1.0, ..Learning::default() };
        Optimiser::new(&settings, 1).step(loss(&model), &mut model);
        model.update(&mut |name, values| name.starts_with("backbone.").then(|| values.zeros_like()));
        let (before, after) = (state(), model.state());
        assert_eq!(after.backbone_weights(), before.backbone_weights());
        assert_ne!(after.head_weights(&after.heads[0]), before.head_weights(&before.heads[0]));
    }

    #[test]
    fn a_tensor_that_does_not_fit_is_named_with_its_member() {
        let problem = |change: &dyn Fn(&mut Weights)| {
            let mut state = state();
            change(&mut state.weights);
            Model::load(&state, &Device::flex()).unwrap_err().to_string()
        };
        let lost = problem(&|weights| {
            let kept = weights.iter().filter(|(name, _)| *name != "backbone.members.1.layer.bias");
            *weights = kept.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
        });
        assert!(lost.contains("`members.1.layer.bias`"), "{lost}");
        let more = problem(&|weights| {
            let tensor = weights.get("heads.a.bias").unwrap().clone();
            weights.insert("backbone.members.2.layer.bias", tensor);
        });
        assert!(more.contains("`members.2.layer.bias`"), "{more}");
    }

    #[test]
    fn an_ensemble_of_nothing_cannot_be_built() {
        let nothing = EnsembleBackboneConfig { members: vec![] };
        let error = nothing.build([1, 2, 3].into(), &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("\"ensemble\"") && error.contains("accepted"), "{error}");
    }
}
