//! What the election of signs and the disjoint mean need of all task vectors so far.

use alluvium_model::Weights;
use alluvium_strategy::StrategyError;

/// For each weight, the sum and the number of its positive and of its negative values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SignedSums {
    positive: OneSign,
    negative: OneSign,
}

/// The values of one sign. No tensors before the first vector.
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
        self.positive.add(vector, |value| value > 0.0)?;
        self.negative.add(vector, |value| value < 0.0)
    }

    /// The disjoint merge: the mean of the values that have the sign of the sum of all values.
    pub(crate) fn merged(&self) -> Result<Weights, StrategyError> {
        let elected = self.positive.sum.combine(&self.negative.sum, |positive, negative| positive + negative)?;
        let positive = elected.combine(&self.positive.mean()?, |sum, mean| if sum > 0.0 { mean } else { 0.0 })?;
        let negative = elected.combine(&self.negative.mean()?, |sum, mean| if sum < 0.0 { mean } else { 0.0 })?;
        Ok(positive.combine(&negative, |positive, negative| positive + negative)?)
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
    fn add(&mut self, vector: &Weights, counts: impl Fn(f32) -> bool) -> Result<(), StrategyError> {
        if self.sum.is_empty() {
            let zero = vector.combine(vector, |_, _| 0.0)?;
            *self = OneSign { sum: zero.clone(), count: zero };
        }
        self.sum = self.sum.combine(vector, |sum, value| if counts(value) { sum + value } else { sum })?;
        self.count = self.count.combine(vector, |count, value| if counts(value) { count + 1.0 } else { count })?;
        Ok(())
    }

    /// The mean of the values of this sign; 0 where there are none.
    fn mean(&self) -> Result<Weights, StrategyError> {
        Ok(self.sum.combine(&self.count, |sum, count| if count > 0.0 { sum / count } else { 0.0 })?)
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
