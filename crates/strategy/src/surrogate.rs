//! Surrogate data: unlabelled inputs that belong to no device.

use std::fmt::Debug;
use std::path::PathBuf;

use alluvium_model::{Expert, InputShape, Inputs, ModelState, PictureShape, Seed};
use alluvium_stream::Normalisation;
use burn::tensor::Device;

use crate::SurrogateError;

/// The `[surrogate]` table: which surrogate data, and its options.
#[typetag::serde(tag = "kind")]
pub trait SurrogateConfig: Debug + Send + Sync {
    /// Builds the source of surrogate data, and reads its files.
    ///
    /// # Errors
    /// [`SurrogateError`] when a file cannot be read.
    fn build(&self) -> Result<Box<dyn Surrogate>, SurrogateError>;

    /// The files that the data are made from. When a file changes, everything computed from it is computed again.
    fn files(&self) -> Vec<PathBuf> {
        vec![]
    }

    /// The kinds of the task streams that the inputs come from, if any. The experiment's own stream is refused, because the
    /// centre would see the devices' data.
    fn stream_kinds(&self) -> Vec<String> {
        vec![]
    }
}

/// A request for surrogate data. Most sources use only the shape and the seed.
#[derive(Debug, Clone, Copy)]
pub struct SurrogateRequest<'a> {
    /// The shape of one input.
    pub input: InputShape,
    /// The compute device of the inputs.
    pub compute: &'a Device,
    /// The seed of the draw. The same seed gives the same inputs.
    pub seed: Seed,
    /// The central model before the consolidation.
    pub previous: &'a ModelState,
    /// The expert that is being consolidated.
    pub expert: &'a Expert,
}

impl SurrogateRequest<'_> {
    /// Inputs of the requested shape on the requested compute device, from the values of one input after the other.
    pub fn inputs(&self, values: Vec<f32>) -> Inputs {
        Inputs::from_values(values, self.input, self.compute)
    }

    /// [`inputs`](Self::inputs) from bytes: maps 0…255 to −1…1.
    pub fn inputs_of_bytes(&self, bytes: &[u8]) -> Inputs {
        let normalisation = Normalisation::default();
        self.inputs(bytes.iter().map(|byte| normalisation.apply(f32::from(*byte))).collect())
    }
}

/// The shape of inputs for surrogate data of a kind that makes pictures only.
///
/// # Errors
/// [`SurrogateError::Input`] when inputs are not pictures.
pub fn pictures_only(kind: &str, input: InputShape) -> Result<PictureShape, SurrogateError> {
    let unfit = || SurrogateError::Input { kind: kind.to_owned(), given: input };
    input.picture().ok_or_else(unfit)
}

/// A source of surrogate data.
pub trait Surrogate: Debug + Send {
    /// The number of samples in the fixed set of one consolidation.
    fn samples(&self) -> usize;

    /// Draws `count` inputs of the requested shape. Pictures are in −1…1.
    ///
    /// The inputs must depend only on the request, not on earlier draws: a resumed run makes only the remaining draws. Keep
    /// something between draws only to save time.
    ///
    /// # Errors
    /// [`SurrogateError`] when they cannot be made.
    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError>;
}
