//! The similarity of two models' latents.

use burn::tensor::Tensor;

/// Linear centred kernel alignment of two models' latents on the same samples, in `[0, 1]`.
///
/// CKA(X, Y) = ‖YᵀX‖²_F / (‖XᵀX‖_F · ‖YᵀY‖_F) with the columns of X and Y centred (Kornblith et al., "Similarity of neural
/// network representations revisited", ICML 2019, section 3). It does not change when either is rotated or scaled.
///
/// Both are `[samples, size]`, with the same samples in the same order. `None` if the latents do not vary, because the
/// alignment is then undefined.
pub fn linear_cka(x: &Tensor<2>, y: &Tensor<2>) -> Option<f64> {
    let centred = |latents: &Tensor<2>| latents.clone() - latents.clone().mean_dim(0);
    let (x, y) = (centred(x), centred(y));
    let norm = |a: &Tensor<2>, b: &Tensor<2>| {
        let product = a.clone().transpose().matmul(b.clone());
        let values = product.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
        values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
    };
    let similarity = norm(&y, &x).powi(2) / (norm(&x, &x) * norm(&y, &y));
    similarity.is_finite().then_some(similarity)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn rotation_and_scale_do_not_matter() {
        let device = Device::flex();
        let x = Tensor::from_floats([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]], &device);
        let turned = Tensor::from_floats([[0.0, 5.0], [-10.0, 0.0], [-5.0, 15.0]], &device);
        assert!((linear_cka(&x, &turned).unwrap() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_value_worked_out_by_hand() {
        // x = (−1, 0, 1), y = (1, −2, 1), both centred: yᵀx = 0. With y = (0, 1, 5), centred (−2, −1, 3):
        // (yᵀx)² / (xᵀx · yᵀy) = 25 / (2 · 14) = 0.892857.
        let device = Device::flex();
        let column = |values: [f32; 3]| Tensor::<2>::from_floats(values.map(|value| [value]), &device);
        assert!(linear_cka(&column([-1.0, 0.0, 1.0]), &column([1.0, -2.0, 1.0])).unwrap() < 1e-6);
        let similarity = linear_cka(&column([-1.0, 0.0, 1.0]), &column([0.0, 1.0, 5.0])).unwrap();
        assert!((similarity - 25.0 / 28.0).abs() < 1e-5, "{similarity}");
    }

    #[test]
    fn latents_that_do_not_vary_have_no_similarity() {
        let device = Device::flex();
        let flat = Tensor::<2>::ones([3, 2], &device);
        assert_eq!(linear_cka(&flat, &flat), None);
    }
}
