//! Statistics over seeds: a mean with its confidence interval, and the paired difference of two rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::mean::mean;

/// A mean over seeds with its 95 % confidence interval.
///
/// mean ± t₀.₉₇₅,ₙ₋₁ · s / √n, with s the sample standard deviation (n − 1 in the denominator) and t the
/// quantile of Student's distribution. The interval is for the mean over seeds of this configuration, not for single runs. With
/// the usual three to five seeds, it is wide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean of the samples.
    pub mean: f64,
    /// The lower end of the interval; `None` for one sample, because one sample has no spread.
    pub ci95_low: Option<f64>,
    /// The upper end of the interval; `None` if the lower end is.
    pub ci95_high: Option<f64>,
    /// The number of samples, at least 1.
    pub n: usize,
}

/// The mean difference of two rows over their common seeds, and its p-value.
///
/// Two rows under one seed share the order of the data, the initial weights and the first device. So the differences seed by seed
/// show more than the two means do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// The mean difference, with its interval; `n` is the number of shared seeds.
    pub estimate: Estimate,
    /// The two-sided p-value of the paired t-test, in \[0, 1\]: the probability of a mean difference at least as large if there
    /// is no true difference. It is not corrected for the number of comparisons. `None` for one common seed.
    pub p_value: Option<f64>,
}

impl Estimate {
    /// The estimate from these samples; `None` if there are none, or if one is not finite.
    ///
    /// Equal samples give an interval of width 0.
    pub fn from_samples(samples: &[f64]) -> Option<Self> {
        if samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        let mean = mean(samples.iter().copied())?;
        let half_width =
            standard_error(samples, mean).and_then(|error| Some(student(samples.len())?.inverse_cdf(0.975) * error));
        Some(Self {
            mean,
            ci95_low: half_width.map(|half| mean - half),
            ci95_high: half_width.map(|half| mean + half),
            n: samples.len(),
        })
    }

    /// Half the width of the interval: the number after ± in a table. `None` for one sample.
    pub fn half_width(&self) -> Option<f64> {
        Some((self.ci95_high? - self.ci95_low?) / 2.0)
    }
}

impl PairedDifference {
    /// `row` − `baseline` over their common seeds; `None` if they have none. Both are values by seed.
    ///
    /// The t-test does not cover differences without variance. They give p = 1 if all are 0, and p = 0 if all are the same other
    /// number, which are the limits of the test.
    pub fn by_seed(row: &BTreeMap<u64, f64>, baseline: &BTreeMap<u64, f64>) -> Option<Self> {
        let differences: Vec<f64> =
            row.iter().filter_map(|(seed, value)| Some(difference(*value, *baseline.get(seed)?))).collect();
        let estimate = Estimate::from_samples(&differences)?;
        let p_value =
            standard_error(&differences, estimate.mean).and_then(|error| p_value(estimate.mean, error, estimate.n));
        Some(Self { estimate, p_value })
    }

    /// Whether the difference is significant at the 5 % level, without correction for several comparisons.
    pub fn is_significant(&self) -> bool {
        self.p_value.is_some_and(|p| p < 0.05)
    }
}

/// The difference of two means. Equal means whose sums were rounded differently differ by nothing: tiny differences of one sign would
/// count as significant.
fn difference(value: f64, baseline: f64) -> f64 {
    let difference = value - baseline;
    if difference.abs() <= ROUNDING * value.abs().max(baseline.abs()) { 0.0 } else { difference }
}

/// The largest relative difference that rounding explains: some thousand roundings of 64-bit numbers.
const ROUNDING: f64 = 1e-12;

/// s / √n, the standard error of the mean; `None` for fewer than two samples.
fn standard_error(samples: &[f64], mean: f64) -> Option<f64> {
    if samples.len() < 2 {
        return None;
    }
    let n = samples.len() as f64;
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    Some((squares / (n - 1.0) / n).sqrt())
}

/// The two-sided p-value of a mean with this standard error, from `n` samples, under a true mean of 0.
fn p_value(mean: f64, error: f64, n: usize) -> Option<f64> {
    if error == 0.0 {
        return Some(if mean == 0.0 { 1.0 } else { 0.0 });
    }
    Some(2.0 * student(n)?.sf((mean / error).abs()))
}

/// Student's distribution for the mean of `n` samples, n − 1 degrees of freedom; `None` for fewer than two.
fn student(n: usize) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, n.saturating_sub(1) as f64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    fn by_seed(values: &[f64]) -> BTreeMap<u64, f64> {
        (1..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn equal_means_that_were_rounded_differently_do_not_differ() {
        // Both sums are 2.85, and their floating-point sums are not the same.
        let (one, other) = (0.925 + 0.925 + 1.0, 0.975 + 0.925 + 0.95);
        assert_ne!(one, other, "the order of the sum matters here");
        let difference = PairedDifference::by_seed(&by_seed(&[one; 3]), &by_seed(&[other; 3])).expect("three pairs");
        assert_eq!((difference.estimate.mean, difference.p_value), (0.0, Some(1.0)));
        assert!(!difference.is_significant());
        // A difference that is really there is kept, however small.
        let real = PairedDifference::by_seed(&by_seed(&[0.5 + 1e-9; 3]), &by_seed(&[0.5; 3])).expect("three pairs");
        assert!(real.estimate.mean > 0.0);
    }

    #[test]
    fn the_interval_of_three_samples() {
        // 1, 2, 3: s = 1, so the half-width is t / √3. With two degrees of freedom the quantile has a closed
        // form, t = (2p − 1) / √(2p(1 − p)) = 0.95 / √0.04875 = 4.302652729911…, as in any t-table (4.303).
        let estimate = Estimate::from_samples(&[1.0, 2.0, 3.0]).expect("three samples");
        let half = 4.302_652_729_911_275 / 3.0_f64.sqrt();
        assert_close(estimate.mean, 2.0);
        assert_close(estimate.ci95_low.expect("an interval"), 2.0 - half);
        assert_close(estimate.ci95_high.expect("an interval"), 2.0 + half);
        assert_close(estimate.half_width().expect("an interval"), half);
        assert_eq!(estimate.n, 3);
    }

    #[test]
    fn quantiles_agree_with_the_table() {
        // t₀.₉₇₅ as printed in the NIST/SEMATECH e-Handbook, section 1.3.6.7.2, to three places.
        for (freedom, quantile) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (99, 1.984)] {
            let found = student(freedom + 1).expect("two or more samples").inverse_cdf(0.975);
            assert!((found - quantile).abs() < 6e-4, "{freedom}: {found}");
        }
    }

    #[test]
    fn one_sample_has_no_interval() {
        let estimate = Estimate::from_samples(&[0.5]).expect("one sample");
        assert_eq!((estimate.mean, estimate.n), (0.5, 1));
        assert_eq!((estimate.ci95_low, estimate.ci95_high), (None, None));
        assert_eq!(estimate.half_width(), None);
    }

    #[test]
    fn equal_samples_have_an_interval_of_width_zero() {
        let estimate = Estimate::from_samples(&[0.7, 0.7, 0.7]).expect("three samples");
        assert_eq!(estimate.ci95_low, Some(0.7));
        assert_eq!(estimate.ci95_high, Some(0.7));
    }

    #[test]
    fn nothing_and_nan_give_no_estimate() {
        assert_eq!(Estimate::from_samples(&[]), None);
        assert_eq!(Estimate::from_samples(&[0.1, f64::NAN]), None);
    }

    #[test]
    fn the_paired_t_test_of_three_differences() {
        // Differences 1, 2, 3: mean 2, standard error 1 / √3, t = 2√3. With two degrees of freedom
        // p = 1 − t / √(2 + t²) = 1 − √12 / √14.
        let found =
            PairedDifference::by_seed(&by_seed(&[2.0, 4.0, 6.0]), &by_seed(&[1.0, 2.0, 3.0])).expect("three pairs");
        assert_close(found.estimate.mean, 2.0);
        assert_close(found.p_value.expect("three pairs"), 1.0 - (12.0_f64 / 14.0).sqrt());
        assert!(!found.is_significant());
    }

    #[test]
    fn a_difference_and_its_opposite_are_equally_surprising() {
        let (a, b) = (by_seed(&[0.9, 0.8, 0.9]), by_seed(&[0.5, 0.5, 0.4]));
        let (up, down) =
            (PairedDifference::by_seed(&a, &b).expect("pairs"), PairedDifference::by_seed(&b, &a).expect("pairs"));
        assert_eq!(up.p_value, down.p_value);
        assert!(up.is_significant());
    }

    #[test]
    fn only_shared_seeds_are_paired() {
        let row = BTreeMap::from([(1, 0.5), (2, 0.75), (9, 1.0)]);
        let baseline = BTreeMap::from([(2, 0.25), (3, 0.0), (1, 0.25)]);
        let found = PairedDifference::by_seed(&row, &baseline).expect("two pairs");
        // (0.5 − 0.25 + 0.75 − 0.25) / 2
        assert_eq!((found.estimate.mean, found.estimate.n), (0.375, 2));

        let apart = BTreeMap::from([(4, 0.5)]);
        assert_eq!(PairedDifference::by_seed(&row, &apart), None);
    }

    #[test]
    fn differences_without_variance_are_the_limits_of_the_test() {
        let a = by_seed(&[0.25, 0.5, 0.75]);
        let b = by_seed(&[0.5, 0.75, 1.0]);
        let none = PairedDifference::by_seed(&a, &a).expect("pairs");
        assert_eq!((none.estimate.mean, none.p_value), (0.0, Some(1.0)));
        let constant = PairedDifference::by_seed(&b, &a).expect("pairs");
        assert_eq!((constant.estimate.mean, constant.p_value), (0.25, Some(0.0)));
        assert_eq!(constant.estimate.half_width(), Some(0.0));
    }

    #[test]
    fn one_pair_has_no_p_value() {
        let found = PairedDifference::by_seed(&by_seed(&[0.5]), &by_seed(&[0.25])).expect("a pair");
        assert_eq!(found.p_value, None);
        assert!(!found.is_significant());
    }
}
