//! The `reg-mean` strategy: merges linear maps in closed form, so that their outputs change least on the experts' inputs.
//!
//! `gram` is what a device computes and sends along, `solution` the algebra.

mod gram;
mod solution;

use std::sync::Arc;

use alluvium_model::{BACKBONE, ModelError, Values, Weights};
use alluvium_strategy::{
    Context, DeviceStatistic, Expert, ModelState, Received, RunDescription, Strategy, StrategyConfig, StrategyError,
    StrategyState, options, plugin,
};
use nalgebra::DMatrix;

use gram::{GRAM, Gram};
use solution::{as_map, as_weight, matrix, regular, solve, values};

/// RegMean: merges linear maps so that their outputs change least on the experts' inputs; each task keeps its head.
///
/// W = (Σ_i G̃_i)⁻¹ Σ_i G̃_i W_i for each linear map, over all experts i so far (eq. 2 of the paper): with G_i = X_iᵀX_i of
/// the rows X_i that expert i multiplies W_i with, this minimises Σ_i ‖X_i W − X_i W_i‖². G̃_i is G_i with the entries off its
/// diagonal multiplied by α (section 3.3). Fully connected layers are linear maps of their inputs, convolutions of their
/// patches; the paper merges fully connected layers only. All other parameters, and running statistics of a normalisation,
/// become their mean over the experts. A new head is copied from the expert; one that comes back is merged like any linear map.
/// The backbone must report its linear maps; all shipped ones do.
///
/// As in the authors' code, and unlike eq. 2, G_i is divided by the number of its rows: experts count the same, however many
/// samples they have, and the numbers are of the order of squared inputs.
///
/// One thing is added: λ_i on the diagonal of G̃_i, which pulls towards a mean of the experts' weights where their inputs
/// determine little. Without it, weights of inputs that are mostly 0 go far beyond those of all experts, and behind a rectifier
/// many inputs are mostly 0: `small-cnn` on five tasks of `split-glyphs` (one seed) ended at 66 % without it, and at 92 to 95 % with
/// `ridge` from 10⁻⁶ to 0.1. The equation is solved by a Cholesky decomposition in double precision; what is sent and kept has
/// 32 bits, which limits the precision for α = 1 and `ridge` below 10⁻³.
///
/// The device computes G_i on its own samples with its adapted model, and sends along 4·n² bytes for each linear map of n
/// inputs. For `small-cnn` on 28×28×1 that is 39.8 MB: 4·(9² + 144² + 288² + 3136² + 64²), where the model itself is 0.9 MB.
/// As much is kept between devices, beside two copies of these maps. Each consolidation takes O(n³) for each map on one
/// core: 15 s for 3136 inputs in the `dev` profile.
#[options]
#[derive(PartialEq)]
pub struct RegMeanConfig {
    /// α, the factor on the entries off the diagonal of G. 1 gives the least squares above; 0 gives a mean of the weights of each
    /// input, weighted by the size of the input. The default is the paper's.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.9)]
    pub off_diagonal: f64,
    /// λ_i as a fraction of the mean of the diagonal of G_i. The paper does not have it.
    #[schemars(range(min = 1e-6, max = 1e6))]
    #[default(1e-3)]
    pub ridge: f64,
    /// The largest number of samples that a device computes G on.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(1000)]
    pub gram_samples: usize,
}

#[plugin(
    kind = "reg-mean",
    paper = "Jin et al., \"Dataless knowledge fusion by merging weights of language models\", ICLR 2023, arXiv \
             2212.09849"
)]
impl StrategyConfig for RegMeanConfig {
    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![Arc::new(Gram { samples: self.gram_samples })]
    }

    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        match &run.backbone {
            Some(backbone) if backbone.linear_maps.is_empty() => Err(without_maps(&backbone.kind)),
            _ => run.linear_heads("merges heads as linear maps of the latents"),
        }
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(RegMean { config: self.clone(), received: Received::default(), sums: Sums::default() }))
    }
}

/// The error for a backbone of this kind, which does not report linear maps.
fn without_maps(kind: &str) -> StrategyError {
    StrategyError::Misfit {
        problem: format!("merges linear maps, but the backbone \"{kind}\" does not report any"),
        accepted: "backbones that do, such as \"mlp\", \"small-cnn\" and \"slim-resnet18\"".to_owned(),
    }
}

#[derive(Debug)]
struct RegMean {
    config: RegMeanConfig,
    received: Received,
    sums: Sums,
}

/// What later consolidations need from the experts so far, by the full names of their weights.
#[derive(Debug, Default)]
struct Sums {
    /// W₁, the weight of every linear map in the first expert that had it.
    first: Weights,
    /// Σ G̃ of every linear map, `[inputs, inputs]`.
    grams: Weights,
    /// Σ G̃(W − W₁) of every linear map, `[inputs, outputs]`: rounded to 32 bits, it loses less precision than Σ G̃W.
    products: Weights,
}

const FIRST: &str = "first";
const PRODUCTS: &str = "products";

impl RegMean {
    /// Adds an expert's G of one linear map, and returns the merged weight. It is computed relative to the first expert's
    /// weight, W = W₁ + (ΣG̃)⁻¹ ΣG̃(W_i − W₁), which equals the equation of the paper.
    fn merged(&mut self, name: &str, gram: &Values, weight: &Values) -> Result<Values, ModelError> {
        let Sums { first, grams, products } = &mut self.sums;
        let map = as_map(name, weight)?;
        let mut gram = regular(name, gram, map.nrows(), self.config.off_diagonal, self.config.ridge)?;
        let Some(((before, product), first)) = grams.get(name).zip(products.get(name)).zip(first.get(name)) else {
            products.insert(name, values(&DMatrix::zeros(map.nrows(), map.ncols())));
            grams.insert(name, values(&gram));
            first.insert(name, weight.clone());
            return Ok(weight.clone());
        };
        if first.shape != weight.shape {
            let (found, expected) = (weight.shape.clone(), first.shape.clone());
            return Err(ModelError::Shape { name: name.to_owned(), found, expected });
        }
        let first = as_map(name, first)?;
        let product = matrix(product) + &gram * (map - &first);
        gram += matrix(before);
        products.insert(name, values(&product));
        grams.insert(name, values(&gram));
        let change = solve(gram, &product).ok_or_else(|| {
            let reason =
                format!("the Gram matrices of `{name}` have negative eigenvalues, which Gram matrices cannot have");
            ModelError::Incompatible { reason }
        })?;
        Ok(as_weight(&(first + change), &weight.shape, weight.width()))
    }
}

impl Strategy for RegMean {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let grams = expert.statistic(GRAM)?;
        if grams.below(BACKBONE).is_empty() {
            return Err(without_maps(expert.model.backbone.typetag_name()));
        }
        self.received.receive(previous, expert)?;
        let mut merged = Weights::new();
        for (name, gram) in grams.iter() {
            let weight = expert.model.weights.get(name);
            let weight = weight.ok_or_else(|| ModelError::Unknown { name: name.to_owned() })?;
            merged.insert(name, self.merged(name, gram, weight)?);
        }
        self.received.central(previous, expert, &merged)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.received.state();
        let Sums { first, grams, products } = &self.sums;
        for (part, weights) in [(FIRST, first), (GRAM, grams), (PRODUCTS, products)] {
            state.weights.extend_below(part, weights.clone());
        }
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.received = Received::restore(&state)?;
        let parts = [FIRST, GRAM, PRODUCTS];
        let [first, grams, products] = parts.map(|part| state.weights.below(part));
        for (part, weights) in parts.iter().zip([&first, &grams, &products]) {
            if let Some((name, _)) = grams.iter().find(|(name, _)| weights.get(name).is_none()) {
                return Err(StrategyError::State(format!("the weights `{part}` lack `{name}`")));
            }
        }
        self.sums = Sums { first, grams, products };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
