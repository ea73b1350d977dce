//! Ridge regression of the classes on features, from sums alone.
//!
//! With the features ψ of n samples and the indicator y of their class, W and b minimise Σ ‖y − Wᵀψ − b‖² + λ‖W‖². With
//! A = Σψψᵀ − nμμᵀ, where μ is the mean of all features, and B = Σψyᵀ − nμȳᵀ, (A + λI) W = B and b = ȳ − Wᵀμ. This is what all
//! samples together would give, in any order: analytic learning (Zhuang et al., ACIL, NeurIPS 2022, arXiv 2205.14922) and
//! analytic federated learning (He et al., AFL, arXiv 2405.16240), there without the bias.

use alluvium_model::ModelError;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::prelude::Solve;
use faer::{Mat, Par, Side};

use crate::ClassSums;

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
    let classes = sums.classes();
    let samples = sums.samples();
    let lacking = |reason: &str| ModelError::Incompatible { reason: reason.to_owned() };
    let gram = sums.gram().ok_or_else(|| lacking("ridge regression needs sums of products of features"))?;
    if samples <= 0.0 {
        return Err(lacking("ridge regression needs the sums of one sample at least"));
    }
    let size = sums.features();
    let mut mean = vec![0.0; size];
    for class in &classes {
        sums.sum(*class).into_iter().for_each(|sum| mean.iter_mut().zip(sum).for_each(|(mean, value)| *mean += value));
    }
    mean.iter_mut().for_each(|value| *value /= samples);
    let mut centred = gram;
    centred.add_outer(-samples, &mean);
    let share: Vec<f64> = classes.iter().map(|class| sums.count(*class) / samples).collect();
    let product = |feature: usize, column: usize| {
        let class = classes[column];
        sums.sum(class).map_or(0.0, |sum| sum[feature]) - sums.count(class) * mean[feature]
    };
    if matches!(choice, Choice::Noisy(_)) {
        centred = centred.without_negative().ok_or_else(|| lacking("the sums of products are not finite"))?;
    }
    let gram = centred.full();
    let trace: f64 = (0..size).map(|index| gram[(index, index)]).sum();
    let problem = Problem {
        products: Mat::from_fn(size, classes.len(), product),
        squares: share.iter().map(|share| samples * share * (1.0 - share)).sum(),
        samples,
        // Features that do not vary leave nothing to solve for; any λ gives W = 0.
        unit: if trace > f64::EPSILON * size as f64 { trace / size as f64 } else { 1.0 },
        gram,
    };
    let (ridge, weight) = match choice {
        Choice::Fraction(ridge) => (ridge, problem.attempt(ridge, false)?.weight),
        Choice::CrossValidation => problem.by_cross_validation()?,
        Choice::Noisy(lambda) => (lambda / problem.unit, problem.attempt(lambda / problem.unit, false)?.weight),
    };
    let bias = (0..classes.len()).map(|column| {
        let projected: f64 = weight.col(column).iter().zip(&mean).map(|(weight, mean)| weight * mean).sum();
        share[column] - projected
    });
    let bias = bias.collect();
    Ok(Ridge { classes, weight, bias, ridge })
}

impl Problem {
    fn by_cross_validation(&self) -> Result<(f64, Mat<f64>), ModelError> {
        let at = |power: i32| 10_f64.powf(f64::from(power) / 2.0);
        let mut tried = std::collections::BTreeMap::new();
        let mut score = |power: i32| -> Result<f64, ModelError> {
            if !tried.contains_key(&power) {
                tried.insert(power, self.attempt(at(power), true)?.score);
            }
            Ok(tried[&power])
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
        Ok((at(best), self.attempt(at(best), false)?.weight))
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
        let trace: f64 = (0..size).map(|column| inverse.col(column).subrows(column, size - column).squared_norm_l2()).sum();
        let freedom = 1.0 + size as f64 - lambda * trace;
        let explained: f64 = (0..weight.ncols()).map(|class| {
            weight.col(class).iter().zip(self.products.col(class).iter()).map(|(one, other)| one * other).sum::<f64>()
        }).sum();
        let length: f64 = (0..weight.ncols()).map(|class| weight.col(class).squared_norm_l2()).sum();
        // Σ‖y − ȳ − Wᵀ(ψ − μ)‖² = Σ‖y − ȳ‖² − 2 tr WᵀB + tr WᵀAW, and tr WᵀAW = tr WᵀB − λ‖W‖².
        let residual = (self.squares - explained - lambda * length).max(0.0);
        let left = self.samples - freedom;
        let score = if left > 0.0 { self.samples * residual / (left * left) } else { f64::INFINITY };
        Ok(Attempt { weight, score })
    }
}
