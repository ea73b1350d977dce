//! The map from the features of a source to features of a chosen size: random, or the principal components of surrogate data.

use alluvium_model::{ModelError, Seed, Values, Weights};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use faer::{Mat, MatRef, Side};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::matrix::{add_gram, in_doubles};

/// How features are mapped to a chosen size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionKind {
    /// Not at all: `size` has no effect.
    None,
    /// By a random matrix, and a rectifier. Both sides draw the matrix from a seed.
    RandomRelu,
    /// By a random matrix. Both sides draw it from a seed.
    RandomLinear,
    /// On the principal components of surrogate data, less their mean. Each device is sent them.
    PrincipalComponents,
}

/// A projection on a compute device: takes off a mean, multiplies with a matrix, and rectifies. Without a matrix, features stay as
/// they are.
#[derive(Debug, Default)]
pub struct Projection {
    /// `[1, features]`.
    mean: Option<Tensor<2>>,
    /// `[features, size]`.
    matrix: Option<Tensor<2>>,
    rectified: bool,
}

const MEAN: &str = "mean";
const COMPONENTS: &str = "components";

impl Projection {
    /// A random projection of `features` values to `size`. The entries of the matrix are of the normal distribution with the
    /// variance 1 / `features`.
    pub fn random(features: usize, size: usize, rectified: bool, seed: Seed, compute: &Device) -> Self {
        let mut random = seed.of("projection").random();
        let scale = 1.0 / (features as f32).sqrt();
        let draw = |_| {
            let drawn: f32 = StandardNormal.sample(&mut random);
            drawn * scale
        };
        let values: Vec<f32> = (0..features * size).map(draw).collect();
        let matrix = Tensor::from_data(TensorData::new(values, [features, size]), compute);
        Projection { mean: None, matrix: Some(matrix), rectified }
    }

    /// The projection on the components that `principal_components` found.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn components(handed: &Weights, compute: &Device) -> Result<Self, ModelError> {
        let tensor = |name: &str, expected: Vec<usize>| {
            let missing = || ModelError::Missing { name: name.to_owned(), expected: expected.clone() };
            handed.get(name).filter(|found| found.shape.len() == 2).ok_or_else(missing)
        };
        let (mean, components) = (tensor(MEAN, vec![1, 0])?, tensor(COMPONENTS, vec![0, 0])?);
        if mean.shape != [1, components.shape[0]] {
            let (found, expected) = (mean.shape.clone(), vec![1, components.shape[0]]);
            return Err(ModelError::Shape { name: MEAN.to_owned(), found, expected });
        }
        let load = |name: &str, values: &Values| -> Result<Tensor<2>, ModelError> {
            let shape = [values.shape[0], values.shape[1]];
            Ok(Tensor::from_data(TensorData::new(values.single(name)?.to_vec(), shape), compute))
        };
        let (mean, matrix) = (Some(load(MEAN, mean)?), Some(load(COMPONENTS, components)?));
        Ok(Projection { mean, matrix, rectified: false })
    }

    /// The number of features, and the size that they are projected to; `None` if they stay as they are.
    pub fn sizes(&self) -> Option<[usize; 2]> {
        self.matrix.as_ref().map(|matrix| matrix.dims())
    }

    /// The projected features, `[batch, size]`.
    pub fn apply(&self, features: Tensor<2>) -> Tensor<2> {
        let centred = match &self.mean {
            Some(mean) => features - mean.clone(),
            None => features,
        };
        let projected = match &self.matrix {
            Some(matrix) => centred.matmul(matrix.clone()),
            None => centred,
        };
        if self.rectified { relu(projected) } else { projected }
    }
}

/// The mean and the first `size` principal components of rows of features, `[rows, features]`, as tensors that can be sent. There
/// are at most as many components as features. The sign of a component is that of its largest entry, which is positive.
///
/// # Errors
/// When the decomposition fails, because a feature is not finite.
pub fn principal_components(rows: &[f32], features: usize, size: usize) -> Result<Weights, ModelError> {
    let rows = in_doubles(rows, features);
    let count = rows.nrows().max(1) as f64;
    let mean: Vec<f64> = (0..features).map(|column| rows.col(column).iter().sum::<f64>() / count).collect();
    let centred = Mat::from_fn(rows.nrows(), features, |row, column| rows[(row, column)] - mean[column]);
    let size = size.min(features);
    // The smaller of the two Gram matrices has the same eigenvalues.
    let components = if rows.nrows() < features {
        let vectors = eigenvectors(&centred.transpose().to_owned(), size)?;
        centred.transpose() * &vectors
    } else {
        eigenvectors(&centred, size)?
    };
    let components = directed(components);
    let mut handed = Weights::new();
    handed.insert(MEAN, Values::new(vec![1, features], mean.iter().map(|value| *value as f32).collect()));
    let columns = components.ncols();
    let entry = |index| components[(index / columns, index % columns)] as f32;
    handed.insert(COMPONENTS, Values::new(vec![features, columns], (0..features * columns).map(entry).collect()));
    Ok(handed)
}

/// The eigenvectors of XᵀX with the largest eigenvalues, as columns.
fn eigenvectors(rows: &Mat<f64>, count: usize) -> Result<Mat<f64>, ModelError> {
    let size = rows.ncols();
    let mut gram = Mat::zeros(size, size);
    add_gram(&mut gram, rows.as_ref());
    let failed =
        |_| ModelError::Incompatible { reason: "the principal components of features do not converge".to_owned() };
    let eigen = gram.self_adjoint_eigen(Side::Upper).map_err(failed)?;
    // Ascending order.
    let vectors: MatRef<'_, f64> = eigen.U();
    Ok(Mat::from_fn(size, count.min(size), |row, rank| vectors[(row, size - 1 - rank)]))
}

/// The columns with length 1, and with a largest entry that is positive. A column of zeros stays.
fn directed(matrix: Mat<f64>) -> Mat<f64> {
    let larger = |largest: f64, value: &f64| if value.abs() > largest.abs() { *value } else { largest };
    let length = |column: usize| {
        let column = matrix.col(column);
        let length = column.norm_l2().max(f64::MIN_POSITIVE);
        if column.iter().fold(0.0, larger) < 0.0 { -length } else { length }
    };
    let lengths: Vec<f64> = (0..matrix.ncols()).map(length).collect();
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[(row, column)] / lengths[column])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_the_directions_of_largest_variance() {
        // Points on the line (3, 4)/5 through (1, 1), and small deviations across: the first component is (0.6, 0.8).
        let points = [(-2.0, 0.1), (-1.0, -0.1), (0.0, 0.0), (1.0, 0.1), (2.0, -0.1)];
        let rows: Vec<f32> = points
            .iter()
            .flat_map(|(along, across)| [1.0 + 0.6 * along - 0.8 * across, 1.0 + 0.8 * along + 0.6 * across])
            .collect();
        // The second table has fewer rows than features: the same points and a feature of zeros each.
        let wide: Vec<f32> = rows.chunks(2).flat_map(|row| [row[0], 0.0, row[1], 0.0, 0.0, 0.0]).collect();
        for (rows, features, places) in [(rows, 2, [0, 1]), (wide, 6, [0, 2])] {
            let handed = principal_components(&rows, features, 1).unwrap();
            let components = handed.get(COMPONENTS).unwrap();
            assert_eq!(components.shape, [features, 1]);
            let values = components.as_f32().unwrap();
            assert!((values[places[0]] - 0.6).abs() < 0.02 && (values[places[1]] - 0.8).abs() < 0.02, "{values:?}");
            let mean = handed.get(MEAN).unwrap().as_f32().unwrap().to_vec();
            assert!((mean[places[0]] - 1.0).abs() < 1e-5);
            let compute = Device::flex();
            let projection = Projection::components(&handed, &compute).unwrap();
            let row = Tensor::from_data(TensorData::new(rows[..features].to_vec(), [1, features]), &compute);
            let found = crate::features::rows(projection.apply(row));
            assert!((found[0] + 2.0).abs() < 0.02, "{found:?}");
        }
    }

    #[test]
    fn both_sides_draw_the_same_matrix() {
        let compute = Device::flex();
        let drawn = |seed| {
            let projection = Projection::random(40, 30, true, Seed::new(seed), &compute);
            crate::features::rows(projection.matrix.unwrap())
        };
        assert_eq!(drawn(3), drawn(3));
        assert_ne!(drawn(3), drawn(4));
        // The variance of 1 200 entries is 1/40, within a tenth.
        let square = drawn(3).iter().map(|value| value * value).sum::<f32>() / 1200.0;
        assert!((square * 40.0 - 1.0).abs() < 0.1, "{square}");
    }
}
