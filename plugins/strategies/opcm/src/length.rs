//! The lengths of changes, and the scale that keeps them.

use std::collections::BTreeMap;

use alluvium_model::Weights;

/// The sum of the squares of each tensor's values.
pub(crate) type Squares = BTreeMap<String, f64>;

/// Of each tensor of a change.
pub(crate) fn squares(vector: &Weights) -> Squares {
    let of = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum();
    vector.iter().map(|(name, tensor)| (name.to_owned(), of(&tensor.values))).collect()
}

/// ‖·‖ of all tensors together.
pub(crate) fn length(squares: &Squares) -> f64 {
    squares.values().sum::<f64>().sqrt()
}

/// The lengths of the experts' changes, and λ. Of 32 bits: the text form of JSON keeps those exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// ‖Δ_1‖ + … + ‖Δ_t‖.
    pub sum: f32,
    /// λ_t of the last consolidation.
    pub scale: f32,
}

impl Default for Lengths {
    fn default() -> Self {
        Lengths { sum: 0.0, scale: 1.0 }
    }
}

impl Lengths {
    /// Takes up the t-th expert's Δ_t, and λ_{t−1}·M_{t−1} + P(Δ_t), which λ_t is to give the mean length.
    pub(crate) fn receive(&mut self, vector: &Squares, total: &Squares, experts: u32) {
        self.sum += length(vector) as f32;
        let mean = f64::from(self.sum) / f64::from(experts);
        // Where no expert changed anything there is no length to keep.
        self.scale = if mean > 0.0 { (length(total) / mean) as f32 } else { 1.0 };
    }
}
