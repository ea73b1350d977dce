//! The algebra: weights as matrices, Gram matrices, and the solution of the least squares.

use alluvium_model::{ModelError, Numbers, Values, Width};
use nalgebra::{Cholesky, DMatrix};

/// A weight as a linear map, `[inputs, outputs]`. The weight of a fully connected layer is one already; the weight of a
/// convolution, `[outputs, channels, height, width]`, is a linear map of its patches.
///
/// # Errors
/// [`ModelError::Incompatible`], which names the weight, when it has another number of dimensions.
pub(crate) fn as_map(name: &str, weight: &Values) -> Result<DMatrix<f64>, ModelError> {
    let exact = weight.numbers.exact();
    let values = exact.iter().copied();
    match *weight.shape.as_slice() {
        [inputs, outputs] => Ok(DMatrix::from_row_iterator(inputs, outputs, values)),
        // nalgebra is column-major, and a kernel is a column.
        [outputs, ref inner @ ..] if !inner.is_empty() => {
            Ok(DMatrix::from_iterator(inner.iter().product(), outputs, values))
        }
        _ => {
            let shape = &weight.shape;
            let reason = format!(
                "the weight `{name}` of shape {shape:?} is not a linear map; accepted: [inputs, outputs] and [outputs, \
                 channels, height, width]"
            );
            Err(ModelError::Incompatible { reason })
        }
    }
}

/// Converts a linear map back into a weight of this shape and width.
pub(crate) fn as_weight(map: &DMatrix<f64>, shape: &[usize], width: Width) -> Values {
    let numbers = match shape.len() {
        2 => Numbers::rounded(map.transpose().iter().copied(), width),
        _ => Numbers::rounded(map.iter().copied(), width),
    };
    Values::of(shape.to_vec(), numbers)
}

/// A matrix as plain data.
pub(crate) fn values(matrix: &DMatrix<f64>) -> Values {
    let by_rows = matrix.transpose();
    Values::new(vec![matrix.nrows(), matrix.ncols()], by_rows.iter().map(|value| *value as f32).collect())
}

/// The matrix from the result of [`values`].
pub(crate) fn matrix(values: &Values) -> DMatrix<f64> {
    let columns = values.shape.last().copied().unwrap_or_default();
    let rows = values.len() / columns.max(1);
    DMatrix::from_row_slice(rows, columns, &values.numbers.exact())
}

/// G̃ = αG + (1 − α)·diag G + λI, where λ is `ridge` times the mean of G's diagonal.
///
/// # Errors
/// [`ModelError::Shape`] unless G is `[inputs, inputs]`; the message names the weight.
pub(crate) fn regular(
    name: &str,
    gram: &Values,
    inputs: usize,
    alpha: f64,
    ridge: f64,
) -> Result<DMatrix<f64>, ModelError> {
    let expected = vec![inputs, inputs];
    if gram.shape != expected {
        let name = format!("{}.{name}", crate::gram::GRAM);
        return Err(ModelError::Shape { name, found: gram.shape.clone(), expected });
    }
    let gram = matrix(gram);
    let diagonal = gram.diagonal();
    let size = diagonal.mean();
    // A layer whose inputs are always 0 has G = 0. Its λ is small: the weights of others win, and it keeps its own if it is alone.
    let size = if size == 0.0 { f64::from(f32::MIN_POSITIVE) } else { size };
    let mut regular = gram * alpha;
    regular.set_diagonal(&diagonal.add_scalar(ridge * size));
    Ok(regular)
}

/// G⁻¹P for a sum of Gram matrices G; `None` if G has no Cholesky decomposition, so that it cannot be such a sum.
pub(crate) fn solve(gram: DMatrix<f64>, product: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    Some(Cholesky::new(gram)?.solve(product))
}
