//! Experts whose backbone is not the centre's: what is distilled from them, and how.
//!
//! The projection into the expert's latent has the sizes of both latents, so it cannot start as the identity. The student starts
//! from the previous central model, because the expert has no weights that fit.

use alluvium_model::{Expert, ModelError, ModelState};
use alluvium_strategy::{RunDescription, StrategyError};
use burn::tensor::Device;

use crate::{BatchNorm, PldConfig, Projection};

impl PldConfig {
    /// Checks the options against the backbone of devices with networks of their own.
    pub(crate) fn fits_unlike(&self, run: &RunDescription) -> Result<(), StrategyError> {
        let (Some(own), Some(central)) = (&run.unlike_backbone, &run.backbone) else { return Ok(()) };
        let layers = self.layers_of(&central.layers)?;
        let of_devices = self.layers_of(&own.layers).map_err(|error| match error {
            StrategyError::Option { option, accepted, .. } => StrategyError::Option {
                option,
                problem: format!(
                    "names {}, but the devices' own backbone \"{}\" does not have all of them",
                    self.layers.join(", "),
                    own.kind
                ),
                accepted: format!("layers of both backbones, such as latent; those of the devices: {accepted}"),
            },
            error => error,
        })?;
        let differ = layers.iter().zip(&of_devices).find(|((_, central), (_, own))| central != own);
        match differ {
            Some(((_, central), (_, own))) if self.projection == Projection::None => Err(StrategyError::Option {
                option: "projection",
                problem: format!("= \"none\" compares the centre's {central} values with the {own} of a device"),
                accepted: "\"linear\", \"mlp\", or `latent_weight` = 0".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The options for these teachers. A centre that has learned nothing does not teach, and its student, which starts from initial
    /// weights, has no running statistics to keep.
    pub(crate) fn for_teachers(&self, previous: &ModelState) -> PldConfig {
        let mut config = self.clone();
        if previous.heads.is_empty() {
            config.previous_weight = 0.0;
            config.batch_norm = BatchNorm::Batch;
            if config.expert_weight == 0.0 {
                config.expert_weight = 1.0;
            }
        }
        config
    }

    /// The indices of the chosen layers among those of the expert's backbone, with their sizes. `central` are those of the centre's.
    pub(crate) fn layers_of_expert(
        &self,
        central: &[(usize, usize)],
        previous: &ModelState,
        expert: &Expert,
        compute: &Device,
    ) -> Result<Vec<(usize, usize)>, StrategyError> {
        if expert.model.has_the_backbone_of(previous) {
            return Ok(central.to_vec());
        }
        let built: Result<_, ModelError> = expert.model.backbone.build(expert.model.input, compute);
        self.layers_of(&built?.layers())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_model::BackboneFacts;

    use super::*;

    fn facts(layers: &[(&str, usize)]) -> Option<Arc<BackboneFacts>> {
        let layers = layers.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        Some(Arc::new(BackboneFacts { kind: "own".to_owned(), layers, ..Default::default() }))
    }

    #[test]
    fn layers_must_be_those_of_both_backbones_and_sizes_that_differ_need_a_projection() {
        let run = RunDescription {
            backbone: facts(&[("stage-1", 8), ("latent", 16)]),
            unlike_backbone: facts(&[("latent", 4)]),
            ..Default::default()
        };
        let check = |config: PldConfig| config.fits_unlike(&run).map_err(|error| error.to_string());
        assert_eq!(check(PldConfig::default()), Ok(()));
        let layers = vec!["stage-1".to_owned(), "latent".to_owned()];
        let error = check(PldConfig { layers, ..Default::default() }).unwrap_err();
        assert!(error.contains("names stage-1, latent, but the devices' own backbone \"own\""), "{error}");
        assert!(error.ends_with("those of the devices: latent"), "{error}");
        let without = PldConfig { projection: Projection::None, ..Default::default() };
        let error = check(without.clone()).unwrap_err();
        assert!(error.contains("compares the centre's 16 values with the 4 of a device"), "{error}");
        assert_eq!(check(PldConfig { latent_weight: 0.0, ..without }), Ok(()));
    }
}
