//! The projection of a new change away from the leading directions of an earlier one.

use alluvium_model::{ModelError, Numbers, Values};
use nalgebra::{DMatrix, SVD};

/// Singular values below this fraction of the largest count as 0: they come from the rounding of 32-bit weights.
const NO_DIRECTION: f64 = 1e-6;

/// The values of `vector` without their part along the leading directions of `merged`, and without their part along each pair
/// of directions. A tensor of less than two dimensions is returned unchanged. The first dimension is the rows, all others
/// together are the columns.
///
/// # Errors
/// [`ModelError::Incompatible`], which names the tensor, when its singular values cannot be found.
pub(crate) fn project(
    name: &str,
    merged: &Values,
    vector: &Values,
    protected_share: f64,
) -> Result<Numbers, ModelError> {
    let width = vector.width();
    let (Some(merged), Some(matrix)) = (as_matrix(merged), as_matrix(vector)) else {
        return Ok(vector.numbers.clone());
    };
    let steps = 100 * (merged.nrows() + merged.ncols());
    let failed = || {
        let reason = format!("the singular values of what was merged into the tensor `{name}` cannot be found");
        ModelError::Incompatible { reason }
    };
    let svd = SVD::try_new(merged, true, true, 5.0 * f64::EPSILON, steps).ok_or_else(failed)?;
    let (u, v_t) = svd.u.zip(svd.v_t).ok_or_else(failed)?;
    let values = svd.singular_values.as_slice();
    let directions = directions(values);
    let leading = leading(values, protected_share).min(directions);
    // ⟨Δ, u_i v_jᵀ⟩, of which only what is taken out stays.
    let mut along = u.tr_mul(&matrix) * v_t.transpose();
    for j in 0..along.ncols() {
        for i in 0..along.nrows() {
            let taken_out = (i < leading && j < leading) || (i == j && i < directions);
            if !taken_out {
                along[(i, j)] = 0.0;
            }
        }
    }
    let projected = matrix - u * along * v_t;
    // nalgebra is column-major, weights are row-major.
    Ok(Numbers::rounded(projected.transpose().iter().copied(), width))
}

fn as_matrix(tensor: &Values) -> Option<DMatrix<f64>> {
    let [rows, inner @ ..] = tensor.shape.as_slice() else { return None };
    if inner.is_empty() || tensor.is_empty() {
        return None;
    }
    Some(DMatrix::from_row_slice(*rows, inner.iter().product(), &tensor.numbers.exact()))
}

/// The number of singular values, sorted from the largest, that belong to a direction.
fn directions(values: &[f64]) -> usize {
    let largest = values.first().copied().unwrap_or_default();
    values.iter().take_while(|value| **value > NO_DIRECTION * largest).count()
}

/// The number of singular values, from the largest, that make up at most this fraction of their sum.
fn leading(values: &[f64], share: f64) -> usize {
    let sums = values.iter().scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    let sums: Vec<_> = sums.collect();
    let all = sums.last().copied().unwrap_or_default();
    sums.iter().take_while(|sum| **sum <= share * all).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_model::Seed;
    use rand::RngExt;

    fn drawn(shape: &[usize], seed: u64) -> Values {
        let mut random = Seed::new(seed).random();
        let count = shape.iter().product::<usize>();
        Values::new(shape.to_vec(), (0..count).map(|_| random.random_range(-1.0..1.0)).collect())
    }

    fn single(tensor: &Values) -> &[f32] {
        tensor.as_f32().unwrap()
    }

    fn projected(merged: &Values, vector: &Values, share: f64) -> Vec<f32> {
        match project("a", merged, vector, share).unwrap() {
            Numbers::Single(values) => values,
            Numbers::Double(values) => panic!("{values:?} of 32 bits"),
        }
    }

    fn inner(a: &Values, b: &[f32]) -> f64 {
        single(a).iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn what_is_left_is_orthogonal_to_what_was_merged() {
        for shape in [vec![4, 3], vec![3, 4], vec![5, 2, 3, 3], vec![40, 3, 3, 3], vec![1, 7]] {
            let (merged, vector) = (drawn(&shape, 1), drawn(&shape, 2));
            for share in [0.0, 0.5, 1.0] {
                let left = projected(&merged, &vector, share);
                let lengths = (inner(&merged, single(&merged)) * inner(&vector, single(&vector))).sqrt();
                let cosine = inner(&merged, &left) / lengths;
                assert!(cosine.abs() < 1e-6, "{shape:?} at {share}: {cosine}");
                // Nothing is left along the merged directions.
                let nothing = projected(&merged, &merged, share);
                assert!(nothing.iter().all(|value| value.abs() < 1e-5), "{shape:?} at {share}");
                let again = projected(&merged, &Values::new(shape.clone(), left.clone()), share);
                assert!(again.iter().zip(&left).all(|(a, b)| (a - b).abs() < 1e-5), "{shape:?} at {share}");
            }
        }
    }

    #[test]
    fn along_the_axes_the_leading_block_and_the_diagonal_are_taken_out() {
        // diag(5, 3, 1): the directions are the axes. 5 + 3 of 9 are 0.89, so two lead at 0.9.
        let merged = Values::new(vec![3, 3], vec![5.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0]);
        let vector = Values::new(vec![3, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let near = |share, expected: [f32; 9]| {
            let left = projected(&merged, &vector, share);
            assert!(left.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{share}: {left:?}");
        };
        near(0.9, [0.0, 0.0, 3.0, 0.0, 0.0, 6.0, 7.0, 8.0, 0.0]);
        near(0.6, [0.0, 2.0, 3.0, 4.0, 0.0, 6.0, 7.0, 8.0, 0.0]);
        near(1.0, [0.0; 9]);
    }

    #[test]
    fn no_directions_take_nothing_out() {
        let vector = drawn(&[3, 2], 2);
        let nothing = Values::new(vec![3, 2], vec![0.0; 6]);
        assert_eq!(projected(&nothing, &vector, 0.5), single(&vector));
        // Of rank 1: along (1, 0, 0)ᵀ(1, 0) only the first value is taken out.
        let one = Values::new(vec![3, 2], vec![2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let left = projected(&one, &vector, 1.0);
        assert!(left[0].abs() < 1e-6 && left[1..].iter().zip(&single(&vector)[1..]).all(|(a, b)| (a - b).abs() < 1e-6));
        let bias = drawn(&[4], 3);
        assert_eq!(projected(&bias, &bias, 0.5), single(&bias), "a vector is not projected");
    }
}
