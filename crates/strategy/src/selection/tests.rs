//! Tests of the selection, on a model whose only layers are batch normalisations.

use std::path::PathBuf;

use alluvium_model::{BackboneFacts, Expert, ModelState, Seed};
use alluvium_registry::{Description, OptionsSchema};
use burn::tensor::Device;
use serde_json::json;

use super::*;
use crate::conformance::{self, RandomInputs, run_description};
use crate::feature_statistics::tests::{INPUT, expert, model, run};
use crate::{RunDescription, SurrogateConfig, SurrogateTable, nested_surrogate};

/// A test double: each input has two pixels, −spread and +spread around a mean, and the inputs go through the listed ones.
///
/// The attributes of plugins would name this crate, which its own tests know only as another copy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListedConfig {
    /// Mean and spread of each input.
    inputs: Vec<[f32; 2]>,
    /// The number of inputs of the fixed set.
    samples: usize,
}

impl Default for ListedConfig {
    fn default() -> Self {
        ListedConfig { inputs: vec![], samples: 2 }
    }
}

inventory::submit! {
    Description {
        family: Family::Surrogate,
        kind: "selection-test-listed",
        paper: "",
        default: false,
        schema: OptionsSchema::Made(|| schemars::schema_for!(ListedConfig)),
    }
}

#[typetag::serde(name = "selection-test-listed")]
impl SurrogateConfig for ListedConfig {
    fn files(&self) -> Vec<PathBuf> {
        vec!["listed.bin".into()]
    }

    fn stream_kinds(&self) -> Vec<String> {
        vec!["listed".to_owned()]
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Ok(Box::new(Listed { inputs: self.inputs.clone(), samples: self.samples }))
    }
}

#[derive(Debug)]
struct Listed {
    inputs: Vec<[f32; 2]>,
    samples: usize,
}

impl Surrogate for Listed {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let listed = self.inputs.iter().cycle().take(count);
        Ok(request.inputs(listed.flat_map(|[mean, spread]| [mean - spread, mean + spread]).collect()))
    }
}

fn selected(source: Box<dyn Surrogate>, select: f64) -> Selected {
    Selected { source, selection: Selection { select } }
}

/// The values of some inputs.
fn draw(source: &mut dyn Surrogate, count: usize, seed: u64, previous: &ModelState, expert: &Expert) -> Vec<f32> {
    let compute = Device::flex();
    let seed = Seed::new(seed);
    let request = SurrogateRequest { input: previous.input, compute: &compute, seed, previous, expert: Some(expert) };
    let drawn = source.draw(count, &request).unwrap();
    assert_eq!((drawn.len(), drawn.shape()), (count, previous.input));
    drawn.vectors().into_data().try_into_vec::<f32>().unwrap()
}

#[test]
fn the_inputs_nearest_to_both_models_are_kept_in_their_order() {
    // Running mean and variance of the first normalisation; those of the second are 0 and 1.
    let (previous, expert) = (model(&["a"], 0.0, 1.0), expert(model(&["b"], 1.0, 1.0)));
    // Both variances are 1, so the spread 1 fits. The mean 0.5 is 0.5 from both means; 0 and 1 are 1 from one of them.
    let inputs = vec![[3.0, 1.0], [0.5, 1.0], [0.0, 1.0], [0.5, 6.0], [0.75, 1.0], [1.0, 1.0], [-4.0, 0.0], [0.5, 9.0]];
    let listed = || Box::new(Listed { inputs: inputs.clone(), samples: 2 });
    let mut quarter = selected(listed(), 0.25);
    assert_eq!(quarter.samples(), 2);
    assert_eq!(draw(&mut quarter, 2, 0, &previous, &expert), [-0.5, 1.5, -0.25, 1.75]);
    let half = draw(&mut selected(listed(), 0.5), 4, 0, &previous, &expert);
    assert_eq!(half, [-0.5, 1.5, -1.0, 1.0, -0.25, 1.75, 0.0, 2.0]);
    // A previous model that has learned nothing has no say: the mean 1 is that of the expert.
    let untrained = model(&[], 0.0, 1.0);
    assert_eq!(draw(&mut selected(listed(), 0.125), 1, 0, &untrained, &expert), [0.0, 2.0]);
}

#[test]
fn another_consolidation_selects_other_inputs_from_the_same_source() {
    let inputs = vec![[3.0, 1.0], [0.5, 1.0]];
    let mut source = selected(Box::new(Listed { inputs, samples: 1 }), 0.5);
    let of = |source: &mut Selected, mean: f32| {
        draw(source, 1, 0, &model(&["a"], mean, 1.0), &expert(model(&["b"], mean, 1.0)))
    };
    let (near, far) = (of(&mut source, 0.5), of(&mut source, 3.0));
    assert_eq!((near.as_slice(), far.as_slice()), (&[-0.5, 1.5][..], &[2.0, 4.0][..]));
    assert_eq!(of(&mut source, 0.5), near);
}

#[test]
fn a_draw_follows_from_the_request_and_is_nearer_than_one_without_selection() {
    let (previous, expert) = (model(&["a"], 0.1, 0.01), expert(model(&["b"], 0.0, 0.02)));
    let mut source = selected(Box::new(RandomInputs), 0.2);
    let first = draw(&mut source, 32, 1, &previous, &expert);
    assert_ne!(draw(&mut source, 32, 2, &previous, &expert), first);
    assert_eq!(draw(&mut source, 32, 1, &previous, &expert), first);
    let distance = |values: Vec<f32>| {
        let inputs = Inputs::from_values(values, INPUT.into(), &Device::flex());
        let model = Model::load(&previous, &Device::flex()).unwrap();
        RunningStatistics::of(&model, &Device::flex()).of_each(&model, inputs).into_iter().sum::<f64>()
    };
    let all = draw(&mut RandomInputs, 32, 1, &previous, &expert);
    let (kept, all) = (distance(first), distance(all));
    assert!(kept < 0.5 * all, "from {all} to {kept}");
}

#[test]
fn of_distances_the_smallest_are_kept_and_of_equal_ones_the_first() {
    assert_eq!(nearest(&[3.0, 1.0, 2.0, 1.0], 2), [1, 3]);
    assert_eq!(nearest(&[1.0, 1.0, 1.0], 2), [0, 1]);
    assert_eq!(nearest(&[f64::INFINITY, 5.0], 1), [1]);
    assert_eq!(nearest(&[1.0], 3), [0]);
    let candidates = |select: f64, kept| Selection { select }.candidates(kept);
    // 3 / 0.4 = 7.5.
    assert_eq!((candidates(0.25, 4000), candidates(0.4, 3), candidates(1.0, 5)), (16_000, 8, 5));
}

fn table(options: serde_json::Value) -> Box<dyn SurrogateConfig> {
    serde_json::from_value::<SurrogateTable>(options).unwrap().into_config()
}

#[test]
fn every_kind_takes_the_key_and_a_table_without_it_is_that_of_the_kind_alone() {
    let listed = json!({"kind": "selection-test-listed", "inputs": [[0.5, 1.0]], "samples": 7});
    for select in [None, Some(1.0)] {
        let mut written = listed.clone();
        if let Some(select) = select {
            written["select"] = json!(select);
        }
        assert_eq!(serde_json::to_value(table(written)).unwrap(), listed);
    }
    let mut written = listed.clone();
    written["select"] = json!(0.25);
    let config = table(written.clone());
    assert_eq!(serde_json::to_value(&config).unwrap(), written);
    assert_eq!(config.typetag_name(), "selection-test-listed");
    assert_eq!((config.files(), config.stream_kinds()), (vec!["listed.bin".into()], vec!["listed".to_owned()]));
    assert_eq!(config.build(&run()).unwrap().samples(), 7);
    let nested = nested_surrogate(written.as_object().unwrap()).unwrap();
    assert_eq!(serde_json::to_value(nested).unwrap(), written);
    written["select"] = json!(0.0);
    let error = nested_surrogate(written.as_object().unwrap()).unwrap_err().to_string();
    assert!(error.contains("`select` = 0.0 is out of range; accepted: a number at least 0.001"), "{error}");
}

#[test]
fn a_backbone_without_batch_normalisation_is_refused() {
    let config = table(json!({"kind": "selection-test-listed", "select": 0.25}));
    assert!(config.validate(&run()).is_ok() && config.validate(&RunDescription::default()).is_ok());
    let refusal = "`select` = 0.25 has no effect: the backbone \"_conformance-tiny\" has no batch normalisation";
    let error = config.validate(&run_description()).unwrap_err().to_string();
    assert!(error.contains(refusal) && error.contains("accepted: 1, or a backbone"), "{error}");
    // Who did not check it hears of it with the first inputs.
    let (previous, expert) = (conformance::central(&["a"], 0), conformance::expert("b", 1));
    let (compute, seed, input) = (Device::flex(), Seed::new(0), previous.input);
    let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
    let error = selected(Box::new(RandomInputs), 0.5).draw(4, &request).unwrap_err().to_string();
    assert!(error.contains("`select` = 0.5 has no effect: the model has no batch normalisation"), "{error}");
}

#[test]
fn candidates_that_do_not_fit_into_memory_are_refused() {
    let facts = BackboneFacts { batch_norms: vec!["first".to_owned()], ..Default::default() };
    let run = RunDescription { input: Some([3, 224, 224].into()), backbone: Some(facts.into()), ..Default::default() };
    // 10 000 / 0.01 inputs of 602 112 bytes are 602 GB.
    let options = json!({"kind": "selection-test-listed", "samples": 10_000, "select": 0.01});
    let error = table(options).build(&run).unwrap_err().to_string();
    assert!(error.contains("take 602.1 GB: 1000000 inputs"), "{error}");
}
