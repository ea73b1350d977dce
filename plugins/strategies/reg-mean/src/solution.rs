//! The algebra: weights as matrices, Gram matrices, and the weight that solves them.

use alluvium_model::{ModelError, Numbers, Values, Width};
use nalgebra::{Cholesky, DMatrix};

/// A weight as the linear map that it is, `[inputs, outputs]`: of a fully connected layer as it is, of a convolution
/// `[outputs, channels, height, width]` as a map of its patches.
///
/// # Errors
/// [`ModelError::Incompatible`], which names the weight, when it has another number of dimensions.
pub(crate) fn as_map(name: &str, weight: &Values) -> Result<DMatrix<f64>, ModelError> {
    let exact = weight.numbers.exact();
    let values = exact.iter().copied();
    match *weight.shape.as_slice() {
        [inputs, outputs] => Ok(DMatrix::from_row_iterator(inputs, outputs, values)),
        // nalgebra keeps columns together, and a kernel is a column.
        [outputs, channels, height, width] => Ok(DMatrix::from_iterator(channels * height * width, outputs, values)),
        _ => {
            let shape = &weight.shape;
            let reason = format!(
                "the weight `{name}` of shape {shape:?} is no linear map; accepted: [inputs, outputs] and [outputs, \
                 channels, height, width]"
            );
            Err(ModelError::Incompatible { reason })
        }
    }
}

/// A linear map as a weight of that shape and width: the other way round.
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

/// What [`values`] made plain.
pub(crate) fn matrix(values: &Values) -> DMatrix<f64> {
    let columns = values.shape.last().copied().unwrap_or_default();
    let rows = values.len() / columns.max(1);
    DMatrix::from_row_slice(rows, columns, &values.numbers.exact())
}

/// G̃ = αG + (1 − α)·diag G + λI, where λ is the share `ridge` of the mean of G's diagonal.
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
    // An expert whose layer is never on has no say where others' are, and keeps its weights where nobody's is.
    let size = if size == 0.0 { f64::from(f32::MIN_POSITIVE) } else { size };
    let mut regular = gram * alpha;
    regular.set_diagonal(&diagonal.add_scalar(ridge * size));
    Ok(regular)
}

/// G⁻¹P for a sum of Gram matrices G; `None` when it has no Cholesky decomposition, so that it is none.
pub(crate) fn solve(gram: DMatrix<f64>, product: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    Some(Cholesky::new(gram)?.solve(product))
}
