//! The lengths of changes, and the scale that keeps them.

use std::collections::BTreeMap;

use alluvium_model::{Numbers, Values, Weights, Width};
use alluvium_strategy::Scale;

/// The sum of the squares of each tensor's values.
pub(crate) type Squares = BTreeMap<String, Square>;

/// The sum of the squares of a tensor's values, after dividing them by a scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square {
    sum: f64,
    scale: Scale,
    width: Width,
}

/// The squares of each tensor of a change.
pub(crate) fn squares(vector: &Weights) -> Squares {
    let of = |tensor: &Values| match &tensor.numbers {
        Numbers::Single(values) => {
            let sum = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            Square { sum, scale: Scale::default(), width: Width::Single }
        }
        Numbers::Double(values) => {
            let scale = Scale::of(values).unwrap_or_default();
            let sum = values.iter().map(|value| scale.divide(*value).powi(2)).sum();
            Square { sum, scale, width: Width::Double }
        }
    };
    vector.iter().map(|(name, tensor)| (name.to_owned(), of(tensor))).collect()
}

/// ‖·‖ of all tensors together.
pub(crate) fn length(squares: &Squares) -> f64 {
    let largest = squares.values().filter(|square| square.sum > 0.0).map(|square| square.scale).max();
    let largest = largest.unwrap_or_default();
    let in_its_scale = |square: &Square| {
        let once = largest.instead_of(square.scale, square.sum);
        largest.instead_of(square.scale, once)
    };
    largest.multiply(squares.values().map(in_its_scale).sum::<f64>().sqrt())
}

/// The lengths of the experts' changes, and λ. For weights of 32 bits, they have 32 bits, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// ‖Δ_1‖ + … + ‖Δ_t‖.
    pub sum: f64,
    /// λ_t of the last consolidation.
    pub scale: f64,
}

impl Default for Lengths {
    fn default() -> Self {
        Lengths { sum: 0.0, scale: 1.0 }
    }
}

impl Lengths {
    /// Adds the t-th expert's Δ_t, and computes λ_t, which scales λ_{t−1}·M_{t−1} + P(Δ_t) to the mean length.
    pub(crate) fn receive(&mut self, vector: &Squares, total: &Squares, experts: u32) {
        let wide = vector.values().chain(total.values()).any(|square| square.width == Width::Double);
        let rounded = |value: f64| if wide { value } else { f64::from(value as f32) };
        self.sum = rounded(self.sum + rounded(length(vector)));
        let mean = self.sum / f64::from(experts);
        // If no expert changed anything, all lengths are 0.
        self.scale = if mean > 0.0 { rounded(length(total) / mean) } else { 1.0 };
    }
}
