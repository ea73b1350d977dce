//! Surrogate data: unlabelled inputs that belong to no device.

use std::fmt::Debug;
use std::path::PathBuf;

use alluvium_model::{Digest, Expert, InputShape, Inputs, ModelState, PictureShape, Seed};
use alluvium_stream::Normalisation;
use burn::tensor::Device;

use crate::{RunDescription, SurrogateError};

/// The `[surrogate]` table: which surrogate data, and its options.
///
/// Inputs of one random value each, which pass the conformance tests:
///
/// ```
/// use alluvium_model::Inputs;
/// use alluvium_strategy::{RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest};
/// use alluvium_strategy::{conformance, options, plugin};
/// use rand::RngExt;
///
/// /// Inputs whose values are all the same: grey pictures.
/// #[options]
/// struct GreyConfig {}
///
/// #[plugin(kind = "grey")]
/// impl SurrogateConfig for GreyConfig {
///     fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
///         Ok(Box::new(Grey {}))
///     }
/// }
///
/// #[derive(Debug)]
/// struct Grey {}
///
/// impl Surrogate for Grey {
///     fn samples(&self) -> usize {
///         20
///     }
///
///     fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
///         let mut random = request.seed.random();
///         let shades = (0..count).map(|_| random.random_range(-1.0..=1.0));
///         Ok(request.inputs(shades.flat_map(|shade| vec![shade; request.input.values()]).collect()))
///     }
/// }
///
/// conformance::check_surrogate(&GreyConfig {});
/// ```
#[typetag::serde(tag = "kind")]
pub trait SurrogateConfig: Debug + Send + Sync {
    /// Checks the options against the run, without reading files. It is called before anything is trained. What the description
    /// leaves open is not checked. Default: everything fits.
    ///
    /// # Errors
    /// [`SurrogateError::Option`], which names the option, or [`SurrogateError::Misfit`]. Both say what is accepted.
    fn validate(&self, _run: &RunDescription) -> Result<(), SurrogateError> {
        Ok(())
    }

    /// Builds the source of surrogate data for a run that [`validate`](Self::validate) accepts, and reads its files.
    ///
    /// # Errors
    /// [`SurrogateError`] when a file cannot be read, or its contents do not fit the run.
    fn build(&self, run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError>;

    /// The steps by which inputs are fitted to networks with batch normalisation if the table does not say it; see
    /// [`Fitting::fit_steps`](crate::Fitting::fit_steps). Default: 0, they stay as they are.
    fn fit_steps(&self) -> usize {
        0
    }

    /// The files that the data are made from. When a file changes, everything computed from it is computed again.
    fn files(&self) -> Vec<PathBuf> {
        vec![]
    }

    /// A digest of the code that makes the data outside this program and [`files`](Self::files), such as that of a stream they come
    /// from. When it changes, everything computed from them is computed again. Default, `None`: all the code is in the program.
    fn revision(&self) -> Option<Digest> {
        None
    }

    /// The kinds of the task streams that the inputs come from, if any. The experiment's own stream is refused, because the
    /// centre would see the devices' data.
    fn stream_kinds(&self) -> Vec<String> {
        vec![]
    }
}

/// The most bytes of the fixed set of surrogate data. A larger request is probably a mistake.
const MOST_BYTES: u64 = 8 << 30;

/// Checks that a fixed set of this many inputs is not too large.
///
/// # Errors
/// [`SurrogateError::Misfit`], which says how large it is and what is accepted.
pub fn fits_in_memory(samples: usize, input: InputShape) -> Result<(), SurrogateError> {
    let one = (input.values() * size_of::<f32>()) as u64;
    let bytes = (samples as u64).saturating_mul(one);
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(SurrogateError::Misfit {
        problem: format!("take {:.1} GB: {samples} inputs of {input}", bytes as f64 / 1e9),
        accepted: format!(
            "at most {:.1} GB, which are {} such inputs",
            MOST_BYTES as f64 / 1e9,
            MOST_BYTES / one.max(1)
        ),
    })
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
    /// The expert that is being consolidated; `None` before the first device. Then no model has learned anything.
    pub expert: Option<&'a Expert>,
}

impl<'a> SurrogateRequest<'a> {
    /// The models that have learned something, the expert's first. A central model without heads has initial weights.
    pub fn learned(&self) -> Vec<&'a ModelState> {
        let models = self.expert.map(|expert| &expert.model).into_iter().chain([self.previous]);
        models.filter(|state| !state.heads.is_empty()).collect()
    }

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

/// The shape of inputs for surrogate data that are pictures. A kind calls it in its `validate`, too.
///
/// # Errors
/// [`SurrogateError::Misfit`] when inputs are not pictures.
pub fn pictures_only(input: InputShape) -> Result<PictureShape, SurrogateError> {
    let unfit = || SurrogateError::Misfit {
        problem: format!("are pictures [channels, height, width], but the inputs are {}", input.described()),
        accepted: "a kind of `alluvium list surrogates` that makes inputs of any shape".to_owned(),
    };
    input.picture().ok_or_else(unfit)
}

/// A source of surrogate data. [`SurrogateConfig`] has an example of both.
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
