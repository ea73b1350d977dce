//! Ridge regression of the classes on features, from sums alone.
//!
//! With the features ψ of n samples and the indicator y of their class, W and b minimise Σ ‖y − Wᵀψ − b‖² + λ‖W‖². With
//! A = Σψψᵀ − nμμᵀ, where μ is the mean of all features, and B = Σψyᵀ − nμȳᵀ, (A + λI) W = B and b = ȳ − Wᵀμ. This is what all
//! samples together would give, in any order: analytic learning (Zhuang et al., ACIL, NeurIPS 2022, arXiv 2205.14922) and
//! analytic federated learning (He et al., AFL, arXiv 2405.16240), there without the bias.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use alluvium_model::ModelError;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::prelude::Solve;
use faer::{Mat, Par, Side};

use crate::{ClassSums, Symmetric};

/// A solution.
#[derive(Debug, Clone)]
pub struct Ridge {
    /// The classes, in ascending order: the columns of the weight.
    pub classes: Vec<usize>,
    /// W, `[features, classes]`.
    pub weight: Mat<f64>,
    /// b, one for each class.
    pub bias: Vec<f64>,
    /// λ as a fraction of the mean variance of a feature times the number of samples, tr A / d.
    pub ridge: f64,
}

/// The λ that are compared, as powers of ten: −6, −5.5 … 2, times tr A / d.
const LARGEST: i32 = 4;
const SMALLEST: i32 = -12;

/// The centred sums.
struct Problem {
    gram: Mat<f64>,
    products: Mat<f64>,
    /// Σ ‖y − ȳ‖².
    squares: f64,
    samples: f64,
    /// tr A / d.
    unit: f64,
}

/// One λ: the solution and its score by generalised cross-validation.
struct Attempt {
    weight: Mat<f64>,
    score: f64,
}

/// How λ is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// By generalised cross-validation.
    CrossValidation,
    /// This fraction of tr A / d.
    Fraction(f64),
    /// This number, for noisy sums, whose residual cross-validation would believe. Negative eigenvalues of A become 0.
    Noisy(f64),
}

/// Solves for the classifier. [`Choice::CrossValidation`] takes λ from the powers of √10 between 10⁻⁶ and 10², times tr A / d: the
/// one with the smallest score of generalised cross-validation (Golub, Heath & Wahba, Technometrics 1979), n·RSS / (n − df)² with
/// df = 1 + tr A(A + λI)⁻¹, which follows from the same sums. It is looked for downhill from 10⁻², so it is the nearest minimum.
///
/// # Errors
/// When there are no sums of products, no samples, or A + λI is not positive definite.
pub fn solve(sums: &ClassSums, choice: Choice) -> Result<Ridge, ModelError> {
    let (mut problem, mean) = problem(sums)?;
    if matches!(choice, Choice::Noisy(_)) {
        problem.drop_negative()?;
    }
    let (ridge, weight) = match choice {
        Choice::Fraction(ridge) => (ridge, problem.attempt(ridge, false)?.weight),
        Choice::CrossValidation => problem.by_cross_validation()?,
        Choice::Noisy(lambda) => (lambda / problem.unit, problem.attempt(lambda / problem.unit, false)?.weight),
    };
    let classes = sums.classes();
    let bias = classes.iter().enumerate().map(|(column, class)| {
        let projected: f64 = weight.col(column).iter().zip(&mean).map(|(weight, mean)| weight * mean).sum();
        sums.count(*class) / problem.samples - projected
    });
    let bias = bias.collect();
    Ok(Ridge { classes, weight, bias, ridge })
}

/// The centred sums, and μ.
fn problem(sums: &ClassSums) -> Result<(Problem, Vec<f64>), ModelError> {
    let (classes, samples, size) = (sums.classes(), sums.samples(), sums.features());
    let mut centred = sums.gram().ok_or_else(|| lacking("sums of products of features"))?;
    if samples <= 0.0 {
        return Err(lacking("the sums of one sample at least"));
    }
    let mut mean = vec![0.0; size];
    for sum in classes.iter().filter_map(|class| sums.sum(*class)) {
        mean.iter_mut().zip(sum).for_each(|(mean, value)| *mean += value);
    }
    mean.iter_mut().for_each(|value| *value /= samples);
    centred.add_outer(-samples, &mean);
    let share = |class: &usize| sums.count(*class) / samples;
    let product = |feature: usize, column: usize| {
        let class = classes[column];
        sums.sum(class).map_or(0.0, |sum| sum[feature]) - sums.count(class) * mean[feature]
    };
    let products = Mat::from_fn(size, classes.len(), product);
    let squares = classes.iter().map(share).map(|share| samples * share * (1.0 - share)).sum();
    Ok((Problem::new(&centred, products, squares, samples), mean))
}

fn lacking(what: &str) -> ModelError {
    ModelError::Incompatible { reason: format!("ridge regression needs {what}") }
}

impl Problem {
    fn new(gram: &Symmetric, products: Mat<f64>, squares: f64, samples: f64) -> Self {
        let gram = gram.full();
        let size = gram.nrows();
        let trace: f64 = (0..size).map(|index| gram[(index, index)]).sum();
        // Features that do not vary leave nothing to solve for; any λ gives W = 0.
        let unit = if trace > f64::EPSILON * samples { trace / size as f64 } else { 1.0 };
        Problem { gram, products, squares, samples, unit }
    }

    /// Makes negative eigenvalues of A, which only noise has, 0.
    fn drop_negative(&mut self) -> Result<(), ModelError> {
        let repaired = Symmetric::upper(self.gram.as_ref()).without_negative();
        self.gram = repaired.ok_or_else(|| lacking("finite sums of products"))?.full();
        Ok(())
    }

    fn by_cross_validation(&self) -> Result<(f64, Mat<f64>), ModelError> {
        let at = |power: i32| 10_f64.powf(f64::from(power) / 2.0);
        let mut tried = BTreeMap::<i32, Attempt>::new();
        let mut score = |power: i32| -> Result<f64, ModelError> {
            Ok(match tried.entry(power) {
                Entry::Occupied(known) => known.get().score,
                Entry::Vacant(place) => place.insert(self.attempt(at(power), true)?).score,
            })
        };
        let mut best = -4;
        for step in [2, 1] {
            loop {
                let ways = [best - step, best + step].into_iter().filter(|power| (SMALLEST..=LARGEST).contains(power));
                let mut next = best;
                for way in ways {
                    if score(way)? < score(next)? {
                        next = way;
                    }
                }
                if next == best {
                    break;
                }
                best = next;
            }
        }
        // It was compared with its neighbours, so it is among those tried.
        let attempt = tried.remove(&best).map_or_else(|| self.attempt(at(best), false), Ok)?;
        Ok((at(best), attempt.weight))
    }

    /// Solves for one λ. The score takes as long again, so it is computed only when it is asked for.
    fn attempt(&self, ridge: f64, scored: bool) -> Result<Attempt, ModelError> {
        let lambda = ridge * self.unit;
        let size = self.gram.nrows();
        let mut regular = self.gram.clone();
        (0..size).for_each(|index| regular[(index, index)] += lambda);
        let factor = regular.llt(Side::Lower).map_err(|_| ModelError::Incompatible {
            reason: format!("the sums of products are not positive definite, even with a ridge of {ridge:e}"),
        })?;
        let weight = factor.solve(&self.products);
        if !scored {
            return Ok(Attempt { weight, score: f64::NAN });
        }
        let mut inverse = Mat::zeros(size, size);
        invert_lower_triangular(inverse.as_mut(), factor.L(), Par::rayon(0));
        // tr (A + λI)⁻¹ = ‖L⁻¹‖² of the Cholesky factor L.
        let trace: f64 =
            (0..size).map(|column| inverse.col(column).subrows(column, size - column).squared_norm_l2()).sum();
        let freedom = 1.0 + size as f64 - lambda * trace;
        let explained: f64 = (0..weight.ncols())
            .map(|class| {
                weight
                    .col(class)
                    .iter()
                    .zip(self.products.col(class).iter())
                    .map(|(one, other)| one * other)
                    .sum::<f64>()
            })
            .sum();
        let length: f64 = (0..weight.ncols()).map(|class| weight.col(class).squared_norm_l2()).sum();
        // Σ‖y − ȳ − Wᵀ(ψ − μ)‖² = Σ‖y − ȳ‖² − 2 tr WᵀB + tr WᵀAW, and tr WᵀAW = tr WᵀB − λ‖W‖².
        let residual = (self.squares - explained - lambda * length).max(0.0);
        let left = self.samples - freedom;
        let score = if left > 0.0 { self.samples * residual / (left * left) } else { f64::INFINITY };
        Ok(Attempt { weight, score })
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;
    use rand::RngExt;

    use super::*;
    use crate::Moments;

    const FEATURES: usize = 5;

    /// Samples of four classes, some more frequent than others, and their classes.
    fn samples(seed: u64, count: usize) -> (Vec<f32>, Vec<usize>) {
        let mut random = Seed::new(seed).random();
        let labels: Vec<usize> = (0..count).map(|_| [2, 2, 3, 5, 7][random.random_range(0..5)]).collect();
        let value =
            |label: usize, feature: usize, drawn: f32| drawn + if label % FEATURES == feature { 2.0 } else { 0.5 };
        let rows = labels.iter().flat_map(|label| (0..FEATURES).map(move |feature| (*label, feature)));
        let rows = rows.map(|(label, feature)| value(label, feature, random.random_range(-1.0..1.0))).collect();
        (rows, labels)
    }

    fn sums(rows: &[f32], labels: &[usize]) -> ClassSums {
        let mut sums = ClassSums::new(FEATURES, Moments::Shared);
        sums.add_samples(rows, labels);
        sums
    }

    /// The largest violation of the conditions of the minimum, from the samples themselves: Σψ(Wᵀψ + b − y)ᵀ + λW = 0 and
    /// Σ(Wᵀψ + b − y) = 0.
    fn violation(rows: &[f32], labels: &[usize], found: &Ridge, lambda: f64) -> f64 {
        let mut largest = 0.0_f64;
        for (column, class) in found.classes.iter().enumerate() {
            let mut slopes: Vec<f64> = (0..FEATURES).map(|feature| lambda * found.weight[(feature, column)]).collect();
            let mut total = 0.0;
            for (row, label) in rows.chunks(FEATURES).zip(labels) {
                let projected: f64 = row
                    .iter()
                    .enumerate()
                    .map(|(feature, value)| f64::from(*value) * found.weight[(feature, column)])
                    .sum();
                let error = projected + found.bias[column] - f64::from(u8::from(label == class));
                total += error;
                slopes.iter_mut().zip(row).for_each(|(slope, value)| *slope += error * f64::from(*value));
            }
            largest = slopes.into_iter().chain([total]).fold(largest, |largest, value| largest.max(value.abs()));
        }
        largest
    }

    /// tr A / d, from the samples.
    fn unit(rows: &[f32]) -> f64 {
        let count = (rows.len() / FEATURES) as f64;
        let of_feature = |feature: usize| {
            let values = rows.iter().skip(feature).step_by(FEATURES).map(|value| f64::from(*value));
            let mean = values.clone().sum::<f64>() / count;
            values.map(|value| (value - mean).powi(2)).sum::<f64>()
        };
        (0..FEATURES).map(of_feature).sum::<f64>() / FEATURES as f64
    }

    #[test]
    fn any_split_over_devices_in_any_order_is_joint_ridge_regression() {
        for seed in 0..20 {
            let (rows, labels) = samples(seed, 200);
            // Devices share classes. Each gets a random part of the samples, and they come in a random order.
            let mut random = Seed::new(seed).of("split").random();
            let devices = random.random_range(1..7);
            let mut parts = vec![(vec![], vec![]); devices];
            for (row, label) in rows.chunks(FEATURES).zip(&labels) {
                let (own, of) = &mut parts[random.random_range(0..devices)];
                own.extend_from_slice(row);
                of.push(*label);
            }
            let mut order: Vec<_> = (0..devices).collect();
            (1..devices).for_each(|place| order.swap(place, random.random_range(0..place + 1)));
            let mut total = ClassSums::new(FEATURES, Moments::Shared);
            order.iter().for_each(|device| total.add(&sums(&parts[*device].0, &parts[*device].1)).unwrap());
            let found = solve(&total, Choice::Fraction(0.01)).unwrap();
            assert_eq!(found.classes, [2, 3, 5, 7]);
            let joint = solve(&sums(&rows, &labels), Choice::Fraction(0.01)).unwrap();
            let pairs = (0..FEATURES).flat_map(|row| (0..4).map(move |column| (row, column)));
            let worst = pairs.map(|at| (found.weight[at] - joint.weight[at]).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-9, "{worst}");
            let violated = violation(&rows, &labels, &found, 0.01 * unit(&rows));
            assert!(violated < 1e-8, "seed {seed}: {violated}");
        }
    }

    #[test]
    fn cross_validation_is_that_of_the_hat_matrix() {
        // The score from the sums against the definition: residuals of each sample, and the trace of the matrix that maps y to Wᵀψ + b.
        let (rows, labels) = samples(1, 40);
        let lambda = 0.1 * unit(&rows);
        let sums = sums(&rows, &labels);
        let found = solve(&sums, Choice::Fraction(0.1)).unwrap();
        let mut residual = 0.0;
        for (row, label) in rows.chunks(FEATURES).zip(&labels) {
            for (column, class) in found.classes.iter().enumerate() {
                let projected: f64 = row
                    .iter()
                    .enumerate()
                    .map(|(feature, value)| f64::from(*value) * found.weight[(feature, column)])
                    .sum();
                residual += (projected + found.bias[column] - f64::from(u8::from(label == class))).powi(2);
            }
        }
        // tr H: the prediction of a sample when its own y is 1 and all others are 0, summed over samples.
        let mut freedom = 0.0;
        for own in 0..labels.len() {
            let alone: Vec<usize> = (0..labels.len()).map(|other| usize::from(other == own)).collect();
            let fit = solve(&self::sums(&rows, &alone), Choice::Fraction(0.1)).unwrap();
            let row = &rows[own * FEATURES..(own + 1) * FEATURES];
            let projected: f64 =
                row.iter().enumerate().map(|(feature, value)| f64::from(*value) * fit.weight[(feature, 1)]).sum();
            freedom += projected + fit.bias[1];
        }
        let samples = labels.len() as f64;
        let expected = samples * residual / (samples - freedom).powi(2);
        let score = score_of(&sums, 0.1);
        assert!((score - expected).abs() < 1e-9 * expected, "{score} {expected} {lambda}");
        // What is chosen is no worse than its neighbours.
        let chosen = solve(&sums, Choice::CrossValidation).unwrap().ridge;
        let root = 10_f64.sqrt();
        assert!(score_of(&sums, chosen) <= score_of(&sums, chosen * root).min(score_of(&sums, chosen / root)));
    }

    fn score_of(sums: &ClassSums, ridge: f64) -> f64 {
        problem(sums).unwrap().0.attempt(ridge, true).unwrap().score
    }

    #[test]
    fn features_that_do_not_vary_give_the_frequencies() {
        let mut sums = ClassSums::new(2, Moments::Shared);
        sums.add_samples(&[1.0; 8], &[0, 0, 0, 4]);
        let found = solve(&sums, Choice::CrossValidation).unwrap();
        assert_eq!(found.classes, [0, 4]);
        let predicted = |column: usize| found.weight[(0, column)] + found.weight[(1, column)] + found.bias[column];
        assert!((predicted(0) - 0.75).abs() < 1e-9 && (predicted(1) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn noise_does_not_make_the_problem_indefinite() {
        let (rows, labels) = samples(3, 50);
        let mut noisy = sums(&rows, &labels);
        crate::NoiseScale(5.0).add_to(&mut noisy, Seed::new(1));
        let found = solve(&noisy, Choice::Noisy(5.0)).unwrap();
        assert!((0..FEATURES).all(|feature| found.weight.row(feature).iter().all(|value| value.is_finite())));
    }

    #[test]
    fn without_products_or_samples_it_says_so() {
        let error = solve(&ClassSums::new(3, Moments::Means), Choice::CrossValidation).unwrap_err().to_string();
        assert!(error.contains("products"), "{error}");
        let error = solve(&ClassSums::new(3, Moments::Shared), Choice::CrossValidation).unwrap_err().to_string();
        assert!(error.contains("one sample"), "{error}");
    }
}
