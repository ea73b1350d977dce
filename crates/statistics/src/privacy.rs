//! What bounds how much sums tell about a sample: the smallest class, and noise with a stated ε and δ.
//!
//! # The sensitivity of the joint release
//!
//! A device releases, at once, the number of samples n_k and the sum Σψ of each class, and Σψψᵀ, of all samples or of each class.
//! With noise, every sample's features are divided by their length, so ‖ψ‖ = 1. A device with one sample more has one n_k that is
//! larger by 1, one Σψ that differs by ψ, of length 1, and one Σψψᵀ that differs by ψψᵀ. Its diagonal and √2 times the entries
//! below it, which are sent once, have the length ‖ψψᵀ‖ = 1. So all these numbers together differ by at most √3 in the Euclidean
//! norm, or by √2 without Σψψᵀ. Normal noise of the standard deviation σ·√3 on every one of them, which is σ·√3/√2 on an entry
//! below the diagonal, makes the release (ε, δ)-differentially private for one sample added or left out, where σ is the smallest number with
//! Φ(1/2σ − εσ) − e^ε Φ(−1/2σ − εσ) ≤ δ (Balle & Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018,
//! arXiv 1805.06530, theorem 8), for any ε > 0. A sample that is replaced by another one counts twice.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use alluvium_model::Seed;
use alluvium_strategy::StrategyError;

use crate::ClassSums;
use crate::sums::Moments;

/// The options that bound what sums tell about a sample: to be flattened into the options of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Privacy {
    /// The fewest samples of a class that a statistic may describe. A device leaves a class with fewer samples out and names it.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub smallest_class: usize,
    /// ε of the noise that a device adds to its sums; without it, there is no noise. It holds for one sample added or left out, with
    /// `delta`, for the sums alone: the model that the device sends alongside is not covered. Features then have length 1. The
    /// noise is drawn from the run's seed, so that a run can be repeated: a device that must be private draws it from a secret source.
    #[schemars(range(min = 0.001, max = 1000.0))]
    pub epsilon: Option<f64>,
    /// δ of the noise.
    #[schemars(range(min = 1e-12, max = 0.1))]
    pub delta: f64,
}

impl Default for Privacy {
    fn default() -> Self {
        Privacy { smallest_class: 5, epsilon: None, delta: 1e-5 }
    }
}

impl Privacy {
    /// Checks that δ is set only with ε, where it has an effect.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    pub fn validate(&self) -> Result<(), StrategyError> {
        if self.epsilon.is_none() && self.delta != Privacy::default().delta {
            let problem = "has no effect without `epsilon`".to_owned();
            return Err(StrategyError::Option { option: "delta", problem, accepted: "`epsilon` as well".to_owned() });
        }
        Ok(())
    }

    /// The noise of each number, if there is any.
    pub fn noise(&self, moments: Moments) -> Option<NoiseScale> {
        self.epsilon.map(|epsilon| NoiseScale::of(epsilon, self.delta, moments))
    }

    /// What the noise means, in words.
    pub fn in_words(&self) -> String {
        match self.epsilon {
            None => format!("classes of fewer than {} samples are left out; no noise", self.smallest_class),
            Some(epsilon) => format!(
                "with noise of ε = {epsilon} and δ = {:e} for one sample more or less, which covers the sums and not the model that is \
                 sent alongside",
                self.delta
            ),
        }
    }
}

/// The standard deviation of the noise on every number that is released.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseScale(pub f64);

impl NoiseScale {
    /// The noise of a joint release of sums over features of length 1.
    pub fn of(epsilon: f64, delta: f64, moments: Moments) -> Self {
        let parts: f64 = if moments == Moments::Means { 2.0 } else { 3.0 };
        NoiseScale(parts.sqrt() * smallest_deviation(epsilon, delta))
    }

    /// A bound that the eigenvalues of the noise in Σψψᵀ over this many devices hardly exceed: σ√(2d·devices) for d features, with the
    /// standard deviation σ on the diagonal and σ/√2 off it (Wigner's semicircle).
    pub fn spread(self, features: usize, devices: usize) -> f64 {
        self.0 * ((2 * features * devices) as f64).sqrt()
    }

    /// Adds noise to every number of the sums.
    pub(crate) fn add_to(self, sums: &mut ClassSums, seed: Seed) {
        let mut random = seed.of("noise").random();
        for (weight, number) in sums.numbers_mut() {
            let drawn: f64 = StandardNormal.sample(&mut random);
            *number += weight * self.0 * drawn;
        }
    }
}

/// The smallest standard deviation of normal noise that is (ε, δ)-differentially private for a sensitivity of 1.
fn smallest_deviation(epsilon: f64, delta: f64) -> f64 {
    let normal = Normal::standard();
    let spent = |deviation: f64| {
        let (half, cost) = (0.5 / deviation, epsilon * deviation);
        normal.cdf(half - cost) - epsilon.exp() * normal.cdf(-half - cost)
    };
    let (mut low, mut high) = (1e-6, 1.0);
    while spent(high) > delta && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if spent(middle) > delta { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_that_of_the_analytic_gaussian_mechanism() {
        // Theorem 8 solved with scipy's normal distribution and root finder, for δ = 10⁻⁵.
        for (epsilon, expected) in [(0.5, 7.031_826_675), (1.0, 3.730_631_634), (10.0, 0.499_888_619)] {
            let found = smallest_deviation(epsilon, 1e-5);
            assert!((found - expected).abs() < 1e-6 * expected, "{epsilon}: {found}");
        }
    }

    #[test]
    fn delta_alone_is_refused() {
        let error = Privacy { delta: 1e-6, ..Privacy::default() }.validate().unwrap_err().to_string();
        assert!(error.contains("`delta`") && error.contains("`epsilon`"), "{error}");
        Privacy { epsilon: Some(1.0), delta: 1e-6, ..Privacy::default() }.validate().unwrap();
    }
}
