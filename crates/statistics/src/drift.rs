//! Drift: the affine map from the latents of one network to those of another, learned on surrogate data.

use alluvium_model::{Expert, Model, ModelError, ModelState};
use alluvium_strategy::{Context, StrategyError};
use faer::prelude::Solve;
use faer::{Mat, Side};

use crate::ClassSums;
use crate::features::rows;
use crate::matrix::{Symmetric, add_gram, in_doubles};

/// ψ ↦ Aψ + b.
#[derive(Debug)]
pub(crate) struct Drift {
    /// Aᵀ, `[from, to]`.
    matrix: Mat<f64>,
    /// b.
    offset: Vec<f64>,
}

/// λ of the least squares, as a fraction of the mean variance of the latents times the number of inputs.
const RIDGE: f64 = 1e-3;

impl Drift {
    /// The map from the latents of `from` to those of `to` that is nearest on the surrogate data of a consolidation: least squares
    /// with a small ridge, as in semantic drift compensation by a learned map.
    pub(crate) fn between(
        from: &ModelState,
        to: &ModelState,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<Self, StrategyError> {
        let inputs = context.surrogate(previous, expert)?;
        let compute = context.compute().clone();
        let latents = |state: &ModelState| -> Result<Mat<f64>, ModelError> {
            let mut model = Model::load(state, &compute)?;
            model.freeze_training_behaviour();
            let batches = inputs.clone().split(crate::features::BATCH).into_iter();
            let values: Vec<f32> = batches.flat_map(|batch| rows(model.latents(batch))).collect();
            Ok(in_doubles(&values, model.latent_size()))
        };
        Ok(Self::fitted(&latents(from)?, &latents(to)?)?)
    }

    /// The map from rows to rows.
    fn fitted(from: &Mat<f64>, to: &Mat<f64>) -> Result<Self, ModelError> {
        let count = from.nrows().max(1) as f64;
        let mean = |rows: &Mat<f64>| -> Vec<f64> {
            (0..rows.ncols()).map(|column| rows.col(column).iter().sum::<f64>() / count).collect()
        };
        let centred = |rows: &Mat<f64>, mean: &[f64]| {
            Mat::from_fn(rows.nrows(), rows.ncols(), |row, column| rows[(row, column)] - mean[column])
        };
        let (mean_from, mean_to) = (mean(from), mean(to));
        let (from, to) = (centred(from, &mean_from), centred(to, &mean_to));
        let size = from.ncols();
        let mut gram = Mat::zeros(size, size);
        add_gram(&mut gram, from.as_ref());
        let mut gram = Symmetric::upper(gram.as_ref()).full();
        let trace: f64 = (0..size).map(|index| gram[(index, index)]).sum();
        let ridge = if trace > 0.0 { RIDGE * trace / size as f64 } else { 1.0 };
        (0..size).for_each(|index| gram[(index, index)] += ridge);
        let singular = |_| ModelError::Incompatible { reason: "latents of surrogate data are not finite".to_owned() };
        let matrix = gram.llt(Side::Lower).map_err(singular)?.solve(from.transpose() * &to);
        let offset = (0..matrix.ncols()).map(|column| {
            let moved: f64 = matrix.col(column).iter().zip(&mean_from).map(|(weight, mean)| weight * mean).sum();
            mean_to[column] - moved
        });
        let offset = offset.collect();
        Ok(Drift { matrix, offset })
    }

    /// The sums of the same samples after the map.
    pub(crate) fn applied_to(&self, sums: &ClassSums) -> ClassSums {
        sums.mapped(&self.matrix, &self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moments;

    #[test]
    fn an_affine_map_is_found_and_moves_sums_as_it_moves_samples() {
        // y = (2x₁ + 1, x₁ − x₂), which the small ridge shrinks by less than a hundredth.
        let points = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0], [5.0, 2.0]];
        let from = Mat::from_fn(5, 2, |row, column| points[row][column]);
        let to = Mat::from_fn(5, 2, |row, column| {
            let [first, second] = points[row];
            [2.0 * first + 1.0, first - second][column]
        });
        let drift = Drift::fitted(&from, &to).unwrap();
        let expected = [[2.0, 1.0], [0.0, -1.0]];
        for (row, expected) in expected.iter().enumerate() {
            for (column, expected) in expected.iter().enumerate() {
                assert!((drift.matrix[(row, column)] - expected).abs() < 0.01, "{:?}", drift.matrix);
            }
        }
        // The sums of mapped samples are the mapped sums of the samples.
        let flat = |matrix: &Mat<f64>| -> Vec<f32> {
            (0..5).flat_map(|row| (0..2).map(move |column| (row, column))).map(|at| matrix[at] as f32).collect()
        };
        let moved = Mat::from_fn(5, 2, |row, column| {
            drift.offset[column] + (0..2).map(|own| points[row][own] * drift.matrix[(own, column)]).sum::<f64>()
        });
        for moments in [Moments::Shared, Moments::OfClasses] {
            let sums = |rows: &Mat<f64>| {
                let mut sums = ClassSums::new(2, moments);
                sums.add_samples(&flat(rows), &[3, 3, 5, 5, 5]);
                sums
            };
            let (mapped, expected) = (drift.applied_to(&sums(&from)), sums(&moved));
            for class in [3, 5] {
                let near = |one: &f64, other: &f64| (one - other).abs() < 1e-3;
                let pairs = mapped.sum(class).unwrap().iter().zip(expected.sum(class).unwrap());
                assert!(pairs.into_iter().all(|(one, other)| near(one, other)));
            }
            let grams = (mapped.gram().unwrap(), expected.gram().unwrap());
            let near = grams.0.entries().iter().zip(grams.1.entries()).all(|(one, other)| (one - other).abs() < 1e-2);
            assert!(near, "{grams:?}");
        }
    }
}
