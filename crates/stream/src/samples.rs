//! Labelled images.

use std::fmt;
use std::sync::Arc;

use alluvium_model::InputShape;
use burn::tensor::{Device, Tensor, TensorData};

/// Labelled images of one shape, a byte a value. Clones share the images.
#[derive(Clone)]
pub struct Samples {
    input: InputShape,
    pixels: Arc<Vec<u8>>,
    labels: Vec<usize>,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Samples({} of {})", self.len(), self.input)
    }
}

impl Samples {
    /// No samples yet.
    pub fn new(input: InputShape) -> Self {
        Samples { input, pixels: Arc::default(), labels: vec![] }
    }

    /// Images that lie one after another, with their labels.
    pub(crate) fn of_pixels(input: InputShape, pixels: Vec<u8>, labels: Vec<usize>) -> Self {
        Samples { input, pixels: Arc::new(pixels), labels }
    }

    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of each sample, as a number within the stream.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The values of one image, `[channels, height, width]`, 0 to 255.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.input.values();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// Adds one image of the stream's class `label`.
    ///
    /// # Panics
    /// When the image does not have the samples' shape: that is a defect of the reader.
    pub fn push(&mut self, image: &[u8], label: usize) {
        assert_eq!(image.len(), self.input.values(), "values of an image of shape {}", self.input);
        Arc::make_mut(&mut self.pixels).extend_from_slice(image);
        self.labels.push(label);
    }

    /// The samples at some places, in that order.
    pub fn select(&self, places: impl IntoIterator<Item = usize>) -> Samples {
        let mut selected = Samples::new(self.input);
        for place in places {
            selected.push(self.image(place), self.labels[place]);
        }
        selected
    }

    /// The same images with other labels: `label` gives the new one for a place and its old one.
    pub fn relabelled(mut self, label: impl Fn(usize, usize) -> usize) -> Samples {
        self.labels.iter_mut().enumerate().for_each(|(place, own)| *own = label(place, *own));
        self
    }

    /// Adds all samples of `other`.
    ///
    /// # Panics
    /// When they have another shape.
    pub fn extend(&mut self, other: &Samples) {
        assert_eq!(self.input, other.input, "samples of one shape");
        Arc::make_mut(&mut self.pixels).extend_from_slice(&other.pixels);
        self.labels.extend_from_slice(&other.labels);
    }

    /// All images on a compute device, `[samples, channels, height, width]`; bytes 0…255 become −1…1.
    pub fn inputs(&self, compute: &Device) -> Tensor<4> {
        let values: Vec<f32> = self.pixels.iter().map(|byte| input_value(f32::from(*byte))).collect();
        let shape = [self.len(), self.input.channels, self.input.height, self.input.width];
        Tensor::from_data(TensorData::new(values, shape), compute)
    }
}

/// A pixel's value, from 0 to 255, as a network takes it: −1 to 1.
pub fn input_value(value: f32) -> f32 {
    value / 127.5 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_values_between_minus_one_and_one() {
        let mut samples = Samples::new([1, 1, 3].into());
        samples.push(&[0, 255, 51], 7);
        let values = samples.inputs(&Device::flex()).into_data().try_into_vec::<f32>().unwrap();
        // 51 / 127.5 − 1 = −0.6
        for (value, expected) in values.iter().zip([-1.0, 1.0, -0.6]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }
}
