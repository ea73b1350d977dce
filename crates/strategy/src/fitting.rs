//! Surrogate data that fit a network: inputs are moved until every batch normalisation sees them as it saw data.

use alluvium_model::{Inputs, ModelState, Random};
use alluvium_registry::{Family, FamilyKeys, inventory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Inversion, InversionSettings, StatisticsDistance, Surrogate, SurrogateError, SurrogateRequest, Wish};

/// The most inputs of a fixed set that are fitted.
const MOST: usize = 512;

/// The keys of how inputs are fitted, which every `[surrogate]` table takes beside those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fitting {
    /// The steps of Adam by which inputs are moved for networks with batch normalisation, until a batch's means and deviations in
    /// every normalisation are the running ones of the expert (one half of the inputs) or of the previous central model (the other):
    /// R_feature of DeepInversion (Yin et al., arXiv 1912.08795, eq. 4), relative to each channel's variance. At most 512 inputs of the
    /// fixed set are used then. It takes a pass forward and back for each input and step. Without batch normalisation it has no effect.
    /// 0: inputs stay as they are. Default: 20 for `single-image`, 0 for other kinds.
    #[schemars(range(min = 0, max = 100_000))]
    pub fit_steps: Option<usize>,
}

inventory::submit! {
    FamilyKeys { family: Family::Surrogate, schema: || schemars::schema_for!(Fitting) }
}

/// A source of the inputs of another one, fitted to the two models of each consolidation. It keeps nothing between draws.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub source: Box<dyn Surrogate>,
    /// The number of steps, at least 1.
    pub steps: usize,
}

impl Surrogate for Fitted {
    fn samples(&self) -> usize {
        self.source.samples().min(MOST)
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let of_source = SurrogateRequest { seed: request.seed.of("first inputs"), ..*request };
        let first = self.source.draw(count, &of_source)?;
        let settings = InversionSettings { steps: self.steps, batch_size: 128, ..Default::default() };
        let inversion = Inversion {
            class_weight: 0.0,
            feature_statistics: 1.0,
            statistics_distance: StatisticsDistance::Relative,
            ..settings.inversion()
        };
        inversion.draw_from(Some(first), count, request, no_class)
    }
}

/// A wish that does not count.
fn no_class(_model: &ModelState, _random: &mut Random) -> Wish {
    Wish { head: 0, probabilities: vec![] }
}
