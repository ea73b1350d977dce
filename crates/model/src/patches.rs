//! The patches of a convolution, which make it a linear map.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

/// The patches that a convolution multiplies with its kernels: `[batch, channels, height, width]` →
/// `[rows, channels · kernel height · kernel width]`.
///
/// There is one row for each pixel of the output, sample by sample, and within a sample row by row. Values within a patch are
/// ordered as in a flattened kernel: rows · weightᵀ, with the weight `[outputs, channels, kernel height, kernel width]`
/// flattened to `[outputs, channels · kernel height · kernel width]`, is the output without its bias. `kernel`, `stride` and
/// `padding` are given for height and width; the padding is zeros on both sides. A convolution with groups or dilation has
/// other patches.
///
/// The rows hold every input as often as patches contain it: nine times for a 3×3 kernel at stride 1.
pub fn patches(inputs: Tensor<4>, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Tensor<2> {
    let padded = inputs.pad(padding.map(|size| (size, size)), PadMode::Constant(0.0));
    let windows: Tensor<5> = padded.unfold(2, kernel[0], stride[0]);
    let windows: Tensor<6> = windows.unfold(3, kernel[1], stride[1]);
    let [batch, channels, height, width, kernel_height, kernel_width] = windows.dims();
    let rows = [batch * height * width, channels * kernel_height * kernel_width];
    windows.permute([0, 2, 3, 1, 4, 5]).reshape(rows)
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Device;

    use super::*;
    use crate::parameters::host;

    #[test]
    fn patches_worked_out_by_hand() {
        let inputs = Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], &Device::flex());
        let rows = patches(inputs.clone(), [2, 2], [1, 1], [0, 0]);
        assert_eq!(rows.dims(), [2, 4]);
        assert_eq!(host(rows).as_f32().unwrap(), [1.0, 2.0, 4.0, 5.0, 2.0, 3.0, 5.0, 6.0]);
        // Padded by a column of zeros on both sides, every second patch of a row.
        let rows = patches(inputs, [1, 2], [1, 2], [0, 1]);
        assert_eq!(host(rows).as_f32().unwrap(), [0.0, 1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn patches_times_kernels_are_the_convolution() {
        let compute = Device::flex();
        for (kernel, stride, padding) in [([3, 3], [1, 1], [1, 1]), ([3, 3], [2, 2], [1, 1]), ([1, 2], [2, 1], [0, 1])]
        {
            let config = Conv2dConfig::new([2, 5], kernel).with_stride(stride).with_bias(false);
            let [top, left] = padding;
            let conv = config.with_padding(PaddingConfig2d::Explicit(top, left, top, left)).init(&compute);
            let inputs = (Tensor::arange(0..3 * 2 * 6 * 7, &compute).float() * 0.37).sin().reshape([3, 2, 6, 7]);
            // [batch, outputs, height, width] → one row a pixel.
            let expected = conv.forward(inputs.clone()).permute([0, 2, 3, 1]);
            let rows = patches(inputs, kernel, stride, padding);
            let found = rows.matmul(conv.weight.val().flatten::<2>(1, 3).transpose());
            assert_eq!(found.dims()[0] * 5, expected.dims().iter().product::<usize>());
            let (found, expected) = (host(found), host(expected));
            for (found, expected) in found.as_f32().unwrap().iter().zip(expected.as_f32().unwrap()) {
                assert!((found - expected).abs() < 1e-5, "{kernel:?}, {stride:?}: {found}, expected {expected}");
            }
        }
    }
}
