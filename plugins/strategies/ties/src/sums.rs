//! The sums over all task vectors so far that the election of signs and the disjoint mean need.

use alluvium_model::{Number, Pairwise, Weights};
use alluvium_strategy::StrategyError;

/// The sum and the number of the positive and of the negative values of each weight.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SignedSums {
    positive: OneSign,
    negative: OneSign,
}

/// The values of one sign. Empty before the first vector.
#[derive(Debug, Clone, Default, PartialEq)]
struct OneSign {
    sum: Weights,
    count: Weights,
}

const POSITIVE: &str = "positive";
const NEGATIVE: &str = "negative";
const SUM: &str = "sum";
const COUNT: &str = "count";

impl SignedSums {
    /// Adds one trimmed task vector.
    pub(crate) fn add(&mut self, vector: &Weights) -> Result<(), StrategyError> {
        self.positive.add::<Positive>(vector)?;
        self.negative.add::<Negative>(vector)
    }

    /// The disjoint merge: the mean of the values that have the sign of the sum of all values.
    pub(crate) fn merged(&self) -> Result<Weights, StrategyError> {
        let elected = self.positive.sum.combine_by(&self.negative.sum, &Sum)?;
        let positive = elected.combine_by(&self.positive.mean()?, &ElectedMean::<Positive>::default())?;
        let negative = elected.combine_by(&self.negative.mean()?, &ElectedMean::<Negative>::default())?;
        Ok(positive.combine_by(&negative, &Sum)?)
    }

    pub(crate) fn store(&self, weights: &mut Weights) {
        for (name, sign) in [(POSITIVE, &self.positive), (NEGATIVE, &self.negative)] {
            weights.extend_below(&format!("{name}.{SUM}"), sign.sum.clone());
            weights.extend_below(&format!("{name}.{COUNT}"), sign.count.clone());
        }
    }

    pub(crate) fn stored(weights: &Weights) -> Self {
        let sign = |name: &str| OneSign {
            sum: weights.below(&format!("{name}.{SUM}")),
            count: weights.below(&format!("{name}.{COUNT}")),
        };
        SignedSums { positive: sign(POSITIVE), negative: sign(NEGATIVE) }
    }
}

impl OneSign {
    fn add<S: Sign>(&mut self, vector: &Weights) -> Result<(), StrategyError> {
        if self.sum.is_empty() {
            let zero = vector.combine_by(vector, &Zero)?;
            *self = OneSign { sum: zero.clone(), count: zero };
        }
        self.sum = self.sum.combine_by(vector, &SignSum::<S>::default())?;
        self.count = self.count.combine_by(vector, &SignCount::<S>::default())?;
        Ok(())
    }

    /// The mean of the values of this sign; 0 where there are none.
    fn mean(&self) -> Result<Weights, StrategyError> {
        Ok(self.sum.combine_by(&self.count, &MeanOf)?)
    }
}

/// Tells which values have a sign.
trait Sign: Default {
    fn is<N: Number>(value: N) -> bool;
}

#[derive(Default)]
struct Positive;

#[derive(Default)]
struct Negative;

impl Sign for Positive {
    fn is<N: Number>(value: N) -> bool {
        value > N::ZERO
    }
}

impl Sign for Negative {
    fn is<N: Number>(value: N) -> bool {
        value < N::ZERO
    }
}

/// Always 0.
struct Zero;

impl Pairwise for Zero {
    fn of<N: Number>(&self, _own: N, _other: N) -> N {
        N::ZERO
    }
}

struct Sum;

impl Pairwise for Sum {
    fn of<N: Number>(&self, own: N, other: N) -> N {
        own + other
    }
}

/// Adds a value to a sum if it has the sign.
#[derive(Default)]
struct SignSum<S>(S);

impl<S: Sign> Pairwise for SignSum<S> {
    fn of<N: Number>(&self, sum: N, value: N) -> N {
        if S::is(value) { sum + value } else { sum }
    }
}

/// Adds 1 to a count if a value has the sign.
#[derive(Default)]
struct SignCount<S>(S);

impl<S: Sign> Pairwise for SignCount<S> {
    fn of<N: Number>(&self, count: N, value: N) -> N {
        if S::is(value) { count + N::ONE } else { count }
    }
}

/// The mean if the sum of all values has the sign, otherwise 0.
#[derive(Default)]
struct ElectedMean<S>(S);

impl<S: Sign> Pairwise for ElectedMean<S> {
    fn of<N: Number>(&self, sum: N, mean: N) -> N {
        if S::is(sum) { mean } else { N::ZERO }
    }
}

struct MeanOf;

impl Pairwise for MeanOf {
    fn of<N: Number>(&self, sum: N, count: N) -> N {
        if count > N::ZERO { sum / count } else { N::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_model::Values;

    fn vector(values: [f32; 4]) -> Weights {
        [("a".to_owned(), Values::new(vec![4], values.to_vec()))].into_iter().collect()
    }

    #[test]
    fn the_mean_is_taken_over_the_values_of_the_elected_sign() {
        let mut sums = SignedSums::default();
        for values in [[2.0, 1.0, 0.0, 1.0], [4.0, -3.0, 0.0, -1.0], [-1.0, 1.0, -6.0, 0.0]] {
            sums.add(&vector(values)).unwrap();
        }
        // 2 + 4 − 1 > 0: (2 + 4) / 2. 1 − 3 + 1 < 0: −3. Only −6 is not trimmed. 1 − 1 = 0 elects nothing.
        assert_eq!(sums.merged().unwrap(), vector([3.0, -3.0, -6.0, 0.0]));
    }

    #[test]
    fn sums_are_stored_and_found_again() {
        let mut sums = SignedSums::default();
        sums.add(&vector([2.0, -1.0, 0.0, 1.0])).unwrap();
        let mut weights = Weights::new();
        sums.store(&mut weights);
        assert_eq!(SignedSums::stored(&weights), sums);
        assert_eq!(SignedSums::stored(&Weights::new()), SignedSums::default());
    }
}
