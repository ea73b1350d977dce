//! The `data-impressions` surrogate: inputs with likely softmax outputs.

use alluvium_model::{Inputs, ModelState, Random, Values};
use alluvium_strategy::{
    Inversion, InversionSettings, RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, Wish,
    options, plugin,
};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_distr::{Distribution, Gamma};

/// The smallest concentration. The paper's normalisation gives 0 for the least similar class, but a Dirichlet
/// distribution needs a positive value.
const LEAST: f64 = 1e-3;

/// Data impressions: noise that is optimised until a model's softmax output matches a target vector. The targets are
/// softmax vectors that the model's last layer makes likely.
///
/// Every other input is generated for the expert, the rest for the previous central model. Each gets a random class,
/// drawn evenly over all heads, and target probabilities from a Dirichlet distribution over the classes of that head.
/// The concentration of each class is its similarity to the drawn class, times one of `concentrations`. The similarity
/// is the cosine between the weights of two classes, scaled so that the classes of a head go from 0 (10⁻³ here) to 1.
/// Adam optimises the input for a small cross-entropy between the target probabilities and the model's own at
/// `temperature`. If a head has two classes, the other class is always the least similar, so the target is almost
/// certain.
///
/// An input is the tanh of the optimised values, so it stays within −1…1; the paper does not bound it. Inputs are
/// generated again for each consolidation: `samples` × `steps` passes forward and back. A strategy that asks for fresh
/// inputs at each of its steps pays `steps` passes for each of them.
#[options]
#[derive(PartialEq)]
pub struct DataImpressionsConfig {
    /// The number of inputs and the settings of their optimisation.
    #[serde(flatten)]
    pub inversion: InversionSettings,
    /// The temperature of the softmax: the model's logits are divided by it. τ in the paper.
    #[schemars(range(min = 0.01, max = 1000.0))]
    #[default(20.0)]
    pub temperature: f64,
    /// The factors of the concentration, β in the paper. Each input uses one of them, at random with equal
    /// probabilities. Smaller factors give more certain targets.
    #[schemars(length(min = 1, max = 100), inner(range(min = 0.001, max = 1000.0)))]
    #[default(vec![1.0, 0.1])]
    pub concentrations: Vec<f64>,
}

#[plugin(
    kind = "data-impressions",
    paper = "Nayak et al., \"Zero-shot knowledge distillation in deep networks\", ICML 2019, arXiv 1905.08114"
)]
impl SurrogateConfig for DataImpressionsConfig {
    fn validate(&self, _run: &RunDescription) -> Result<(), SurrogateError> {
        if self.concentrations.is_empty() {
            return Err(SurrogateError::Option {
                option: "concentrations",
                problem: "is empty".to_owned(),
                accepted: "at least one factor".to_owned(),
            });
        }
        Ok(())
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let inversion = Inversion { temperature: self.temperature, ..self.inversion.inversion() };
        let concentrations = self.concentrations.clone();
        Ok(Box::new(DataImpressions { samples: self.inversion.samples, inversion, concentrations }))
    }
}

/// The source of impressions. It does not cache inputs, because another consolidation has other models.
#[derive(Debug)]
struct DataImpressions {
    samples: usize,
    inversion: Inversion,
    concentrations: Vec<f64>,
}

impl Surrogate for DataImpressions {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        self.inversion.draw(count, request, |model, random| likely(model, &self.concentrations, random))
    }
}

/// Draws target probabilities that a model's head makes likely for one of its classes.
fn likely(model: &ModelState, factors: &[f64], random: &mut Random) -> Wish {
    let heads = model.heads.iter().enumerate();
    let candidates: Vec<_> =
        heads.flat_map(|(head, spec)| (0..spec.classes.len()).map(move |class| (head, class))).collect();
    let (head, class) = candidates[random.random_range(0..candidates.len())];
    let factor = factors.choose(random).copied().unwrap_or(1.0);
    let weights = model.head_weights(&model.heads[head]);
    let classes = model.heads[head].classes.len();
    let alike = weights.get("weight").map_or_else(|| vec![1.0; classes], |weight| similarities(weight, class));
    let concentrations: Vec<_> = alike.iter().map(|alike| factor * alike.max(LEAST)).collect();
    Wish { head, probabilities: dirichlet(&concentrations, class, random) }
}

/// The cosines between the weights of a class and those of each class of its head, scaled to 0…1. All are 1 if the
/// cosines are equal. `weight` is `[latent, classes]`.
fn similarities(weight: &Values, class: usize) -> Vec<f64> {
    let classes = weight.shape[1];
    let values = weight.numbers.exact();
    let product = |one: usize, other: usize| values.chunks(classes).map(|row| row[one] * row[other]).sum::<f64>();
    let cosine = |other: usize| product(class, other) / (product(class, class) * product(other, other)).sqrt();
    let cosines: Vec<_> = (0..classes).map(|other| if other == class { 1.0 } else { cosine(other) }).collect();
    let least = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    let most = cosines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scaled = |cosine: &f64| if most > least { (cosine - least) / (most - least) } else { 1.0 };
    // A class with zero weights is not similar to any class.
    cosines.iter().map(|cosine| if cosine.is_finite() { scaled(cosine) } else { 0.0 }).collect()
}

/// A draw from a Dirichlet distribution: gamma variates divided by their sum (Devroye 1986, chapter XI, theorem 4.1).
/// If the concentrations are so small that all variates vanish, `class` gets the whole probability.
fn dirichlet(concentrations: &[f64], class: usize, random: &mut Random) -> Vec<f32> {
    let mut variate = |shape: &f64| Gamma::new(*shape, 1.0).map_or(0.0, |gamma| gamma.sample(random));
    let variates: Vec<f64> = concentrations.iter().map(&mut variate).collect();
    let sum = variates.iter().sum::<f64>();
    let share = |(index, variate): (usize, &f64)| {
        if sum > 0.0 && sum.is_finite() { (variate / sum) as f32 } else { f32::from(u8::from(index == class)) }
    };
    variates.iter().enumerate().map(share).collect()
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::host;
    use alluvium_model::{Model, Seed};
    use alluvium_strategy::conformance::{central, check_surrogate, expert};
    use burn::tensor::Device;
    use burn::tensor::activation::softmax;

    use super::*;

    fn config(steps: usize) -> DataImpressionsConfig {
        let inversion = InversionSettings { samples: 10, steps, learning_rate: 0.1, ..Default::default() };
        DataImpressionsConfig { inversion, temperature: 0.1, ..Default::default() }
    }

    fn draw(source: &mut dyn Surrogate, count: usize, seed: u64, heads: &[&str]) -> Inputs {
        let (previous, expert, compute) = (central(heads, 3), expert("c", 2), Device::flex());
        let (input, seed) = (previous.input, Seed::new(seed));
        let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
        source.draw(count, &request).unwrap()
    }

    #[test]
    fn similarities_are_the_ones_worked_out_by_hand() {
        // The classes' weights are (3, 4), (4, 3) and (−3, −4): cosines to the first are 1, 24/25 and −1, scaled
        // 1, 1.96/2 = 0.98 and 0. To the second: 24/25, 1, −24/25, scaled 1.92/1.96, 1 and 0.
        let weight = Values::new(vec![2, 3], vec![3.0, 4.0, -3.0, 4.0, 3.0, -4.0]);
        for (class, expected) in [(0, [1.0, 0.98, 0.0]), (1, [1.92 / 1.96, 1.0, 0.0])] {
            let found = similarities(&weight, class);
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{found:?}");
        }
        assert_eq!(similarities(&Values::new(vec![2, 1], vec![1.0, 2.0]), 0), [1.0]);
        assert_eq!(similarities(&Values::new(vec![1, 2], vec![0.0, 1.0]), 1), [0.0, 1.0]);
    }

    #[test]
    fn probabilities_have_the_mean_of_their_dirichlet_distribution() {
        let mut random = Seed::new(0).random();
        let concentrations = [2.0, 1.0, 0.5, 0.5];
        let mut sums = [0.0; 4];
        for _ in 0..4000 {
            let drawn = dirichlet(&concentrations, 0, &mut random);
            assert!((drawn.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            sums.iter_mut().zip(&drawn).for_each(|(sum, one)| *sum += f64::from(*one));
        }
        // The mean is the share of the concentration; the first one's standard deviation is √(0.25/5) = 0.22, so that
        // the mean of 4000 is within 0.0035 of it.
        for (sum, expected) in sums.iter().zip([0.5, 0.25, 0.125, 0.125]) {
            assert!((sum / 4000.0 - expected).abs() < 0.015, "{sums:?}");
        }
        assert_eq!(dirichlet(&[0.0, 0.0, 0.0], 1, &mut random), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn the_expert_matches_the_targets() {
        // If the previous model does not have heads, all inputs are for the expert.
        let distance = |steps| {
            let source = config(steps).build(&RunDescription::default());
            let inputs = draw(source.unwrap().as_mut(), 10, 0, &[]);
            let state = expert("c", 2).model;
            let model = Model::load(&state, &Device::flex()).unwrap();
            let said = host(softmax(model.forward(inputs).div_scalar(0.1), 1));
            let wished = (0..10).flat_map(|index| {
                let mut random = Seed::new(0).at("inverted input", index).random();
                likely(&state, &[1.0, 0.1], &mut random).probabilities
            });
            said.iter().zip(wished).map(|(said, wished)| (said - wished).abs()).sum::<f32>() / 20.0
        };
        let (noise, found) = (distance(1), distance(80));
        assert!(found < 0.5 * noise, "from {noise} to {found}");
    }

    #[test]
    fn conforms() {
        check_surrogate(&config(10));
    }

    #[test]
    fn an_empty_list_of_factors_is_refused() {
        let config = DataImpressionsConfig { concentrations: vec![], ..config(10) };
        assert!(
            config.validate(&RunDescription::default()).unwrap_err().to_string().contains("`concentrations` is empty")
        );
    }
}
