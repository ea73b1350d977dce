//! Reading labelled inputs from disk or from memory.

use alluvium_model::InputShape;
use rayon::prelude::*;

use crate::samples::{DataPart, Samples};
use crate::{StreamError, ValueType};

impl DataPart for Samples {
    fn input(&self) -> InputShape {
        Samples::input(self)
    }

    fn value_type(&self) -> ValueType {
        Samples::value_type(self)
    }

    fn labels(&self) -> &[usize] {
        Samples::labels(self)
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        Ok(self.select(indices.iter().copied()))
    }
}

/// Reads images in parallel: an implementation of [`DataPart::read`] for data sets in which every image can be read by
/// itself. `decode` writes the image with an index, `[channels, height, width]`. The result does not depend on the
/// number of threads.
///
/// # Errors
/// The error of the first image, in the order of `indices`, that cannot be read.
pub fn read_each(
    images: &impl DataPart,
    indices: &[usize],
    decode: impl Fn(usize, &mut [u8]) -> Result<(), StreamError> + Sync,
) -> Result<Samples, StreamError> {
    let input = images.input();
    let mut pixels = vec![0; indices.len() * input.values()];
    let decoded = pixels.par_chunks_mut(input.values().max(1)).zip(indices);
    match decoded.find_map_first(|(image, index)| decode(*index, image).err()) {
        Some(error) => Err(error),
        None => Ok(Samples::of_bytes(input, pixels, indices.iter().map(|index| images.labels()[*index]).collect())),
    }
}

/// The same for inputs of 32-bit numbers: `compute` writes the input with an index.
///
/// # Errors
/// As [`read_each`].
pub fn read_each_of_numbers(
    inputs: &impl DataPart,
    indices: &[usize],
    compute: impl Fn(usize, &mut [f32]) -> Result<(), StreamError> + Sync,
) -> Result<Samples, StreamError> {
    let input = inputs.input();
    let mut numbers = vec![0.0; indices.len() * input.values()];
    let computed = numbers.par_chunks_mut(input.values().max(1)).zip(indices);
    match computed.find_map_first(|(values, index)| compute(*index, values).err()) {
        Some(error) => Err(error),
        None => Ok(Samples::of_numbers(input, numbers, indices.iter().map(|index| inputs.labels()[*index]).collect())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Images of two pixels that are generated when they are read. The broken ones cannot be read.
    #[derive(Debug)]
    struct GeneratedImages {
        labels: Vec<usize>,
        broken: Vec<usize>,
    }

    impl DataPart for GeneratedImages {
        fn input(&self) -> InputShape {
            [1, 1, 2].into()
        }

        fn labels(&self) -> &[usize] {
            &self.labels
        }

        fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
            read_each(self, indices, |index, image| {
                if self.broken.contains(&index) {
                    return Err(StreamError::file(Path::new(&format!("{index}.png")), "is broken"));
                }
                image.copy_from_slice(&[index as u8, 7]);
                Ok(())
            })
        }
    }

    #[test]
    fn images_come_in_the_requested_order_on_any_number_of_threads() {
        let made = GeneratedImages { labels: (0..100).map(|index| index % 3).collect(), broken: vec![] };
        let indices: Vec<_> = (0..100).rev().collect();
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let samples = pool.install(|| made.read(&indices)).unwrap();
            assert_eq!(samples.len(), 100);
            assert!((0..100).all(|at| samples.image(at) == [99 - at as u8, 7]));
            assert!((0..100).all(|at| samples.labels()[at] == (99 - at) % 3));
        }
        assert!(made.read(&[]).unwrap().is_empty());
    }

    #[test]
    fn the_first_image_of_the_order_that_cannot_be_read_is_named() {
        let made = GeneratedImages { labels: vec![0; 100], broken: vec![20, 40, 60] };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let indices: Vec<_> = (0..100).rev().collect();
        for _ in 0..20 {
            let error = pool.install(|| made.read(&indices)).unwrap_err().to_string();
            assert_eq!(error, "60.png: is broken");
        }
    }
}
