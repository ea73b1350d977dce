//! Gaussians of classes in features, from sums alone: one mean for each class, and a covariance of its own, of all classes, or
//! none.
//!
//! The score of class k is log N(ψ; μ_k, Σ_k). With one covariance for all classes the rule is linear: streaming linear
//! discriminant analysis (Hayes & Kanan, CVPR workshops 2020, arXiv 1909.01520). With a covariance of its own it is quadratic, as in
//! FeCAM (Goswami et al., NeurIPS 2023, arXiv 2309.14062), which drops the determinant.

use alluvium_model::ModelError;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, Par, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClassSums, Symmetric};

/// The covariance of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Covariance {
    /// Each class has its own, shrunk towards that of all classes.
    Own,
    /// All classes have one: the mean of their covariances, weighted by their samples.
    Tied,
    /// None: the nearest mean.
    None,
}

/// Gaussians of classes.
#[derive(Debug, Clone)]
pub struct Gaussians {
    /// The classes, in ascending order.
    pub classes: Vec<usize>,
    /// μ_k, one after another.
    pub means: Vec<Vec<f64>>,
    /// L_k⁻¹ of Σ_k = L_k L_kᵀ, `[features, features]`; one for all classes, or one for each.
    pub whitening: Vec<Mat<f64>>,
    /// −Σ log diag L_k, one for each class: the score where the sample is the mean, up to a constant.
    pub offsets: Vec<f64>,
}

/// How covariances are shrunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrinkage {
    /// The weight of the covariance of all classes in that of a class; `None` takes the larger of ½ and d / (n_k + d) for d
    /// features and n_k samples.
    pub tied: Option<f64>,
    /// A fraction of the mean variance, added to every variance.
    pub ridge: f64,
    /// A bound of the eigenvalues of the noise in each matrix of products. Half of what it is in the covariance of all classes is added to
    /// every variance, after negative eigenvalues became 0.
    pub noise: f64,
}

/// Estimates the Gaussians.
///
/// With S_k = Σ(ψ − μ_k)(ψ − μ_k)ᵀ of class k, the covariance of all classes is Σ = Σ_k S_k / (n − K), and that of a class
/// (1 − a)·S_k / (n_k − 1) + a·Σ. In the default of a, d / (n_k + d) is the weight of a prior that counts as much as d samples,
/// and ½ is for classes of many samples, which are not Gaussian. `ridge`·tr Σ / d is added to the diagonal.
///
/// # Errors
/// When sums of products are missing, or a covariance is not positive definite.
pub fn estimate(sums: &ClassSums, covariance: Covariance, shrinkage: Shrinkage) -> Result<Gaussians, ModelError> {
    let size = sums.features();
    // A class whose noisy number of samples is not positive has no mean.
    let classes: Vec<_> = sums.classes().into_iter().filter(|class| sums.count(*class) > 0.5).collect();
    let mean_of = |class: &usize| -> Vec<f64> {
        let count = sums.count(*class);
        sums.sum(*class).unwrap_or_default().iter().map(|value| value / count).collect()
    };
    let means: Vec<_> = classes.iter().map(mean_of).collect();
    if covariance == Covariance::None {
        let offsets = vec![0.0; classes.len()];
        return Ok(Gaussians { classes, means, whitening: vec![Mat::identity(size, size)], offsets });
    }
    let covariances_are_own = covariance == Covariance::Own;
    let lacking = || ModelError::Incompatible { reason: "covariances need sums of products of features".to_owned() };
    let samples: f64 = classes.iter().map(|class| sums.count(*class)).sum();
    let mut tied = sums.gram().ok_or_else(lacking)?;
    classes.iter().zip(&means).for_each(|(class, mean)| tied.add_outer(-sums.count(*class), mean));
    scale(&mut tied, 1.0 / (samples - classes.len() as f64).max(1.0));
    let variance = trace(&tied) / size.max(1) as f64;
    // Features that do not vary: every variance is 1, so the nearest mean decides.
    let added = if variance > 0.0 { shrinkage.ridge * variance } else { 1.0 };
    let matrices = if covariances_are_own { classes.len() } else { 1 };
    let noise = 0.5 * shrinkage.noise * (matrices as f64).sqrt() / samples.max(1.0);
    let covariances = match covariance {
        Covariance::Own => {
            let of_class = |(class, mean): (&usize, &Vec<f64>)| {
                let count = sums.count(*class);
                let weight = shrinkage.tied.unwrap_or((size as f64 / (count + size as f64)).max(0.5));
                // One sample has no covariance.
                let weight = if count > 1.5 { weight } else { 1.0 };
                let mut own = sums.gram_of(*class).ok_or_else(lacking)?.clone();
                own.add_outer(-count, mean);
                scale(&mut own, (1.0 - weight) / (count - 1.0).max(1.0));
                own.add(weight, &tied);
                Ok(own)
            };
            classes.iter().zip(&means).map(of_class).collect::<Result<Vec<_>, ModelError>>()?
        }
        Covariance::Tied | Covariance::None => vec![tied],
    };
    let whitened = covariances.into_iter().map(|covariance| {
        let repaired = if noise > 0.0 { covariance.without_negative() } else { None };
        whiten(repaired.as_ref().unwrap_or(&covariance), added + noise, variance.abs())
    });
    let whitened = whitened.collect::<Result<Vec<_>, _>>()?;
    let one = whitened.len() == 1 && classes.len() != 1;
    let offsets = if one { vec![0.0; classes.len()] } else { whitened.iter().map(|(_, offset)| *offset).collect() };
    let whitening = whitened.into_iter().map(|(whitening, _)| whitening).collect();
    Ok(Gaussians { classes, means, whitening, offsets })
}

fn scale(matrix: &mut Symmetric, factor: f64) {
    matrix.entries_mut().iter_mut().for_each(|entry| *entry *= factor);
}

fn trace(matrix: &Symmetric) -> f64 {
    (0..matrix.size()).map(|row| matrix.entries()[row * (row + 1) / 2 + row]).sum()
}

/// L⁻¹ and −Σ log diag L of Σ + added·I = LLᵀ. A covariance that is not positive definite, which rounding or noise can make, gets
/// the smallest power of two of the mean variance added with which it is.
fn whiten(covariance: &Symmetric, added: f64, variance: f64) -> Result<(Mat<f64>, f64), ModelError> {
    let size = covariance.size();
    for power in -1..40 {
        let more = if power < 0 { 0.0 } else { variance.max(f64::MIN_POSITIVE) * 2_f64.powi(power - 20) };
        let mut regular = covariance.full();
        (0..size).for_each(|index| regular[(index, index)] += added + more);
        let Ok(factor) = regular.llt(Side::Lower) else { continue };
        let mut inverse = Mat::zeros(size, size);
        invert_lower_triangular(inverse.as_mut(), factor.L(), Par::rayon(0));
        let offset: f64 = (0..size).map(|index| -factor.L()[(index, index)].ln()).sum();
        return Ok((inverse, offset));
    }
    Err(ModelError::Incompatible { reason: "the covariance of a class is not positive definite".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moments;

    /// Two classes of three and four samples with two features.
    const ROWS: [f32; 14] = [0.0, 0.0, 2.0, 0.0, 1.0, 3.0, 5.0, 5.0, 7.0, 5.0, 5.0, 9.0, 7.0, 9.0];
    const LABELS: [usize; 7] = [4, 4, 4, 1, 1, 1, 1];

    fn sums(moments: Moments) -> ClassSums {
        let mut sums = ClassSums::new(2, moments);
        sums.add_samples(&ROWS, &LABELS);
        sums
    }

    /// −½(ψ−μ)ᵀΣ⁻¹(ψ−μ) − ½ log det Σ, by the formula for two features.
    fn score(point: [f64; 2], mean: [f64; 2], [a, b, c]: [f64; 3]) -> f64 {
        let [x, y] = [point[0] - mean[0], point[1] - mean[1]];
        let determinant = a * c - b * b;
        -0.5 * (c * x * x - 2.0 * b * x * y + a * y * y) / determinant - 0.5 * determinant.ln()
    }

    fn scored(found: &Gaussians, class: usize, point: [f64; 2]) -> f64 {
        let whitening = &found.whitening[class.min(found.whitening.len() - 1)];
        let mean = &found.means[class];
        let of_row = |row: usize| {
            (0..2).map(|column| whitening[(row, column)] * (point[column] - mean[column])).sum::<f64>().powi(2)
        };
        found.offsets[class] - 0.5 * (of_row(0) + of_row(1))
    }

    // By hand. Class 1: mean (6, 7), deviations (±1, ±2) in all four ways: S = [4, 0; 0, 16]. Class 4: mean (1, 1), deviations
    // (−1, −1), (1, −1), (0, 2): S = [2, 0; 0, 6]. Together S = [6, 0; 0, 22], divided by 7 − 2: Σ = [1.2, 0; 0, 4.4].
    const TIED: [f64; 3] = [1.2, 0.0, 4.4];

    #[test]
    fn own_covariances_are_shrunk_towards_that_of_all_classes() {
        let shrinkage = Shrinkage { tied: Some(0.25), ridge: 0.0, noise: 0.0 };
        let found = estimate(&sums(Moments::OfClasses), Covariance::Own, shrinkage).unwrap();
        assert_eq!(found.classes, [1, 4]);
        let of = |own: [f64; 3]| [0, 1, 2].map(|entry| 0.75 * own[entry] + 0.25 * TIED[entry]);
        // S / (n − 1).
        let covariances = [of([4.0 / 3.0, 0.0, 16.0 / 3.0]), of([1.0, 0.0, 3.0])];
        for point in [[0.0, 0.0], [3.0, 4.0], [-2.0, 7.5]] {
            for (class, (mean, covariance)) in [[6.0, 7.0], [1.0, 1.0]].into_iter().zip(covariances).enumerate() {
                let (found, expected) = (scored(&found, class, point), score(point, mean, covariance));
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
        // d / (n + d) is 1/3 and 2/5, so the default is ½.
        let default =
            estimate(&sums(Moments::OfClasses), Covariance::Own, Shrinkage { tied: None, ..shrinkage }).unwrap();
        let half =
            estimate(&sums(Moments::OfClasses), Covariance::Own, Shrinkage { tied: Some(0.5), ..shrinkage }).unwrap();
        assert_eq!(default.offsets, half.offsets);
    }

    #[test]
    fn a_tied_covariance_gives_a_linear_rule_and_none_the_nearest_mean() {
        let shrinkage = Shrinkage { tied: None, ridge: 0.5, noise: 0.0 };
        let found = estimate(&sums(Moments::Shared), Covariance::Tied, shrinkage).unwrap();
        // Half of the mean variance 2.8 is added to each variance; the determinant is the same for all classes.
        let covariance = [2.6, 0.0, 5.8];
        let point = [3.0, 2.0];
        let (one, other) = (scored(&found, 0, point), scored(&found, 1, point));
        let expected = score(point, [6.0, 7.0], covariance) - score(point, [1.0, 1.0], covariance);
        assert!((one - other - expected).abs() < 1e-9);
        let nearest = estimate(&sums(Moments::Means), Covariance::None, shrinkage).unwrap();
        assert!((scored(&nearest, 0, point) + 0.5 * (9.0 + 25.0)).abs() < 1e-9);
    }

    #[test]
    fn one_sample_and_flat_features_still_have_a_covariance() {
        let mut sums = ClassSums::new(2, Moments::OfClasses);
        sums.add_samples(&[1.0, 1.0, 1.0, 1.0], &[0, 3]);
        let shrinkage = Shrinkage { tied: None, ridge: 1e-4, noise: 0.0 };
        let found = estimate(&sums, Covariance::Own, shrinkage).unwrap();
        assert!(found.offsets.iter().all(|offset| offset.is_finite()));
        let error = estimate(&self::sums(Moments::Means), Covariance::Own, shrinkage).unwrap_err().to_string();
        assert!(error.contains("products"), "{error}");
    }
}
