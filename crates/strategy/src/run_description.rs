//! What a run is, as plain data. Strategies and surrogate data are checked against it before anything runs, and built with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{BackboneFacts, ClassifierFacts, InputShape, Learning, LearningMisfit};
use alluvium_stream::Scenario;

use crate::{DataAccess, StrategyError};

/// What a run is. The caller of a strategy fills in what it knows, and leaves the rest open: a consolidation of files has neither
/// a protocol nor a stream, and in pieces it has no backbone.
#[derive(Debug, Clone, Default)]
pub struct RunDescription {
    /// The shape of one input.
    pub input: Option<InputShape>,
    /// The backbone of the central model, and of all experts but those of `unlike_backbone`.
    pub backbone: Option<Arc<BackboneFacts>>,
    /// The backbone of the experts of devices with networks of their own; `None` where there are none.
    pub unlike_backbone: Option<Arc<BackboneFacts>>,
    /// The classifier of every head.
    pub classifier: Option<Arc<ClassifierFacts>>,
    /// How the tasks differ.
    pub scenario: Option<Scenario>,
    /// What the protocol permits.
    pub protocol: Option<ProtocolTerms>,
    /// The number of tasks, or of experts that are consolidated.
    pub tasks: Option<usize>,
    /// What the experts are adapted from.
    pub start: ExpertStart,
    /// Whether another strategy makes the network, and this one only the classifier across tasks; see
    /// [`Strategy::across`](crate::Strategy::across).
    pub across_only: bool,
}

impl RunDescription {
    /// Checks how a model is to learn against the backbone.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    pub fn learns(&self, learning: &Learning) -> Result<(), StrategyError> {
        let unknown = BTreeMap::new();
        let shapes = self.backbone.as_ref().map_or(&unknown, |backbone| &backbone.shapes);
        learning.misfit(shapes).map_or(Ok(()), |misfit| {
            let LearningMisfit { path, problem, accepted } = misfit;
            Err(StrategyError::Option { option: path[0], problem, accepted })
        })
    }

    /// Checks that heads are linear maps of the latents, for a strategy that `needs` it: words that follow its name.
    ///
    /// # Errors
    /// [`StrategyError::Misfit`], which names the classifier.
    pub fn linear_heads(&self, needs: &str) -> Result<(), StrategyError> {
        match &self.classifier {
            Some(classifier) if classifier.linear_maps.is_empty() => Err(StrategyError::Misfit {
                problem: format!("{needs}, but those of the classifier \"{}\" are not", classifier.kind),
                accepted: "the classifier \"linear\"".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// What a protocol permits, as far as a strategy may need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolTerms {
    /// The protocol's kind, as in a configuration.
    pub name: String,
    /// The data that it grants.
    pub data_access: DataAccess,
    /// Whether devices may send statistics of their samples.
    pub statistics: bool,
    /// The most rounds in which experts are consolidated.
    pub rounds: usize,
    /// The most experts that are consolidated at a time.
    pub experts_at_a_time: usize,
    /// The most often that one device takes part.
    pub visits_per_device: usize,
}

/// What the experts of a run are adapted from. The caller of a strategy knows it; the strategy sees only models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpertStart {
    /// Each expert from the central model that it is consolidated into, as in a stream of devices.
    #[default]
    Previous,
    /// All experts from one model, the central model that the first expert is consolidated into: models fine-tuned from one
    /// base model.
    Common,
}
