//! The `model-inversion` surrogate: inputs with certain predictions.

use alluvium_model::{Inputs, ModelState, Random};
use alluvium_strategy::{
    Inversion, InversionSettings, RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, Wish,
    options, plugin,
};
use rand::RngExt;

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
/// Inputs are generated again for each consolidation: `samples` × `steps` passes forward and back. A strategy that asks
/// for fresh inputs at each of its steps pays `steps` passes for each of them.
#[options]
#[derive(PartialEq)]
pub struct ModelInversionConfig {
    /// The number of inputs and the settings of their optimisation.
    #[serde(flatten)]
    pub inversion: InversionSettings,
    /// The weight of the total variation: the mean distance of a value to its right neighbour, plus that to its lower one.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(0.2)]
    pub total_variation: f64,
    /// The weight of the mean square of an input's values.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(0.01)]
    pub l2: f64,
    /// The weight of the distance between a batch's statistics and the running ones, summed over the backbone's batch
    /// normalisations. It has no effect on a backbone without batch normalisation.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    #[default(1.0)]
    pub feature_statistics: f64,
}

#[plugin(
    kind = "model-inversion",
    paper = "Yin et al., \"Dreaming to distill: data-free knowledge transfer via DeepInversion\", CVPR 2020, arXiv \
             1912.08795"
)]
impl SurrogateConfig for ModelInversionConfig {
    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let inversion = Inversion {
            total_variation: self.total_variation,
            l2: self.l2,
            feature_statistics: self.feature_statistics,
            ..self.inversion.inversion()
        };
        Ok(Box::new(ModelInversion { samples: self.inversion.samples, inversion }))
    }
}

/// The source of inverted inputs. It does not cache inputs, because another consolidation has other models.
#[derive(Debug)]
struct ModelInversion {
    samples: usize,
    inversion: Inversion,
}

impl Surrogate for ModelInversion {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        self.inversion.draw(count, request, one_class)
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
    use alluvium_strategy::conformance::{central, check_surrogate, expert};
    use burn::tensor::Device;
    use burn::tensor::activation::softmax;

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
        let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: &expert };
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
