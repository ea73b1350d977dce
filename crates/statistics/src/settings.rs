//! The options that strategies of this kind share.

use alluvium_model::Width;
use alluvium_strategy::{DataAccess, RunDescription, StrategyError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{FeatureSource, Features};
use crate::features::FeatureSpec;
use crate::projection::ProjectionKind;
use crate::statistic::ClassSumsStatistic;
use crate::{Moments, Privacy};

/// What the classifier across tasks finds for a sample whose task is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Finds {
    /// Its class.
    #[default]
    Class,
    /// Only its task. The head of the task finds the class.
    Task,
}

/// The options that strategies of this kind share: to be flattened into their options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StatisticsSettings {
    /// Where features come from.
    #[serde(flatten)]
    pub source: Features,
    /// The number of inputs of surrogate data whose principal components are taken, for `projection` = "principal-components".
    #[schemars(range(min = 2, max = 100_000))]
    pub patches: usize,
    /// What the statistics find for a sample whose task is unknown: `class`, or only the `task`, whose head finds the class. Only
    /// beside another strategy, which trains heads: in its `unknown_task`.
    pub finds: Finds,
    /// What bounds what the sums tell about a sample.
    #[serde(flatten)]
    pub privacy: Privacy,
}

impl Default for StatisticsSettings {
    fn default() -> Self {
        StatisticsSettings {
            source: Features::default(),
            patches: 2000,
            finds: Finds::default(),
            privacy: Privacy::default(),
        }
    }
}

/// A strategy's options for its features: the shared ones, and its own projection and size.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The shared options.
    pub settings: StatisticsSettings,
    /// The projection.
    pub projection: ProjectionKind,
    /// The size of the features.
    pub size: usize,
    /// The sums that devices send.
    pub moments: Moments,
    /// Their width.
    pub width: Width,
}

impl Chosen {
    /// The features.
    pub fn features(&self) -> FeatureSpec {
        FeatureSpec {
            source: self.settings.source.clone(),
            projection: self.projection,
            size: self.size,
            unit_length: self.settings.privacy.epsilon.is_some(),
            backbone: None,
        }
    }

    /// What devices compute.
    pub fn statistic(&self) -> ClassSumsStatistic {
        ClassSumsStatistic {
            features: self.features(),
            moments: self.moments,
            width: self.width,
            privacy: self.settings.privacy.clone(),
        }
    }

    /// Surrogate data, where features or their drift need them.
    pub fn data_access(&self) -> DataAccess {
        let drifts = self.settings.source.features == FeatureSource::CentreLatents;
        match self.projection {
            ProjectionKind::PrincipalComponents => DataAccess::Surrogate,
            _ if drifts => DataAccess::Surrogate,
            _ => DataAccess::None,
        }
    }

    /// Checks the options against each other and against the run.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option, or [`StrategyError::Misfit`].
    pub fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.settings.privacy.validate()?;
        let option = |option, problem: &str, accepted: &str| {
            Err(StrategyError::Option { option, problem: problem.to_owned(), accepted: accepted.to_owned() })
        };
        let Features { features, .. } = self.settings.source;
        if self.settings.finds == Finds::Task && !run.across_only {
            let problem = "= \"task\" leaves the class to a head, but this strategy trains none that is of use";
            return option("finds", problem, "\"class\", or this strategy as the `unknown_task` of another one");
        }
        if features == FeatureSource::CentreLatents && self.projection != ProjectionKind::None {
            let problem =
                "maps features to another size, but latents of the centre move, so that they stay as they are";
            return option("projection", problem, "\"none\" with `features` = \"centre-latents\"");
        }
        if features == FeatureSource::FirstBackbone {
            if run.across_only {
                let problem =
                    "= \"first-backbone\" keeps the network of the first device, but another strategy moves it";
                return option("features", problem, "another source of features beside another strategy");
            }
            if run.protocol.as_ref().is_some_and(|protocol| protocol.experts_at_a_time > 1) {
                let problem = "= \"first-backbone\" needs one first device, but several begin together";
                return option("features", problem, "another source of features, or one device at a time");
            }
        }
        let latents = matches!(features, FeatureSource::InitialBackbone | FeatureSource::FirstBackbone);
        if run.unlike_backbone.is_some() && latents {
            let problem = "are latents of one network, but some devices have networks of their own";
            return option("features", problem, "another source of features");
        }
        Ok(())
    }
}
