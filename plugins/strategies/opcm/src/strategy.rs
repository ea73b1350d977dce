//! The running strategy, and what it keeps between devices.

use alluvium_model::{Number, Pairwise, Weights};
use alluvium_strategy::{
    Context, Expert, ModelState, RelativeTo, Strategy, StrategyError, StrategyState, TaskVectors, add_scaled,
    difference, parameters,
};

use crate::length::{Lengths, squares};
use crate::projection::project;

#[derive(Debug)]
pub(crate) struct Opcm {
    protected_share: f64,
    vectors: TaskVectors,
    lengths: Lengths,
    /// λ of each consolidation of whole models. Empty unless the strategy works in pieces, which do not show λ.
    scales: Vec<f64>,
}

const SCALE: &str = "scale";
const LENGTHS: &str = "lengths";

impl Opcm {
    pub(crate) fn new(protected_share: f64, scales: Vec<f64>) -> Self {
        Opcm { protected_share, vectors: TaskVectors::default(), lengths: Lengths::default(), scales }
    }
}

/// scale·merged + new.
struct ScaledSum {
    scale: f64,
}

impl Pairwise for ScaledSum {
    fn of<N: Number>(&self, merged: N, new: N) -> N {
        N::rounded(self.scale) * merged + new
    }
}

/// scale·merged + P(vector): with λ_{t−1} and M_{t−1}, what λ_t divides.
pub(crate) fn add_projected(
    scale: f64,
    merged: &Weights,
    vector: &Weights,
    protected_share: f64,
) -> Result<Weights, StrategyError> {
    let mut failed = None;
    let total = merged.combine_named(vector, |name, merged, vector| {
        let projected = project(name, merged, vector, protected_share).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            vector.numbers.clone()
        });
        merged.numbers.combine(&projected, &ScaledSum { scale })
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(total),
    }
}

impl Strategy for Opcm {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(RelativeTo::Initial, previous, expert)?;
        let of_vector = squares(&vector);
        let total = if self.vectors.experts() == 1 {
            vector
        } else {
            let merged = difference(&parameters(previous), self.vectors.base())?;
            add_projected(self.lengths.scale, &merged, &vector, self.protected_share)?
        };
        match self.scales.get(context.device()) {
            Some(scale) => self.lengths.scale = *scale,
            None => self.lengths.receive(&of_vector, &squares(&total), self.vectors.experts()),
        }
        let scale = self.lengths.scale;
        let share = if scale > 0.0 { scale.recip() } else { 0.0 };
        let merged = add_scaled(self.vectors.base(), share, &total)?;
        self.vectors.central(previous, expert, merged)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.vectors.state();
        state.values.insert(SCALE.to_owned(), self.lengths.scale.into());
        state.values.insert(LENGTHS.to_owned(), self.lengths.sum.into());
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let number = |name: &str| {
            let number = state.values.get(name).and_then(serde_json::Value::as_f64);
            number.ok_or_else(|| StrategyError::State(format!("`{name}` is not a number")))
        };
        self.lengths = Lengths { scale: number(SCALE)?, sum: number(LENGTHS)? };
        self.vectors = TaskVectors::restore(&state)?;
        Ok(())
    }
}
