//! The classifier of a head: what a plugin author implements, the erased form that the workbench handles, and the linear one.

use std::fmt::Debug;
use std::sync::Arc;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::{DynModule, InputShape, Inputs, ModelError, Random, Weights, initial_linear, options, plugin};

/// What the classifier of one head is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    /// The shape of one input.
    pub input: InputShape,
    /// The size of a latent.
    pub latent_size: usize,
    /// The number of classes, and so of scores.
    pub classes: usize,
}

/// The `[classifier]` table: how a head turns a sample into scores of its classes, and its options. Every head of a model has a
/// classifier of its own, of the same kind.
///
/// The classifier here has one score per class, which depends on the input alone. The conformance tests check it.
///
/// ```
/// use alluvium_model::{BoxedClassifier, Classifier, ClassifierConfig, HeadShape, Inputs, ModelError, Random, Weights};
/// use alluvium_model::{conformance, initial_linear, options, plugin};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
///
/// /// A linear classifier of the input itself. It does not use the latents.
/// #[options]
/// struct PixelsConfig {}
///
/// #[plugin(kind = "pixels")]
/// impl ClassifierConfig for PixelsConfig {
///     fn initial(&self, head: HeadShape, random: &mut Random) -> Weights {
///         let mut weights = Weights::new();
///         weights.extend_below("layer", initial_linear(head.input.values(), head.classes, random));
///         weights
///     }
///
///     fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
///         Ok(Box::new(Pixels { layer: LinearConfig::new(head.input.values(), head.classes).init(compute) }))
///     }
/// }
///
/// #[derive(Module, Debug)]
/// struct Pixels {
///     layer: Linear,
/// }
///
/// impl Classifier for Pixels {
///     fn scores(&self, inputs: Inputs, _latents: Tensor<2>) -> Tensor<2> {
///         self.layer.forward(inputs.vectors())
///     }
/// }
///
/// conformance::check_classifier("pixels");
/// ```
#[typetag::serde(tag = "kind")]
pub trait ClassifierConfig: Debug + Send + Sync {
    /// Initial weights of one head, by the names of the classifier's parameters. Everything random comes from `random`.
    fn initial(&self, head: HeadShape, random: &mut Random) -> Weights;

    /// Builds the classifier of one head. Its weights do not matter: they are always replaced, by those of a stored model or by
    /// [`initial`](Self::initial).
    ///
    /// # Errors
    /// [`ModelError::Classifier`] when the options do not fit the head.
    fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError>;
}

/// A classifier whose type is erased.
pub type BoxedClassifier = Box<dyn DynClassifier>;

/// The classifier of a head: implement it on a burn module, and the module is a classifier.
///
/// It sees the input beside the latent, so it may have features of its own. A classifier from statistics of the classes (means,
/// a covariance) keeps them as parameters that do not require gradients.
pub trait Classifier: Module + Sync + 'static {
    /// The scores of the head's classes, `[batch, classes]`, before a softmax: from the inputs, and their latents, `[batch,
    /// latent size]`. The scores of a sample do not depend on the others of its batch.
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2>;

    /// Calls `map` for every weight that acts as a linear map, with its name among the parameters and the rows that it is
    /// multiplied with, `[rows, inputs]`; see [`Backbone::forward_maps`](crate::Backbone::forward_maps). Default: `map` is not
    /// called.
    fn maps(&self, _inputs: Inputs, _latents: Tensor<2>, _map: &mut dyn FnMut(&str, Tensor<2>)) {}
}

/// A classifier whose type is erased. Implemented for every [`Classifier`].
pub trait DynClassifier: DynModule {
    /// See [`Classifier::scores`].
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2>;
    /// See [`Classifier::maps`].
    fn maps(&self, _inputs: Inputs, _latents: Tensor<2>, _map: &mut dyn FnMut(&str, Tensor<2>)) {}
}

impl<C: Classifier> DynClassifier for C {
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        Classifier::scores(self, inputs, latents)
    }

    fn maps(&self, inputs: Inputs, latents: Tensor<2>, map: &mut dyn FnMut(&str, Tensor<2>)) {
        Classifier::maps(self, inputs, latents, map)
    }
}

/// A linear classifier: the score of a class is w·h + b, where h is the latent.
#[options]
pub struct LinearClassifierConfig {}

#[plugin(kind = "linear")]
impl ClassifierConfig for LinearClassifierConfig {
    fn initial(&self, head: HeadShape, random: &mut Random) -> Weights {
        initial_linear(head.latent_size, head.classes, random)
    }

    fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
        Ok(Box::new(LinearConfig::new(head.latent_size, head.classes).init(compute)))
    }
}

impl Classifier for Linear {
    fn scores(&self, _inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        self.forward(latents)
    }

    fn maps(&self, _inputs: Inputs, latents: Tensor<2>, map: &mut dyn FnMut(&str, Tensor<2>)) {
        map("weight", latents);
    }
}

/// The classifier of models whose configuration names none.
pub fn default_classifier() -> Arc<dyn ClassifierConfig> {
    Arc::new(LinearClassifierConfig {})
}

/// Whether a classifier is the default one. Models with it do not state a classifier.
pub fn is_default_classifier(classifier: &Arc<dyn ClassifierConfig>) -> bool {
    classifier.typetag_name() == LinearClassifierConfig {}.typetag_name()
}
