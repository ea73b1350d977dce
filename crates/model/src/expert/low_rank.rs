//! Low-rank factors: the update of one tensor as a product of two small matrices.

use crate::{ModelError, Numbers, Values};

/// The update of one tensor as the product of two small matrices (LoRA, Hu et al., arXiv 2106.09685, eq. 3).
///
/// The tensor is seen as a matrix: its rows are its first dimension, its columns all others together. So a convolution's kernel
/// `[out, in, height, width]` is a matrix `[out, in · height · width]`, and a linear layer's weight is the matrix as it is
/// stored, `[in, out]`. The paper writes B for the left factor, A for the right one, and α/r for the scale.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// The left factor, `[rows, rank]`.
    pub left: Values,
    /// The right factor, `[rank, columns]`.
    pub right: Values,
    /// What the product is multiplied with: alpha divided by the rank.
    pub scale: f64,
}

impl LowRank {
    /// The tensor after the update: W + scale · left · right. Errors call the tensor `name`.
    ///
    /// Everything is computed in 64 bits on the host, the sum over the ranks from the first to the last, and rounded once to the
    /// width of the parent's tensor. So a device and the centre get the same bits, whatever computes for them.
    ///
    /// # Errors
    /// [`ModelError::Difference`] when the tensor is not a matrix, or the factors do not fit it, and [`ModelError::NotFinite`] when
    /// a factor, the scale or the result is not finite.
    pub fn applied_to(&self, name: &str, parent: &Values) -> Result<Values, ModelError> {
        let (rows, columns) = self.fits(name, parent)?;
        let infinite = |value: String| ModelError::NotFinite { name: name.to_owned(), value };
        let factors = [&self.left, &self.right].into_iter().find_map(|factor| factor.numbers.first_not_finite());
        let scale = (!self.scale.is_finite()).then(|| self.scale.to_string());
        if let Some(value) = factors.or(scale) {
            return Err(infinite(value));
        }
        let (left, right, own) = (self.left.numbers.exact(), self.right.numbers.exact(), parent.numbers.exact());
        let rank = self.rank();
        let mut values = Vec::with_capacity(own.len());
        let mut sums = vec![0.0; columns];
        for row in 0..rows {
            sums.fill(0.0);
            for (index, weight) in left[row * rank..(row + 1) * rank].iter().enumerate() {
                let factors = &right[index * columns..(index + 1) * columns];
                sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += weight * factor);
            }
            let before = &own[row * columns..(row + 1) * columns];
            values.extend(before.iter().zip(&sums).map(|(before, sum)| before + self.scale * sum));
        }
        let numbers = Numbers::rounded(values, parent.width());
        match numbers.first_not_finite() {
            Some(value) => Err(infinite(value)),
            None => Ok(Values { shape: parent.shape.clone(), numbers }),
        }
    }

    /// The number of columns of the left factor, and of rows of the right one.
    fn rank(&self) -> usize {
        self.right.shape.first().copied().unwrap_or_default()
    }

    /// The rows and columns of a tensor that the factors fit.
    fn fits(&self, name: &str, parent: &Values) -> Result<(usize, usize), ModelError> {
        let refuse = |reason| Err(ModelError::Difference { reason });
        let (rows, columns) = match parent.shape.as_slice() {
            [rows, columns @ ..] if !columns.is_empty() && !parent.is_empty() => {
                (*rows, columns.iter().product::<usize>())
            }
            other => {
                let accepted = "accepted: tensors of two dimensions or more";
                return refuse(format!("the tensor `{name}` of the shape {other:?} has factors; {accepted}"));
            }
        };
        let rank = self.rank();
        if rank == 0 || self.left.shape != [rows, rank] || self.right.shape != [rank, columns] {
            return refuse(format!(
                "the factors of the tensor `{name}` have the shapes {:?} and {:?}; accepted: [{rows}, rank] and \
                 [rank, {columns}], of the same rank, at least 1",
                self.left.shape, self.right.shape
            ));
        }
        Ok((rows, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(left: (&[usize], &[f32]), right: (&[usize], &[f32]), scale: f64) -> LowRank {
        let values = |(shape, values): (&[usize], &[f32])| Values::new(shape.to_vec(), values.to_vec());
        LowRank { left: values(left), right: values(right), scale }
    }

    #[test]
    fn a_matrix_gets_the_scaled_product() {
        let parent = Values::new(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        // [2, 4]ᵀ · [1, -1, 3] = [[2, -2, 6], [4, -4, 12]]; half of it is [[1, -1, 3], [2, -2, 6]].
        let one = factors((&[2, 1], &[2.0, 4.0]), (&[1, 3], &[1.0, -1.0, 3.0]), 0.5);
        let expected = Values::new(vec![2, 3], vec![2.0, 1.0, 6.0, 6.0, 3.0, 12.0]);
        assert_eq!(one.applied_to("w", &parent).unwrap(), expected);
        // [[1, 2], [0, 3]] · [[1, 0, 1], [0, 1, 1]] = [[1, 2, 3], [0, 3, 3]]; twice it is [[2, 4, 6], [0, 6, 6]].
        let two = factors((&[2, 2], &[1.0, 2.0, 0.0, 3.0]), (&[2, 3], &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]), 2.0);
        let expected = Values::new(vec![2, 3], vec![3.0, 6.0, 9.0, 4.0, 11.0, 12.0]);
        assert_eq!(two.applied_to("w", &parent).unwrap(), expected);
    }

    #[test]
    fn a_convolution_is_a_matrix_of_its_first_dimension() {
        // [2, 1, 1, 2] is a matrix [2, 2]. [1, -2]ᵀ · [3, 5] = [[3, 5], [-6, -10]]; half of it is [[1.5, 2.5], [-3, -5]].
        let parent = Values::new(vec![2, 1, 1, 2], vec![0.5, 0.5, 1.0, 2.0]);
        let one = factors((&[2, 1], &[1.0, -2.0]), (&[1, 2], &[3.0, 5.0]), 0.5);
        let expected = Values::new(vec![2, 1, 1, 2], vec![2.0, 3.0, -2.0, -3.0]);
        assert_eq!(one.applied_to("w", &parent).unwrap(), expected);
    }

    #[test]
    fn sums_have_64_bits_and_are_rounded_once() {
        // 2²⁴ + 1 − 2²⁴ = 1, but in 32 bits 2²⁴ + 1 is 2²⁴.
        let big = 16_777_216.0;
        let sum = factors((&[1, 3], &[big, 1.0, -big]), (&[3, 1], &[1.0; 3]), 1.0);
        assert_eq!(sum.applied_to("w", &Values::new(vec![1, 1], vec![0.25])).unwrap().as_f32().unwrap(), [1.25]);
        // A parent of 64 bits keeps them: 1 + 2⁻⁴⁰.
        let small = factors((&[1, 1], &[2_f32.powi(-20)]), (&[1, 1], &[2_f32.powi(-20)]), 1.0);
        let wide = small.applied_to("w", &Values::of(vec![1, 1], vec![1.0_f64])).unwrap();
        assert_eq!(wide.as_f64().unwrap(), [1.0 + 2_f64.powi(-40)]);
    }

    #[test]
    fn factors_that_do_not_fit_are_refused_and_the_tensor_is_named() {
        let matrix = Values::new(vec![2, 3], vec![0.0; 6]);
        let refused = |factors: &LowRank, parent: &Values, text: &str| {
            let error = factors.applied_to("backbone.w", parent).unwrap_err().to_string();
            assert!(error.contains("`backbone.w`") && error.contains(text), "{error}");
        };
        let good = factors((&[2, 1], &[1.0; 2]), (&[1, 3], &[1.0; 3]), 1.0);
        assert!(good.applied_to("backbone.w", &matrix).is_ok());
        refused(&factors((&[2, 0], &[]), (&[0, 3], &[]), 1.0), &matrix, "at least 1");
        refused(&factors((&[3, 1], &[1.0; 3]), (&[1, 3], &[1.0; 3]), 1.0), &matrix, "[3, 1]");
        refused(&factors((&[2, 1], &[1.0; 2]), (&[1, 2], &[1.0; 2]), 1.0), &matrix, "[1, 2]");
        refused(&factors((&[2, 1], &[1.0; 2]), (&[2, 3], &[1.0; 6]), 1.0), &matrix, "[rank, 3]");
        refused(&factors((&[2], &[1.0; 2]), (&[1, 3], &[1.0; 3]), 1.0), &matrix, "[2]");
        refused(&factors((&[2, 1], &[1.0; 2]), (&[], &[1.0]), 1.0), &matrix, "[]");
        refused(&good, &Values::new(vec![2], vec![0.0; 2]), "two dimensions or more");
        refused(&good, &Values::new(vec![], vec![0.0]), "two dimensions or more");
        refused(&good, &Values::new(vec![0, 3], vec![]), "two dimensions or more");
    }

    #[test]
    fn values_that_are_not_finite_are_refused_before_and_after() {
        let parent = Values::new(vec![1, 1], vec![0.0]);
        let says = |left: f32, right: f32, scale| {
            let error = factors((&[1, 1], &[left]), (&[1, 1], &[right]), scale).applied_to("w", &parent);
            error.unwrap_err().to_string()
        };
        assert!(says(f32::NAN, 0.0, 1.0).contains("`w` holds a value that is not finite (NaN)"));
        assert!(says(0.0, f32::INFINITY, 1.0).contains("(inf)"));
        assert!(says(0.0, 0.0, f64::NAN).contains("(NaN)"));
        // 3 · 10³⁸ · 10 fits 64 bits, but not 32.
        assert!(says(3e38, 10.0, 1.0).contains("(inf)"));
    }
}
