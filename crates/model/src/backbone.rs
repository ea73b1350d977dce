//! The backbone φ: what a plugin author implements, and the erased form that the workbench handles.

use std::any::type_name;
use std::fmt::Debug;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::{DynModule, InputShape, Inputs, ModelError};

/// The `[backbone]` table: which backbone, and its options.
///
/// A backbone of one layer for inputs of any shape, which passes the conformance tests:
///
/// ```
/// use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError};
/// use alluvium_model::{conformance, options, plugin};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor, activation::relu};
///
/// /// One fully connected layer with a rectifier.
/// #[options]
/// struct OneLayerConfig {
///     /// The size of a latent.
///     #[schemars(range(min = 1, max = 65536))]
///     #[default(32)]
///     width: usize,
/// }
///
/// #[plugin(kind = "one-layer")]
/// impl BackboneConfig for OneLayerConfig {
///     fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
///         Ok(())
///     }
///
///     fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
///         Ok(Box::new(OneLayer { layer: LinearConfig::new(input.values(), self.width).init(compute) }))
///     }
/// }
///
/// #[derive(Module, Debug)]
/// struct OneLayer {
///     layer: Linear,
/// }
///
/// impl Backbone for OneLayer {
///     fn forward(&self, inputs: Inputs) -> Tensor<2> {
///         relu(self.layer.forward(inputs.vectors()))
///     }
///
///     fn latent_size(&self) -> usize {
///         self.layer.weight.dims()[1]
///     }
/// }
///
/// conformance::check_kind("one-layer");
/// conformance::check_config(&OneLayerConfig { width: 5 }, [1, 2, 3]);
/// ```
#[typetag::serde(tag = "kind")]
pub trait BackboneConfig: Debug + Send + Sync {
    /// Checks that inputs of this shape fit, before anything is built. Default: pictures fit, `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ModelError::Input`], which says what is accepted; see [`InputShape::unfit`].
    fn accepts(&self, input: InputShape) -> Result<(), ModelError> {
        input.picture_for(self.typetag_name()).map(|_| ())
    }

    /// Builds the backbone for inputs of one shape. Its weights do not matter: they are always replaced, by those of a stored
    /// model or by [`initial_weights`](crate::initial_weights).
    ///
    /// # Errors
    /// [`ModelError::Input`] when it takes other inputs; [`ModelError::Backbone`] when the options do not fit the input shape.
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError>;

    /// The backbones that this one consists of, if it consists of other backbones. Default: none.
    fn members(&self) -> &[Arc<dyn BackboneConfig>] {
        &[]
    }
}

/// A backbone whose type is erased.
pub type BoxedBackbone = Box<dyn DynBackbone>;

/// A feature extractor: implement it on a burn module, and the module is a backbone. [`BackboneConfig`] has an example of both.
pub trait Backbone: Module + Sync + 'static {
    /// The latents h = φ(x), `[batch, latent size]`. Inputs have a shape that [`BackboneConfig::accepts`] lets through.
    fn forward(&self, inputs: Inputs) -> Tensor<2>;

    /// The size d of a latent.
    fn latent_size(&self) -> usize;

    /// The layers whose outputs may be distilled, as name and size, from first to last.
    ///
    /// The last one is the latent. The output of a convolutional layer is averaged over its pixels.
    fn layers(&self) -> Vec<(String, usize)> {
        vec![("latent".to_owned(), self.latent_size())]
    }

    /// The outputs of all [`layers`](Self::layers), in their order, each `[batch, size]`.
    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        vec![self.forward(inputs)]
    }

    /// The latents, as [`forward`](Self::forward). On the way, calls `map` for every weight that acts as a linear map, with its
    /// name among the parameters and the rows that it is multiplied with, `[rows, inputs]`.
    ///
    /// The weight of a fully connected layer is `[inputs, outputs]`, and has one row per sample. The weight of a convolution
    /// is `[outputs, channels, height, width]`, and has the rows of [`patches`](fn@crate::patches): `inputs` = channels ·
    /// height · width. A convolution with several groups is not a linear map.
    ///
    /// `map` is called for one layer after another, so only one layer's rows are in memory at a time. Default: `map` is not
    /// called.
    fn forward_maps(&self, inputs: Inputs, _map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        self.forward(inputs)
    }

    /// The latents, as [`forward`](Self::forward). On the way, calls `norm` for every batch normalisation, with its name and
    /// its input, `[batch, channels, height, width]`. The running statistics are the parameters `NAME.running_mean` and
    /// `NAME.running_var`. Default: `norm` is not called.
    fn forward_normalised(&self, inputs: Inputs, _norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.forward(inputs)
    }
}

/// A backbone whose type is erased. burn's `Module` is not object-safe; this trait is.
///
/// Implemented for every [`Backbone`]. Implement it, and [`DynModule`], by hand only for a backbone that consists of other
/// backbones of erased types.
pub trait DynBackbone: DynModule {
    /// See [`Backbone::forward`].
    fn forward(&self, inputs: Inputs) -> Tensor<2>;
    /// See [`Backbone::latent_size`].
    fn latent_size(&self) -> usize;
    /// See [`Backbone::layers`].
    fn layers(&self) -> Vec<(String, usize)>;
    /// See [`Backbone::forward_layers`].
    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>>;
    /// See [`Backbone::forward_maps`].
    fn forward_maps(&self, inputs: Inputs, _map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        self.forward(inputs)
    }
    /// See [`Backbone::forward_normalised`].
    fn forward_normalised(&self, inputs: Inputs, _norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.forward(inputs)
    }
}

impl<M: Backbone> DynBackbone for M {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        Backbone::forward(self, inputs)
    }

    fn latent_size(&self) -> usize {
        Backbone::latent_size(self)
    }

    fn layers(&self) -> Vec<(String, usize)> {
        Backbone::layers(self)
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let outputs = Backbone::forward_layers(self, inputs);
        debug_assert_eq!(outputs.len(), Backbone::layers(self).len(), "layers of {}", type_name::<M>());
        outputs
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        Backbone::forward_maps(self, inputs, map)
    }

    fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        Backbone::forward_normalised(self, inputs, norm)
    }
}
