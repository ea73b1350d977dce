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
    /// 0: inputs stay as they are. Default: 40 for `single-image`, 0 for other kinds.
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
        if request.learned().is_empty() {
            return Ok(first);
        }
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

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use alluvium_model::{BackboneFacts, Expert, Model, Seed};
    use burn::tensor::Device;
    use serde_json::json;

    use super::*;
    use crate::conformance::{RandomInputs, run_description};
    use crate::feature_statistics::tests::{INPUT, expert, model};
    use crate::{RunDescription, RunningStatistics, SurrogateTable};

    fn draw(source: &mut dyn Surrogate, previous: &ModelState, expert: &Expert) -> Vec<f32> {
        let compute = Device::flex();
        let request = SurrogateRequest {
            input: previous.input,
            compute: &compute,
            seed: Seed::new(3),
            previous,
            expert: Some(expert),
        };
        source.draw(32, &request).unwrap().vectors().into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn fitted_inputs_are_nearer_to_the_running_statistics_and_follow_from_the_request() {
        let (previous, expert) = (model(&["a"], 0.1, 0.01), expert(model(&["b"], 0.1, 0.01)));
        let mut fitted = Fitted { source: Box::new(RandomInputs), steps: 30 };
        assert_eq!(fitted.samples(), RandomInputs.samples());
        let found = draw(&mut fitted, &previous, &expert);
        assert_eq!(found, draw(&mut fitted, &previous, &expert));
        let distance = |values: Vec<f32>| {
            let inputs = Inputs::from_values(values, INPUT.into(), &Device::flex());
            let model = Model::load(&previous, &Device::flex()).unwrap();
            RunningStatistics::of(&model, &Device::flex()).of_each(&model, inputs).into_iter().sum::<f64>()
        };
        let (near, far) = (distance(found), distance(draw(&mut RandomInputs, &previous, &expert)));
        assert!(near < 0.5 * far, "from {far} to {near}");
    }

    #[test]
    fn a_table_fits_as_it_says_and_only_for_networks_with_batch_normalisation() {
        let table = json!({"kind": "selection-test-listed", "inputs": [[0.5, 1.0]], "samples": 2000, "fit_steps": 3});
        let config = serde_json::from_value::<SurrogateTable>(table.clone()).unwrap().into_config();
        assert_eq!(serde_json::to_value(&config).unwrap(), table);
        let samples = |batch_norms: Vec<String>| {
            let backbone = Some(BackboneFacts { batch_norms, ..Default::default() }.into());
            config.build(&RunDescription { backbone, ..run_description() }).unwrap().samples()
        };
        assert_eq!((samples(vec![]), samples(vec!["norm".to_owned()])), (2000, 512));
        // What is given is written, also 0: a table that fits must not have the key of one that does not.
        let table = json!({"kind": "selection-test-listed", "inputs": [[0.5, 1.0]], "samples": 2000, "fit_steps": 0});
        let config = serde_json::from_value::<SurrogateTable>(table.clone()).unwrap().into_config();
        assert_eq!(serde_json::to_value(&config).unwrap(), table);
        // The kind fits nothing by itself.
        let table = json!({"kind": "selection-test-listed", "inputs": [[0.5, 1.0]], "samples": 2000});
        let plain = serde_json::from_value::<SurrogateTable>(table).unwrap().into_config();
        assert_eq!(plain.fit_steps(), 0);
    }
}
