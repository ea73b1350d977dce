//! The `model-inversion` surrogate: inputs with certain predictions, or with the features of data.

use std::path::PathBuf;

use alluvium_model::{Digest, Inputs, ModelState, Random};
use alluvium_strategy::registry::NestedError;
use alluvium_strategy::{
    Inversion, InversionSettings, MatchedModels, RunDescription, StatisticsDistance, Surrogate, SurrogateConfig,
    SurrogateError, SurrogateRequest, Wish, nested_surrogate, options, plugin,
};
use rand::RngExt;
use serde_json::{Map, Value};

/// Model inversion: noise that is optimised until a model assigns it to a class with certainty.
///
/// Every other input is generated for the expert, the rest for the previous central model. Each gets a random class,
/// drawn evenly over the classes of all heads of its model. Adam optimises it for a small cross-entropy of that class
/// within its head, a small total variation and small values (equations 2 and 3 of the paper). If the backbone has
/// batch normalisation, the batch's statistics in every layer are also drawn towards the running ones (R_feature,
/// equation 4). An input is the tanh of the optimised values, so it stays within −1…1.
///
/// It differs from the paper's DeepInversion: there is no competition with the student, and inputs are neither shifted
/// nor mirrored between steps. Total variation and values are means over an input.
///
/// With `class_weight = 0`, only features count: inputs excite the network as the devices' data did, and do not show a
/// class. With a table `[surrogate.start]`, inputs begin as other surrogate data in place of noise, and need fewer steps.
///
/// Inputs are generated again for each consolidation: `samples` × `steps` passes forward and back. A strategy that asks
/// for fresh inputs at each of its steps pays `steps` passes for each of them.
#[options]
#[derive(PartialEq)]
pub struct ModelInversionConfig {
    /// The number of inputs and the settings of their optimisation.
    #[serde(flatten)]
    pub inversion: InversionSettings,
    /// What inputs begin as: a table `[surrogate.start]` with the `kind` and the options of any `[surrogate]`. Values near
    /// −1 or 1 begin at −0.95 or 0.95. Absent: noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Map<String, Value>>,
    /// The weight of the cross-entropy of an input's class. 0: inputs have no class.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(1.0)]
    pub class_weight: f64,
    /// The weight of the total variation: the mean distance of a value to its right neighbour, plus that to its lower one.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(0.2)]
    pub total_variation: f64,
    /// The weight of the mean square of an input's values.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(0.01)]
    pub l2: f64,
    /// The weight of the distance between a batch's statistics and the running ones, over the backbone's batch
    /// normalisations. It has no effect on a backbone without batch normalisation.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(1.0)]
    pub feature_statistics: f64,
    /// How these statistics are compared. `relative` is for `class_weight = 0`: the distance does not grow with the number
    /// of channels or with the scale of a layer.
    #[default(StatisticsDistance::Norms)]
    pub statistics_distance: StatisticsDistance,
    /// The models whose running statistics an input is drawn towards.
    #[default(MatchedModels::Own)]
    pub statistics_of: MatchedModels,
}

#[plugin(
    kind = "model-inversion",
    paper = "Yin et al., \"Dreaming to distill: data-free knowledge transfer via DeepInversion\", CVPR 2020, arXiv \
             1912.08795"
)]
impl SurrogateConfig for ModelInversionConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        if let Some(start) = self.start()? {
            start.validate(run).map_err(unfit)?;
        }
        let without = match &run.backbone {
            _ if self.feature_statistics == 0.0 => "`feature_statistics` is 0".to_owned(),
            Some(backbone) if backbone.batch_norms.is_empty() => {
                format!("the backbone \"{}\" has no batch normalisation", backbone.kind)
            }
            _ => return Ok(()),
        };
        let measured = "`feature_statistics` above 0 on a backbone with batch normalisation";
        let refuse = |option, problem, default| {
            let accepted = format!("{default}, or {measured}");
            Err(SurrogateError::Option { option, problem, accepted })
        };
        if self.class_weight == 0.0 {
            return refuse("class_weight", format!("= 0 leaves nothing to optimise for: {without}"), "a positive one");
        }
        let no_effect = format!("has no effect: {without}");
        if self.statistics_distance != StatisticsDistance::Norms {
            return refuse("statistics_distance", no_effect, "\"norms\"");
        }
        if self.statistics_of != MatchedModels::Own {
            return refuse("statistics_of", no_effect, "\"own\"");
        }
        Ok(())
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let inversion = Inversion {
            class_weight: self.class_weight,
            total_variation: self.total_variation,
            l2: self.l2,
            feature_statistics: self.feature_statistics,
            statistics_distance: self.statistics_distance,
            statistics_of: self.statistics_of,
            ..self.inversion.inversion()
        };
        let start = self.start()?.map(|start| start.build(run).map_err(unfit)).transpose()?;
        Ok(Box::new(ModelInversion { samples: self.inversion.samples, inversion, start }))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.started().map(|start| start.files()).unwrap_or_default()
    }

    fn revision(&self) -> Option<Digest> {
        self.started()?.revision()
    }

    fn stream_kinds(&self) -> Vec<String> {
        self.started().map(|start| start.stream_kinds()).unwrap_or_default()
    }
}

impl ModelInversionConfig {
    /// The configuration of what inputs begin as, checked as a `[surrogate]` table is.
    fn start(&self) -> Result<Option<Box<dyn SurrogateConfig>>, SurrogateError> {
        let Some(table) = &self.start else { return Ok(None) };
        nested_surrogate(table).map(Some).map_err(|error| match error {
            NestedError::Kind { named, kinds } => {
                wrong(format!("names {named}"), format!("a table [surrogate.start] with one of the kinds {kinds}"))
            }
            NestedError::Option { path, problem, accepted } => {
                wrong(format!("is wrong: `start.{}` {problem}", path.join(".")), accepted)
            }
            NestedError::Table { kind, cause } => {
                wrong(format!("is wrong: {cause}"), format!("the options of `alluvium show {kind}`"))
            }
        })
    }

    /// [`start`](Self::start), if there is one and it is right.
    fn started(&self) -> Option<Box<dyn SurrogateConfig>> {
        self.start().ok().flatten()
    }
}

/// The error of what inputs begin as, at the key of its table.
fn unfit(error: SurrogateError) -> SurrogateError {
    match error {
        SurrogateError::Option { option, problem, accepted } => {
            wrong(format!("is wrong: `start.{option}` {problem}"), accepted)
        }
        SurrogateError::Misfit { problem, accepted } => wrong(format!("names surrogate data that {problem}"), accepted),
        other => other,
    }
}

fn wrong(problem: String, accepted: String) -> SurrogateError {
    SurrogateError::Option { option: "start", problem, accepted }
}

/// The source of inverted inputs. It does not cache inputs, because another consolidation has other models.
#[derive(Debug)]
struct ModelInversion {
    samples: usize,
    inversion: Inversion,
    /// What inputs begin as; `None` for noise.
    start: Option<Box<dyn Surrogate>>,
}

impl Surrogate for ModelInversion {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let of_start = SurrogateRequest { seed: request.seed.of("first inputs"), ..*request };
        let first = self.start.as_mut().map(|start| start.draw(count, &of_start)).transpose()?;
        self.inversion.draw_from(first, count, request, one_class)
    }
}

/// A target with one certain class, drawn evenly over the classes of all heads.
fn one_class(model: &ModelState, random: &mut Random) -> Wish {
    let sizes: Vec<_> = model.heads.iter().map(|head| head.classes.len()).collect();
    let mut drawn = random.random_range(0..sizes.iter().sum::<usize>());
    let mut head = 0;
    while drawn >= sizes[head] {
        drawn -= sizes[head];
        head += 1;
    }
    let probabilities = (0..sizes[head]).map(|class| f32::from(u8::from(class == drawn))).collect();
    Wish { head, probabilities }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alluvium_model::conformance::host;
    use alluvium_model::{Model, Seed};
    use alluvium_strategy::conformance::{central, check_surrogate, expert, run_description};
    use burn::tensor::Device;
    use burn::tensor::activation::softmax;
    use serde_json::json;

    use super::*;

    /// The tiny model's logits are small. Without priors and with many steps, its predictions become as certain as
    /// possible.
    fn config(steps: usize) -> ModelInversionConfig {
        let inversion = InversionSettings { samples: 24, steps, learning_rate: 0.1, ..Default::default() };
        ModelInversionConfig { inversion, total_variation: 0.0, l2: 0.0, ..Default::default() }
    }

    fn draw(source: &mut dyn Surrogate, count: usize, seed: u64, heads: &[&str]) -> Inputs {
        let (previous, expert, compute) = (central(heads, 3), expert("c", 2), Device::flex());
        let (input, seed) = (previous.input, Seed::new(seed));
        let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
        source.draw(count, &request).unwrap()
    }

    #[test]
    fn the_expert_is_far_more_certain_than_for_noise() {
        // If the previous model does not have heads, all inputs are for the expert.
        let confidence = |steps| {
            let inputs = draw(config(steps).build(&RunDescription::default()).unwrap().as_mut(), 24, 0, &[]);
            let model = Model::load(&expert("c", 2).model, &Device::flex()).unwrap();
            let sure = host(softmax(model.forward(inputs), 1));
            let wished = (0..24).map(|index| {
                let mut random = Seed::new(0).at("inverted input", index).random();
                one_class(&expert("c", 2).model, &mut random).probabilities
            });
            let wished = wished.flatten().collect::<Vec<_>>();
            assert!((wished.iter().sum::<f32>() - 24.0).abs() < 1e-6);
            sure.iter().zip(&wished).map(|(sure, wished)| sure * wished).sum::<f32>() / 24.0
        };
        let (noise, inverted) = (confidence(1), confidence(100));
        assert!(inverted > noise + 0.05, "from {noise} to {inverted}");
    }

    #[test]
    fn conforms() {
        check_surrogate(&ModelInversionConfig { total_variation: 0.2, l2: 0.01, ..config(10) });
    }

    /// A test double: inputs of one shade, from −0.5 to 0.5.
    #[options]
    struct ShadeConfig {
        /// The number of inputs.
        #[default(3)]
        samples: usize,
        /// The file that it reports.
        file: PathBuf,
    }

    #[plugin(kind = "inversion-test-shade")]
    impl SurrogateConfig for ShadeConfig {
        fn validate(&self, _run: &RunDescription) -> Result<(), SurrogateError> {
            match self.samples {
                13 => Err(SurrogateError::Misfit { problem: "are unlucky".into(), accepted: "14".into() }),
                _ => Ok(()),
            }
        }

        fn files(&self) -> Vec<PathBuf> {
            vec![self.file.clone()]
        }

        fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
            Ok(Box::new(Shade))
        }
    }

    #[derive(Debug)]
    struct Shade;

    impl Surrogate for Shade {
        fn samples(&self) -> usize {
            3
        }

        fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
            let mut random = request.seed.random();
            let shades = (0..count).map(|_| random.random_range(-0.5..0.5));
            Ok(request.inputs(shades.flat_map(|shade| vec![shade; request.input.values()]).collect()))
        }
    }

    fn from_shades(steps: usize, table: Value) -> ModelInversionConfig {
        ModelInversionConfig { start: table.as_object().cloned(), ..config(steps) }
    }

    #[test]
    fn inputs_begin_as_other_surrogate_data() {
        let start = from_shades(1, json!({"kind": "inversion-test-shade", "file": "shades.bin"}));
        assert_eq!(start.files(), [PathBuf::from("shades.bin")]);
        let drawn = host(draw(start.build(&RunDescription::default()).unwrap().as_mut(), 24, 0, &["a"]).vectors());
        // One step of Adam moves each variable by the learning rate, 0.1, and tanh does not stretch it.
        for input in drawn.chunks(6) {
            let [least, most] = [input.iter().copied().fold(1.0, f32::min), input.iter().copied().fold(-1.0, f32::max)];
            assert!(least > -0.65 && most < 0.65 && most - least < 0.21, "{input:?}");
        }
        check_surrogate(&start);
    }

    #[test]
    fn a_wrong_start_is_named_with_its_key() {
        let error = |table| from_shades(1, table).validate(&RunDescription::default()).unwrap_err().to_string();
        for (table, says) in [
            (json!({"kind": "no-such-kind"}), "`start` names the unknown kind \"no-such-kind\"; accepted: a table"),
            (json!({"kind": "inversion-test-shade", "shade": 1}), "`start` is wrong: `start.shade` is not a key"),
            (json!({"kind": "inversion-test-shade", "samples": 13}), "`start` names surrogate data that are unlucky"),
        ] {
            let error = error(table);
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_loss_without_terms_is_refused() {
        let none = ModelInversionConfig { class_weight: 0.0, ..config(1) };
        assert!(none.validate(&RunDescription::default()).is_ok());
        // The backbone of the conformance tests has no batch normalisation.
        let error = none.validate(&run_description()).unwrap_err().to_string();
        assert!(error.contains("`class_weight` = 0 leaves nothing to optimise for: the backbone"), "{error}");
        let none = ModelInversionConfig { feature_statistics: 0.0, ..none };
        let error = none.validate(&RunDescription::default()).unwrap_err().to_string();
        assert!(
            error.contains("nothing to optimise for: `feature_statistics` is 0; accepted: a positive one"),
            "{error}"
        );
        let both = ModelInversionConfig { statistics_of: MatchedModels::Both, ..config(1) };
        let error = both.validate(&run_description()).unwrap_err().to_string();
        assert!(error.contains("`statistics_of` has no effect: the backbone") && error.contains("\"own\""), "{error}");
    }

    #[test]
    fn another_previous_model_gives_other_inputs() {
        let of = |heads: &[&str]| {
            host(draw(config(10).build(&RunDescription::default()).unwrap().as_mut(), 24, 1, heads).vectors())
        };
        assert_ne!(of(&["a"]), of(&["a", "b"]));
    }

    #[test]
    fn classes_are_drawn_evenly_over_all_heads() {
        let model = central(&["a", "b", "c"], 0);
        let mut random = Seed::new(0).random();
        let mut times = BTreeMap::<_, usize>::new();
        for _ in 0..6000 {
            let wish = one_class(&model, &mut random);
            let class = wish.probabilities.iter().position(|one| *one == 1.0).unwrap();
            assert_eq!(wish.probabilities.iter().sum::<f32>(), 1.0);
            *times.entry((wish.head, class)).or_default() += 1;
        }
        // 1000 each; the standard deviation is √(6000·1/6·5/6) = 28.9.
        assert_eq!(times.len(), 6);
        assert!(times.values().all(|times| times.abs_diff(1000) < 120), "{times:?}");
    }
}
