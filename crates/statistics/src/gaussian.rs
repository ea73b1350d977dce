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
    /// A bound of the eigenvalues of the noise in sums of products; divided by the number of samples, it is added to every variance.
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
    let noise_of = |covariance: usize| match covariance {
        _ if shrinkage.noise == 0.0 => 0.0,
        index => shrinkage.noise / if covariances_are_own { sums.count(classes[index]) } else { samples }.max(1.0),
    };
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
    let whitened = covariances.into_iter().enumerate();
    let whitened = whitened.map(|(index, covariance)| whiten(&covariance, added + noise_of(index), variance.abs()));
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
