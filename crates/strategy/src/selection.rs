//! The selection of surrogate data: of many inputs, those that look most like data to the models.

use alluvium_model::{Inputs, Model};
use alluvium_registry::{Family, FamilyKeys, inventory};
use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RunningStatistics, Surrogate, SurrogateError, SurrogateRequest};

/// The number of inputs that go through a model at a time.
const CHUNK: usize = 250;

/// The keys of the selection, which every `[surrogate]` table takes beside those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Selection {
    /// The fraction of the drawn inputs that is kept: those whose features are nearest to the running statistics of the previous
    /// central model and of the expert, over all batch normalisations. 1 keeps all. With 0.25, four times as many inputs are drawn
    /// as are used. It needs a backbone with batch normalisation.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub select: f64,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { select: 1.0 }
    }
}

inventory::submit! {
    FamilyKeys { family: Family::Surrogate, schema: || schemars::schema_for!(Selection) }
}

impl Selection {
    /// How many inputs are drawn to keep this many.
    pub(crate) fn candidates(self, kept: usize) -> usize {
        // A cast from float saturates.
        ((kept as f64 / self.select).ceil() as usize).max(kept)
    }

    /// The error about models without running statistics.
    pub(crate) fn idle(self, models: &str) -> SurrogateError {
        SurrogateError::Option {
            option: "select",
            problem: format!(
                "= {} has no effect: {models} has no batch normalisation to compare inputs with",
                self.select
            ),
            accepted: "1, or a backbone with batch normalisation".to_owned(),
        }
    }
}

/// A source of the inputs of another one that look most like data to both models.
///
/// It keeps nothing between draws: the models of each consolidation rank the same candidates again.
#[derive(Debug)]
pub(crate) struct Selected {
    pub source: Box<dyn Surrogate>,
    pub selection: Selection,
}

impl Surrogate for Selected {
    fn samples(&self) -> usize {
        self.source.samples()
    }

    /// Draws more inputs, and keeps those whose larger distance to the two models ([`RunningStatistics::of_each`]) is smallest, in
    /// the order in which they were drawn. A model without heads has not learned yet, so its statistics are not those of data: it
    /// is left out, as in model inversion. If no model has learned, nothing is selected.
    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let states = request.learned();
        if states.is_empty() {
            return self.source.draw(count, request);
        }
        let candidates = self.source.draw(self.selection.candidates(count), request)?;
        let (mut distances, mut compared) = (vec![0.0_f64; candidates.len()], false);
        for state in states {
            let mut model = Model::load(state, request.compute)?;
            model.freeze_training_behaviour();
            let running = RunningStatistics::of(&model, request.compute);
            if running.is_empty() {
                continue; // The network of a device may have no batch normalisation where the centre's has some.
            }
            compared = true;
            let chunks = candidates.clone().split(CHUNK).into_iter();
            let found = chunks.flat_map(|chunk| running.of_each(&model, chunk));
            // What is not a number is far away.
            let found = found.map(|one| if one.is_nan() { f64::INFINITY } else { one });
            distances.iter_mut().zip(found).for_each(|(largest, one)| *largest = largest.max(one));
        }
        if !compared {
            return Err(self.selection.idle("the model"));
        }
        let kept: Vec<i64> = nearest(&distances, count).into_iter().map(|index| index as i64).collect();
        let count = kept.len();
        Ok(candidates.select(Tensor::from_data(TensorData::new(kept, [count]), request.compute)))
    }
}

/// The indices of the smallest distances, in ascending order. Of equal ones, the first.
fn nearest(distances: &[f64], count: usize) -> Vec<usize> {
    let mut indices: Vec<_> = (0..distances.len()).collect();
    indices.sort_by(|one, other| distances[*one].total_cmp(&distances[*other]));
    indices.truncate(count);
    indices.sort_unstable();
    indices
}

#[cfg(all(test, feature = "conformance"))]
mod tests;
