//! Low-rank updates: a model learns two small factors for each weight, which stays itself.

use std::collections::BTreeMap;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::shown;
use super::{Learning, LearningMisfit, NamePattern};
use crate::{BACKBONE, LowRank, Model, ModelState, Seed, Share};

/// Low-rank updates (LoRA; Hu et al., arXiv 2106.09685, eq. 3): a weight W of the backbone stays, and W + (`alpha` / `rank`)·BA acts
/// in its place, where only B and A learn. A convolution's weight is a matrix with one row an output channel. Biases and
/// normalisations stay; heads learn whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct LowRankSettings {
    /// The rank of an update. A weight whose factors would be no smaller than itself learns whole.
    #[schemars(range(min = 1, max = 4096))]
    pub rank: usize,
    /// The scale of an update, before it is divided by the rank.
    #[schemars(range(min = 0.0001, max = 10_000.0))]
    pub alpha: f64,
    /// Patterns of the names of the weights that get factors, among those of fully connected layers and convolutions.
    #[schemars(length(min = 1, max = 1024))]
    pub weights: Vec<NamePattern>,
    /// Patterns of the names of parameters of the backbone that learn whole, such as `*.bias`.
    #[schemars(length(max = 1024))]
    pub whole: Vec<NamePattern>,
}

impl Default for LowRankSettings {
    fn default() -> Self {
        LowRankSettings { rank: 4, alpha: 8.0, weights: vec!["*".into()], whole: vec![] }
    }
}

/// What burn puts behind the name of a weight for its factors.
const LEFT: &str = ".lora.a";
const RIGHT: &str = ".lora.b";

impl LowRankSettings {
    /// Whether a weight of this name and shape gets factors: it is a matrix or a convolution, `weights` names it, and the factors
    /// are smaller.
    fn factored(&self, name: &str, shape: &[usize]) -> bool {
        self.chosen(name, shape) && {
            let [rows, columns] = matrix(shape);
            self.rank * (rows + columns) < rows * columns
        }
    }

    /// Whether this is a weight that `weights` names.
    fn chosen(&self, name: &str, shape: &[usize]) -> bool {
        matches!(shape.len(), 2 | 4)
            && name.ends_with("weight")
            && NamePattern::any(&self.weights, &format!("{BACKBONE}.{name}"))
    }

    /// How a parameter of the backbone learns. Factors begin as those of the paper: one is random, uniform within 1/√inputs, the
    /// other is zero, so that the update is zero.
    pub(crate) fn share(&self, name: &str, shape: &[usize], seed: Seed) -> Share {
        let whole = NamePattern::any(&self.whole, &format!("{BACKBONE}.{name}"));
        if whole || (self.chosen(name, shape) && !self.factored(name, shape)) {
            return Share::Whole;
        }
        if !self.factored(name, shape) {
            return Share::Stays;
        }
        let [rows, columns] = matrix(shape);
        // The weight of a fully connected layer is [inputs, outputs], that of a convolution [outputs, inputs].
        let inputs = if shape.len() == 2 { rows } else { columns };
        let bound = (inputs as f32).sqrt().recip();
        let mut random = seed.of(name).random();
        let mut drawn = || (0..self.rank * inputs).map(|_| random.random_range(-bound..bound)).collect();
        let (left, right) = match shape.len() {
            2 => (drawn(), vec![0.0; self.rank * columns]),
            _ => (vec![0.0; rows * self.rank], drawn()),
        };
        Share::LowRank { left, right, scale: self.alpha / self.rank as f64 }
    }

    /// The first setting that does not go with how the model learns, or with a backbone whose parameters have these names and shapes.
    pub fn misfit(&self, learning: &Learning, shapes: &BTreeMap<String, Vec<usize>>) -> Option<LearningMisfit> {
        let misfit = |path, problem, accepted| Some(LearningMisfit { path, problem, accepted });
        if learning.average.is_some() {
            let problem = "does not go with `lora`: a mean of factors is not a mean of weights".to_owned();
            return misfit(&["average"], problem, "no `average`, or no `lora`".to_owned());
        }
        if shapes.is_empty() {
            return None;
        }
        let names = || shapes.keys().map(|name| format!("{BACKBONE}.{name}")).collect::<Vec<_>>();
        if let Some(idle) = self.whole.iter().find(|one| !names().iter().any(|name| one.fits(name))) {
            let problem = format!("names \"{}\", which fits no parameter", idle.0);
            return misfit(&["lora", "whole"], problem, shown(&names()));
        }
        let chosen: Vec<_> = shapes.iter().filter(|(name, shape)| self.chosen(name, shape)).collect();
        if chosen.is_empty() {
            let problem = "name no weight of a fully connected layer or a convolution".to_owned();
            return misfit(&["lora", "weights"], problem, shown(&names()));
        }
        if !chosen.iter().any(|(name, shape)| self.factored(name, shape)) {
            let most = |shape: &[usize]| {
                let [rows, columns] = matrix(shape);
                (rows * columns - 1) / (rows + columns)
            };
            let most = chosen.iter().map(|(_, shape)| most(shape)).max().unwrap_or(0);
            let problem = format!("= {} makes the factors of every weight as large as the weight itself", self.rank);
            let accepted = if most == 0 { "no `lora`".to_owned() } else { format!("at most {most}") };
            return misfit(&["lora", "rank"], problem, accepted);
        }
        None
    }
}

/// The rows and columns of a weight as a matrix.
fn matrix(shape: &[usize]) -> [usize; 2] {
    [shape[0], shape[1..].iter().product()]
}

impl Model {
    /// Gives the backbone's weights factors that learn in their place. The model must be newly loaded, on an autodiff device.
    pub fn add_low_rank(&mut self, settings: &LowRankSettings, seed: Seed) {
        self.backbone.add_low_rank(&mut |name, shape| settings.share(name, shape, seed));
        self.scale = settings.alpha / settings.rank as f64;
    }

    /// The model as plain data, and the factors of its weights by their names. A weight with factors is still as it was loaded.
    pub fn into_state_and_factors(self) -> (ModelState, BTreeMap<String, LowRank>) {
        let (mut state, scale) = (self.state(), self.scale);
        let named = std::mem::take(&mut state.weights);
        let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
        for (name, values) in named.iter() {
            match (name.strip_suffix(LEFT), name.strip_suffix(RIGHT)) {
                (Some(weight), _) => left.insert(weight.to_owned(), values.clone()),
                (_, Some(weight)) => right.insert(weight.to_owned(), values.clone()),
                _ => {
                    state.weights.insert(name, values.clone());
                    None
                }
            };
        }
        let factors = left.into_iter().filter_map(|(name, left)| {
            let right = right.remove(&name)?;
            Some((name, LowRank { left, right, scale }))
        });
        (state, factors.collect())
    }
}
