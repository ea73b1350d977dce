//! Samples as the inputs of a network.

use alluvium_model::Inputs;
use burn::tensor::Device;

use crate::Samples;
use crate::samples::read;

/// The number of samples that are read from disk at a time.
const PIECE: usize = 256;

impl Samples {
    /// All inputs on a compute device. Bytes are normalised: by default, 0…255 become −1…1.
    ///
    /// # Panics
    /// When the samples are on disk and cannot be read.
    pub fn inputs(&self, compute: &Device) -> Inputs {
        let size = self.input().values();
        let mut values = vec![0.0; self.values()];
        for (piece, values) in self.pieces(PIECE).zip(values.chunks_mut((PIECE * size).max(1))) {
            let piece = read(piece);
            let each = values.chunks_mut(size.max(1)).enumerate();
            each.for_each(|(index, values)| piece.write_input(index, values));
        }
        Inputs::from_values(values, self.input(), compute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_values_between_minus_one_and_one() {
        let mut samples = Samples::new([1, 1, 3].into());
        samples.push(&[0, 255, 51], 7);
        let values = samples.inputs(&Device::flex()).vectors().into_data().try_into_vec::<f32>().unwrap();
        // 51 / 127.5 − 1 = −0.6
        for (value, expected) in values.iter().zip([-1.0, 1.0, -0.6]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }

    #[test]
    fn more_samples_than_are_read_at_a_time_keep_their_order() {
        let mut samples = Samples::new([1, 1, 2].into());
        (0..600).for_each(|index| samples.push(&[(index % 256) as u8, (index / 256) as u8], 0));
        let values = samples.inputs(&Device::flex()).vectors().into_data().try_into_vec::<f32>().unwrap();
        let bytes = values.chunks(2).map(|pair| [0, 1].map(|at| ((pair[at] + 1.0) * 127.5).round() as usize));
        assert!(bytes.enumerate().all(|(index, [low, high])| low + 256 * high == index));
        assert_eq!(values.len(), 1200);
    }
}
