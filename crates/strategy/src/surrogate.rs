//! Surrogate data: unlabelled inputs that belong to no device.

use std::fmt::Debug;
use std::path::PathBuf;

use alluvium_model::{Expert, InputShape, ModelState, Seed};
use alluvium_stream::input_value;
use burn::tensor::{Device, Tensor, TensorData};

use crate::SurrogateError;

/// The `[surrogate]` table: which surrogate data, and its options.
#[typetag::serde(tag = "kind")]
pub trait SurrogateConfig: Debug + Send + Sync {
    /// Builds the source of surrogate data; reads its files.
    ///
    /// # Errors
    /// [`SurrogateError`] when a file cannot be read.
    fn build(&self) -> Result<Box<dyn Surrogate>, SurrogateError>;

    /// The files that the data are made of. What was computed from them is found again only while they are the same.
    fn files(&self) -> Vec<PathBuf> {
        vec![]
    }

    /// The kinds of the task streams whose inputs these are, where they are a stream's. The experiment's own stream is
    /// refused: the centre would see what belongs to devices.
    fn stream_kinds(&self) -> Vec<String> {
        vec![]
    }
}

/// What surrogate data are wanted for. Most sources look at the shape and the seed only.
#[derive(Debug, Clone, Copy)]
pub struct SurrogateRequest<'a> {
    /// The shape of one input.
    pub input: InputShape,
    /// Where the inputs should live.
    pub compute: &'a Device,
    /// The seed of the draw: the same seed, the same inputs.
    pub seed: Seed,
    /// The central model before the consolidation.
    pub previous: &'a ModelState,
    /// The expert that is being consolidated.
    pub expert: &'a Expert,
}

impl SurrogateRequest<'_> {
    /// Inputs of the shape that is wanted, where they are wanted, from their values: one input after the other.
    pub fn inputs(&self, values: Vec<f32>) -> Tensor<4> {
        let InputShape { channels, height, width } = self.input;
        let count = values.len() / self.input.values().max(1);
        Tensor::from_data(TensorData::new(values, [count, channels, height, width]), self.compute)
    }

    /// [`inputs`](Self::inputs) from bytes: 0…255 become −1…1.
    pub fn inputs_of_bytes(&self, bytes: &[u8]) -> Tensor<4> {
        self.inputs(bytes.iter().map(|byte| input_value(f32::from(*byte))).collect())
    }
}

/// A source of surrogate data.
pub trait Surrogate: Debug + Send {
    /// How many samples the fixed set of one consolidation has.
    fn samples(&self) -> usize;

    /// Draws `count` inputs, `[count, channels, height, width]`, in −1…1 as all inputs.
    ///
    /// They follow from the request alone, not from earlier draws: a run that goes on after it was stopped makes only
    /// the draws that are left. What is kept between draws may only spare time.
    ///
    /// # Errors
    /// [`SurrogateError`] when they cannot be made.
    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Tensor<4>, SurrogateError>;
}
