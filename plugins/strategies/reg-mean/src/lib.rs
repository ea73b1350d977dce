//! The `reg-mean` strategy: linear maps are merged in closed form, so that their outputs change least on what the experts
//! saw.
//!
//! `gram` is what a device computes and sends along, `solution` the algebra.

mod gram;
mod solution;

use std::sync::Arc;

use alluvium_model::{BACKBONE, ModelError, Values, Weights};
use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, DeviceStatistic, Expert, ModelState, Received, Strategy, StrategyConfig, StrategyError,
    StrategyState, expert_parameters,
};
use nalgebra::DMatrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use gram::{GRAM, Gram};
use solution::{as_map, as_weight, matrix, reduced, solve, values};

/// RegMean: linear maps are merged so that their outputs change least on the inputs that the experts saw; each task keeps
/// its head.
///
/// W = (Σ_i G̃_i)⁻¹ Σ_i G̃_i W_i for each linear map, over all experts i so far (eq. 2 of the paper): with G_i = X_iᵀX_i of
/// the rows X_i that expert i multiplies W_i with, this minimises Σ_i ‖X_i W − X_i W_i‖². G̃_i is G_i with the entries off its
/// diagonal multiplied by α (section 3.3). Fully connected layers are linear maps of their inputs, convolutions of their
/// patches. All other parameters, and running statistics of a normalisation, become their mean over the experts. A new head
/// is taken over; one that comes back is merged like any linear map. Needs a backbone that shows its linear maps: `mlp`,
/// `small-cnn` and `slim-resnet18` do.
///
/// As in the authors' code, and unlike eq. 2, G_i is divided by the number of its rows: experts count alike, however many
/// samples they have, and the numbers are of the size of squared inputs. In the paper convolutions are not merged.
///
/// The equation is solved by a Cholesky decomposition in double precision. An input that never occurred has the mean of the
/// experts' weights. α counts as 0.9999 where it is larger: else, what 32-bit numbers leave of a zero would decide on inputs
/// that only occur together.
///
/// The device computes G_i on its own samples with its adapted model, and sends along 4·n² bytes for each linear map of n
/// inputs. For `small-cnn` on 28×28×1 that is 39.8 MB: 4·(9² + 144² + 288² + 3136² + 64²), where the model itself is 0.9 MB.
/// As much is kept between devices, beside three copies of the model. Each consolidation takes O(n³) for each map on one
/// core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegMeanConfig {
    /// α, the factor on the entries off the diagonal of G. 1: the least squares above; 0: a mean of the weights of each
    /// input, weighted by how large the input is. The default is the paper's, but for its T5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub off_diagonal: f64,
    /// How strongly merged weights are pulled towards the mean of the experts: λ, as a share of the mean of the diagonal of
    /// Σ G̃_i.
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub ridge: f64,
    /// How many of its samples a device computes G on, at the most.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub gram_samples: usize,
}

impl Default for RegMeanConfig {
    fn default() -> Self {
        RegMeanConfig { off_diagonal: 0.9, ridge: 1e-2, gram_samples: 1000 }
    }
}

describe!(
    Family::Strategy,
    "reg-mean",
    RegMeanConfig,
    paper: "Jin et al., \"Dataless knowledge fusion by merging weights of language models\", ICLR 2023, arXiv 2212.09849"
);

#[typetag::serde(name = "reg-mean")]
impl StrategyConfig for RegMeanConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![Arc::new(Gram { samples: self.gram_samples })]
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(RegMean { config: self.clone(), received: Received::default(), sums: Sums::default() }))
    }
}

#[derive(Debug)]
struct RegMean {
    config: RegMeanConfig,
    received: Received,
    sums: Sums,
}

/// What later consolidations need of the experts so far, by the full names of their weights.
#[derive(Debug, Default)]
struct Sums {
    /// The mean of every parameter.
    mean: Weights,
    /// W₁, the weight of every linear map at the first expert that had it.
    first: Weights,
    /// Σ G̃ of every linear map, `[inputs, inputs]`.
    grams: Weights,
    /// Σ G̃(W − W₁) of every linear map, `[inputs, outputs]`: rounded to 32 bits, it loses less than Σ G̃W does.
    products: Weights,
}

const MEAN: &str = "mean";
const FIRST: &str = "first";
const PRODUCTS: &str = "products";

impl RegMean {
    /// The means of all parameters that the expert has, over the experts that have them.
    fn averaged(&mut self, expert: &Expert) -> Result<Weights, ModelError> {
        let head = expert.head();
        let of_head = format!("{}.", head.prefix());
        let own = expert_parameters(expert);
        let before = |(name, own): (&str, &Values)| (name.to_owned(), self.sums.mean.get(name).unwrap_or(own).clone());
        let before: Weights = own.iter().map(before).collect();
        let mean = before.combine_named(&own, |name, before, own| {
            let received = &self.received;
            let count = if name.starts_with(&of_head) { received.with_head(&head.name) } else { received.experts() };
            before.values.iter().zip(&own.values).map(|(before, own)| before + (own - before) / count as f32).collect()
        })?;
        mean.iter().for_each(|(name, tensor)| self.sums.mean.insert(name, tensor.clone()));
        Ok(mean)
    }

    /// Takes up what an expert saw of one linear map, and gives the merged weight: W = M + (ΣG̃ + λI)⁻¹ ΣG̃(W_i − M) with
    /// the mean M, which is the equation of [`RegMeanConfig`].
    fn merged(&mut self, name: &str, gram: &Values, weight: &Values, mean: &Values) -> Result<Values, ModelError> {
        let Sums { first, grams, products, .. } = &mut self.sums;
        let map = as_map(name, weight)?;
        let mut gram = reduced(name, gram, map.nrows(), self.config.off_diagonal)?;
        let Some(((before, product), first)) = grams.get(name).zip(products.get(name)).zip(first.get(name)) else {
            products.insert(name, values(&DMatrix::zeros(map.nrows(), map.ncols())));
            grams.insert(name, values(&gram));
            first.insert(name, weight.clone());
            return Ok(weight.clone());
        };
        let first = as_map(name, first)?;
        let product = matrix(product) + &gram * (map - &first);
        gram += matrix(before);
        products.insert(name, values(&product));
        grams.insert(name, values(&gram));
        let mean_map = as_map(name, mean)?;
        let from_mean = product - &gram * (&mean_map - first);
        let from_mean = solve(gram, &from_mean, self.config.ridge).ok_or_else(|| {
            let reason = format!("the Gram matrices of `{name}` have negative eigenvalues, so they are none");
            ModelError::Incompatible { reason }
        })?;
        Ok(as_weight(&(mean_map + from_mean), &mean.shape))
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
            let reason = format!(
                "`reg-mean` merges linear maps, and the backbone \"{}\" shows none; accepted: backbones that do, such as \
                 \"mlp\", \"small-cnn\" and \"slim-resnet18\"",
                expert.model.backbone.typetag_name()
            );
            return Err(ModelError::Incompatible { reason }.into());
        }
        self.received.receive(previous, expert)?;
        let mut merged = self.averaged(expert)?;
        for (name, gram) in grams.iter() {
            let weight_and_mean = expert.model.weights.get(name).zip(merged.get(name));
            let (weight, mean) = weight_and_mean.ok_or_else(|| ModelError::Unknown { name: name.to_owned() })?;
            let solved = self.merged(name, gram, weight, mean)?;
            merged.insert(name, solved);
        }
        self.received.central(previous, expert, &merged)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.received.state();
        let Sums { mean, first, grams, products } = &self.sums;
        for (part, weights) in [(MEAN, mean), (FIRST, first), (GRAM, grams), (PRODUCTS, products)] {
            state.weights.extend_below(part, weights.clone());
        }
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.received = Received::restore(&state)?;
        let parts = [MEAN, FIRST, GRAM, PRODUCTS];
        let [mean, first, grams, products] = parts.map(|part| state.weights.below(part));
        for (part, weights) in parts.iter().zip([&mean, &first, &grams, &products]) {
            if let Some((name, _)) = grams.iter().find(|(name, _)| weights.get(name).is_none()) {
                return Err(StrategyError::State(format!("the weights `{part}` lack `{name}`")));
            }
        }
        self.sums = Sums { mean, first, grams, products };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
