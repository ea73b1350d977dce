//! Checks that a strategy gives the same numbers in pieces as on whole models.

use std::collections::BTreeMap;

use alluvium_model::{Expert, ModelState, Numbers, Seed, Values, Weights, Width};
use burn::tensor::Device;

use super::doubles::{build, central, expert, run_description};
use crate::{Context, Cut, DataAccess, Grain, Piece, StrategyConfig};

/// Checks that a strategy gives the same weights in pieces as on whole models, bit for bit.
pub(super) fn is_the_same_in_pieces(config: &dyn StrategyConfig) {
    let Some(strategy) = config.piecewise(&run_description()) else { return };
    assert_eq!(config.data_access(), DataAccess::None, "a strategy that works in pieces must not need data");
    assert!(config.statistics().is_empty(), "a strategy that works in pieces must not need statistics");
    let sizes = match strategy.grain() {
        Grain::Value => vec![1, 7, usize::MAX],
        Grain::Tensor => vec![usize::MAX],
    };
    // The head `a` is new to one centre and returns to the other. The third expert brings it again.
    let experts = ["a", "b", "a"].into_iter().zip(1..).map(|(head, seed)| {
        let mut expert = expert(head, seed);
        add_statistic(&mut expert.model, seed);
        expert
    });
    let experts: Vec<_> = experts.collect();
    let previous = [&[][..], &["a", "c"]].map(|heads| {
        let mut previous = central(heads, 9);
        add_statistic(&mut previous, 9);
        previous
    });
    // Models of 32 bits, of 64 bits, and mixed: only the first expert has 64 bits, or only it has 32.
    for (previous, wide) in previous.iter().flat_map(|previous| {
        [[false; 4], [true; 4], [false, true, false, false], [true, false, true, true]].map(|wide| (previous, wide))
    }) {
        let (mut previous, mut experts) = (previous.clone(), experts.clone());
        let models = [&mut previous].into_iter().chain(experts.iter_mut().map(|expert| &mut expert.model));
        models.zip(wide).filter(|(_, wide)| *wide).for_each(|(model, _)| widen(&mut model.weights));
        for (size, rounds) in sizes.iter().flat_map(|size| [(size, &[3][..]), (size, &[1, 2])]) {
            let whole = whole(config, &previous, &experts, rounds);
            let merged = in_pieces(config, cuts(&previous, &experts, rounds, *size));
            for (name, tensor) in whole.weights.iter() {
                let merged = merged.get(name).unwrap_or_else(|| panic!("`{name}` is lost in pieces of {size}"));
                let same = bits(merged) == bits(&tensor.numbers);
                assert!(same, "`{name}` in pieces of {size} is {merged:?}, of the whole model {:?}", tensor.numbers);
                let width = if wide[0] { Width::Double } else { Width::Single };
                let keeps = tensor.width() == width || wide.iter().any(|other| *other != wide[0]);
                assert!(keeps, "`{name}` comes back in {:?} precision, but the models have {width:?}", tensor.width());
            }
            assert_eq!(
                merged.len(),
                whole.weights.len(),
                "consolidation in pieces of {size} makes other tensors than the whole model has"
            );
        }
    }
}

/// Widens the weights to 64 bits, with digits that 32 bits cannot hold.
fn widen(weights: &mut Weights) {
    let wide = |value: &f64| value * (1.0 + 3e-10);
    let widened = weights.iter().map(|(name, tensor)| {
        let values: Vec<f64> = tensor.numbers.exact().iter().map(wide).collect();
        (name.to_owned(), Values::of(tensor.shape.clone(), values))
    });
    *weights = widened.collect();
}

/// The bits of all numbers, and their width.
fn bits(numbers: &Numbers) -> (Width, Vec<u64>) {
    (numbers.width(), numbers.exact().iter().map(|value| value.to_bits()).collect())
}

fn seed() -> Seed {
    Seed::new(7)
}

/// Consolidates the whole models. `rounds` holds the number of experts of each round.
fn whole(config: &dyn StrategyConfig, previous: &ModelState, experts: &[Expert], rounds: &[usize]) -> ModelState {
    let mut strategy = build(config, &run_description());
    let (mut central, mut before) = (previous.clone(), 0);
    for size in rounds {
        let round: Vec<_> = experts[before..before + size].iter().collect();
        let mut context = Context::new(&Device::flex(), seed(), before);
        central = strategy
            .consolidate_round(&central, &round, &mut context)
            .unwrap_or_else(|error| panic!("the strategy must consolidate: {error}"));
        before += size;
    }
    central
}

/// Adds a running statistic, as a normalisation has it.
fn add_statistic(model: &mut ModelState, seed: u64) {
    let values = (1..=9).map(|n| n as f32 / (seed as f32 + 0.7)).collect();
    model.weights.insert("backbone.norm.running_var", Values::new(vec![9], values));
}

/// Consolidates in these pieces, and returns the values of each tensor.
fn in_pieces(config: &dyn StrategyConfig, cuts: Vec<Cut>) -> BTreeMap<String, Numbers> {
    let mut strategy = config.piecewise(&run_description()).expect("the strategy works in pieces");
    let compute = Device::flex();
    let experts = cuts[0].experts.len();
    while let Some(survey) = strategy.survey(experts) {
        for cut in &cuts {
            let mut cut = cut.clone();
            cut.experts.truncate(survey.experts(experts));
            let previous = cut.met(survey, strategy.as_ref(), &compute, seed());
            let previous = previous.unwrap_or_else(|error| panic!("the strategy must consolidate a piece: {error}"));
            survey
                .show(&cut, previous.as_ref(), strategy.as_mut())
                .unwrap_or_else(|error| panic!("the strategy must survey a piece: {error}"));
        }
        strategy.surveyed();
    }
    let mut merged = BTreeMap::<_, Vec<Numbers>>::new();
    for cut in &cuts {
        let values = cut
            .consolidate(strategy.as_ref(), &compute, seed())
            .unwrap_or_else(|error| panic!("the strategy must consolidate a piece: {error}"));
        let values = values.unwrap_or_else(|| panic!("the strategy loses the piece {:?}", cut.piece)).numbers;
        merged.entry(cut.piece.tensor.clone()).or_default().push(values);
    }
    merged.into_iter().map(|(name, pieces)| (name, joined(pieces))).collect()
}

fn joined(pieces: Vec<Numbers>) -> Numbers {
    let width = pieces[0].width();
    assert!(pieces.iter().all(|piece| piece.width() == width), "all pieces of a tensor have one width");
    Numbers::rounded(pieces.iter().flat_map(|piece| piece.exact().into_owned()), width)
}

/// All pieces of all tensors. The last tensor comes first, because the order of tensors is not guaranteed.
fn cuts(previous: &ModelState, experts: &[Expert], rounds: &[usize], size: usize) -> Vec<Cut> {
    let models = experts.iter().map(|expert| &expert.model).chain([previous]);
    let shapes = models.flat_map(|model| model.weights.iter().map(|(name, tensor)| (name, tensor.shape.clone())));
    let shapes: BTreeMap<_, _> = shapes.collect();
    let mut cuts = vec![];
    for (name, shape) in shapes.into_iter().rev() {
        let count = shape.iter().product();
        for start in (0..count).step_by(size) {
            let values = start..count.min(start.saturating_add(size));
            let piece = Piece { tensor: name.to_owned(), shape: shape.clone(), values };
            cuts.push(Cut::of(piece, previous, experts, rounds));
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Piecewise, RunDescription, Strategy, StrategyError, value_by_value};

    /// Divides the expert's weights by the largest value of each tensor, which a single piece does not know.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Largest {}

    #[typetag::serde(name = "pieces-test")]
    impl StrategyConfig for Largest {
        fn data_access(&self) -> DataAccess {
            DataAccess::None
        }

        fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
            Ok(Box::new(Largest {}))
        }

        fn piecewise(&self, run: &RunDescription) -> Option<Box<dyn Piecewise>> {
            Some(value_by_value(self, run))
        }
    }

    impl Strategy for Largest {
        fn consolidate(
            &mut self,
            previous: &ModelState,
            expert: &Expert,
            _context: &mut Context<'_>,
        ) -> Result<ModelState, StrategyError> {
            let mut central = previous.clone();
            for (name, tensor) in expert.model.weights.iter() {
                let largest = tensor.numbers.exact().iter().copied().fold(0.0, f64::max);
                central.weights.insert(name, tensor.map(|value| value / largest));
            }
            Ok(central)
        }
    }

    #[test]
    #[should_panic(expected = "in pieces of 1 is")]
    fn a_strategy_that_looks_beyond_its_piece_is_found_out() {
        is_the_same_in_pieces(&Largest {});
    }
}
