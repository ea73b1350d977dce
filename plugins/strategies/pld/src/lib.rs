//! The `pld` strategy: data-agnostic consolidation with double distillation and projected latent distillation.
//!
//! A. Carta, A. Cossu, V. Lomonaco, D. Bacciu, J. van de Weijer, "Projected latent distillation for data-agnostic
//! consolidation in distributed continual learning", arXiv 2303.15888. A student learns from two frozen teachers, the
//! previous central model and the expert, on surrogate data: in the output space (L_KD) and, through projections that
//! are discarded afterwards, in the latent space (L_PLD). L = L_KD + λ·L_PLD.

mod config;
mod loss;
mod projections;
mod recalibration;
mod strategy;
mod unlike;

use alluvium_model::Schedule;
use alluvium_strategy::{
    DataAccess, DistillationSettings, Learning, RunDescription, Strategy, StrategyConfig, StrategyError, StudentStart,
    plugin,
};

use strategy::Pld;

pub use config::{BatchNorm, Data, LatentLoss, OutputLoss, PldConfig, Projection};

#[plugin(
    kind = "pld",
    paper = "Carta, Cossu, Lomonaco, Bacciu, van de Weijer, \"Projected latent distillation for data-agnostic \
             consolidation in distributed continual learning\", arXiv 2303.15888"
)]
impl StrategyConfig for PldConfig {
    fn data_access(&self) -> DataAccess {
        match self.data {
            Data::Surrogate => DataAccess::Surrogate,
            Data::CurrentTask => DataAccess::CurrentTask,
        }
    }

    fn accepts_unlike_networks(&self) -> bool {
        true
    }

    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        let nothing = |a: f64, b: f64| a == 0.0 && b == 0.0;
        let refuse = |option, problem, accepted| Err(StrategyError::Option { option, problem, accepted });
        for (option, other, off) in [
            ("output_weight", "latent_weight", nothing(self.output_weight, self.latent_weight)),
            ("previous_weight", "expert_weight", nothing(self.previous_weight, self.expert_weight)),
        ] {
            if off {
                let problem = format!("and `{other}` are both 0: nothing would be learned");
                return refuse(option, problem, format!("one of `{option}` and `{other}` greater than 0"));
            }
        }
        self.distillation.validate(run)?;
        let Some(backbone) = &run.backbone else { return Ok(()) };
        self.layers_of(&backbone.layers)?;
        self.fits_unlike(run)?;
        match (self.batch_norm, backbone.batch_norms.is_empty()) {
            (BatchNorm::Batch | BatchNorm::Recalibrated, true) => {
                let problem = format!("has no effect: the backbone \"{}\" has no batch normalisation", backbone.kind);
                refuse("batch_norm", problem, "\"frozen\", or a backbone with batch normalisation".to_owned())
            }
            (BatchNorm::Frozen | BatchNorm::Recalibrated, false) if self.start == Some(StudentStart::Initial) => {
                let problem = format!(
                    "= \"initial\" has no running statistics for the {} batch normalisations of the backbone \"{}\" to keep",
                    backbone.batch_norms.len(),
                    backbone.kind
                );
                refuse("start", problem, "another start, or `batch_norm` = \"batch\"".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn completed(&self, run: &RunDescription) -> Option<Box<dyn StrategyConfig>> {
        let completed = self.for_backbone(run);
        (completed != *self).then(|| Box::new(completed) as Box<dyn StrategyConfig>)
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Pld::new(self.for_backbone(run))))
    }
}

impl PldConfig {
    /// The options with the defaults that depend on the run's backbone.
    fn for_backbone(&self, run: &RunDescription) -> PldConfig {
        let mut config = self.clone();
        if run.backbone.as_ref().is_some_and(|backbone| !backbone.batch_norms.is_empty()) {
            config.start = Some(self.start.unwrap_or(StudentStart::Average));
            let common = DistillationSettings::default().learning;
            if config.distillation.learning == common {
                config.distillation.learning = Learning { learning_rate: 0.005, schedule: Schedule::Cosine, ..common };
            }
        }
        config
    }

    /// The indices of the chosen layers among those of a backbone, with their sizes.
    fn layers_of(&self, known: &[(String, usize)]) -> Result<Vec<(usize, usize)>, StrategyError> {
        if self.latent_weight == 0.0 {
            return Ok(vec![]);
        }
        let find = |name: &String| {
            let index = known.iter().position(|(own, _)| own == name);
            index.map(|index| (index, known[index].1)).ok_or_else(|| StrategyError::Option {
                option: "layers",
                problem: format!("names \"{name}\", which the backbone does not have"),
                accepted: known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
            })
        };
        self.layers.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_model::BackboneFacts;

    use super::*;

    fn run(batch_norms: &[&str]) -> RunDescription {
        let batch_norms = batch_norms.iter().map(|name| (*name).to_owned()).collect();
        let backbone = Arc::new(BackboneFacts { batch_norms, ..Default::default() });
        RunDescription { backbone: Some(backbone), ..Default::default() }
    }

    #[test]
    fn the_defaults_follow_the_normalisation_and_what_is_set_stays() {
        let plain = PldConfig::default();
        assert_eq!(plain.for_backbone(&run(&[])), plain);
        let normalised = plain.for_backbone(&run(&["norm"]));
        assert_eq!(normalised.start, Some(StudentStart::Average));
        assert_eq!(normalised.distillation.learning.learning_rate, 0.005);

        let learning = Learning { momentum: 0.5, ..DistillationSettings::default().learning };
        let distillation = DistillationSettings { learning, ..Default::default() };
        let set = PldConfig { start: Some(StudentStart::Previous), distillation, ..Default::default() };
        assert_eq!(set.for_backbone(&run(&["norm"])), set);
        // Results state what differs from the defaults of other networks.
        assert!(plain.completed(&run(&[])).is_none() && plain.completed(&run(&["norm"])).is_some());
        assert!(normalised.completed(&run(&["norm"])).is_none());
    }
}
