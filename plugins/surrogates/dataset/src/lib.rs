//! The `dataset` surrogate: the inputs of another task stream, without their labels.

use std::path::PathBuf;

use alluvium_model::{Digest, InputShape, Inputs, PictureShape};
use alluvium_strategy::{
    RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, fit_picture, options, plugin,
};
use alluvium_stream::{NestedError, Samples, Seed, StreamConfig, ValueType, nested_stream};
use image::{Rgb, RgbImage};
use rand::RngExt;
use serde_json::{Map, Value};

/// The training inputs of all tasks of another task stream, without their labels. They are drawn with replacement.
///
/// Inputs of the right shape do not change. In pictures of another shape, the largest area around the middle with the right
/// proportions is resized by a triangle filter. Other inputs must have the right shape. Grey becomes three equal channels, and colour becomes its luminance.
/// The experiment's own stream is refused unless the protocol grants all tasks' data, because the centre would see the
/// devices' data.
#[options]
#[derive(PartialEq)]
pub struct DatasetConfig {
    /// The stream: a table `[surrogate.stream]` with the `kind` and the options of any `[stream]`. It is required.
    pub stream: Option<Map<String, Value>>,
    /// The seed for building the stream. It does not depend on the experiment's seed, so all seeds of an experiment
    /// draw from the same inputs.
    pub stream_seed: u64,
    /// The number of inputs of the fixed set; an input may occur more than once.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub samples: usize,
}

#[plugin(kind = "dataset")]
impl SurrogateConfig for DatasetConfig {
    fn files(&self) -> Vec<PathBuf> {
        self.stream().map(|stream| stream.files()).unwrap_or_default()
    }

    fn revision(&self) -> Option<Digest> {
        self.stream().ok()?.revision()
    }

    fn stream_kinds(&self) -> Vec<String> {
        self.stream().map(|stream| stream.kinds()).unwrap_or_default()
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let failed = |error| wrong(format!("cannot be built: {error}"), "a stream whose data can be read".to_owned());
        let stream = self.stream()?.build(Seed::new(self.stream_seed).of("surrogate stream")).map_err(failed)?;
        let mut inputs = Samples::of_type(stream.input(), stream.value_type());
        run.input.map_or(Ok(()), |wanted| conversion(stream.input(), stream.value_type(), wanted).map(drop))?;
        for index in 0..stream.tasks() {
            let task = stream.task(index).map_err(failed)?;
            inputs.extend(&task.train.held().map_err(failed)?);
        }
        if inputs.is_empty() {
            return Err(wrong("has no training inputs".to_owned(), "a stream of at least one task".to_owned()));
        }
        Ok(Box::new(Dataset { samples: self.samples, inputs }))
    }
}

impl DatasetConfig {
    /// The stream's configuration, checked as a `[stream]` table is.
    fn stream(&self) -> Result<Box<dyn StreamConfig>, SurrogateError> {
        let table = self.stream.clone().unwrap_or_default();
        nested_stream(&table).map_err(|error| match error {
            NestedError::Kind { named, kinds } => {
                wrong(format!("names {named}"), format!("a table [surrogate.stream] with one of the kinds {kinds}"))
            }
            NestedError::Option { path, problem, accepted } => {
                wrong(format!("is wrong: `stream.{}` {problem}", path.join(".")), accepted)
            }
            NestedError::Table { kind, cause } => {
                wrong(format!("is wrong: {cause}"), format!("the options of `alluvium show {kind}`"))
            }
        })
    }
}

/// The pictures that inputs are converted from and to; `None` if they have the wanted shape already.
fn conversion(
    own: InputShape,
    values: ValueType,
    wanted: InputShape,
) -> Result<Option<(PictureShape, PictureShape)>, SurrogateError> {
    if own == wanted {
        return Ok(None);
    }
    let pictures = [own, wanted].map(|shape| shape.picture().filter(|shape| [1, 3].contains(&shape.channels)));
    match (pictures, values) {
        ([Some(from), Some(to)], ValueType::Bytes(_)) => Ok(Some((from, to))),
        _ => {
            let accepted = format!("inputs of {wanted}, or pictures of bytes with one or three channels on both sides");
            Err(wrong(format!("has inputs of {own}, but the model takes {wanted}"), accepted))
        }
    }
}

fn wrong(problem: String, accepted: String) -> SurrogateError {
    SurrogateError::Option { option: "stream", problem, accepted }
}

/// The source of inputs.
struct Dataset {
    samples: usize,
    /// All training samples; their labels are not used.
    inputs: Samples,
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dataset({:?})", self.inputs)
    }
}

impl Surrogate for Dataset {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let (own, wanted) = (self.inputs.input(), request.input);
        let conversion = conversion(own, self.inputs.value_type(), wanted)?;
        let mut random = request.seed.random();
        let indices = (0..count).map(|_| random.random_range(0..self.inputs.len()));
        let Some((from, to)) = conversion else {
            let size = wanted.values();
            let mut values = vec![0.0; count * size];
            for (index, values) in indices.zip(values.chunks_mut(size.max(1))) {
                self.inputs.write_input(index, values);
            }
            return Ok(request.inputs(values));
        };
        let fitted = indices.flat_map(|index| fit_picture(&picture(self.inputs.image(index), from), to));
        Ok(request.inputs_of_bytes(&fitted.collect::<Vec<_>>()))
    }
}

/// An image of one or three channels, `[channels, height, width]`, in colour.
fn picture(image: &[u8], shape: PictureShape) -> RgbImage {
    let plane = shape.height * shape.width;
    RgbImage::from_fn(shape.width as u32, shape.height as u32, |x, y| {
        let index = y as usize * shape.width + x as usize;
        Rgb(std::array::from_fn(|channel| image[channel % shape.channels * plane + index]))
    })
}

#[cfg(test)]
mod tests;
