//! What a built backbone is, as plain data, so that a misfit is found before anything runs.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor};

use crate::{BackboneConfig, BoxedBackbone, ClassifierConfig, HeadShape, InputShape, Inputs, ModelError};

/// Facts about a backbone, as plain data: a strategy is checked against them before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackboneFacts {
    /// Its kind.
    pub kind: String,
    /// Its layers and their sizes, as [`Backbone::layers`](crate::Backbone::layers).
    pub layers: Vec<(String, usize)>,
    /// The size of a latent.
    pub latent_size: usize,
    /// The shape of each parameter, by name.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// The names of the weights that act as linear maps, as
    /// [`Backbone::forward_maps`](crate::Backbone::forward_maps) reports them.
    pub linear_maps: Vec<String>,
    /// The names of its batch normalisations, as
    /// [`Backbone::forward_normalised`](crate::Backbone::forward_normalised) reports them.
    pub batch_norms: Vec<String>,
}

impl BackboneFacts {
    /// Builds the backbone once, and passes one input of zeros through it.
    ///
    /// # Errors
    /// When the backbone cannot be built, or cannot take an input of this shape.
    pub fn of(config: &dyn BackboneConfig, input: InputShape, compute: &Device) -> Result<Self, ModelError> {
        config.accepts(input)?;
        let (kind, backbone) = (config.typetag_name().to_owned(), config.build(input, compute)?);
        let one = || Inputs::from_values(vec![0.0; input.values()], input, compute);
        let read = || Self::read(&kind, &backbone, one());
        catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
            let reason = format!("it fails on an input of {input}: {}", message(panic.as_ref()));
            ModelError::Backbone { kind: kind.clone(), reason }
        })
    }

    fn read(kind: &str, backbone: &BoxedBackbone, one: Inputs) -> Self {
        let (mut linear_maps, mut batch_norms) = (vec![], vec![]);
        backbone.forward_maps(one.clone(), &mut |name, _| linear_maps.push(name.to_owned()));
        backbone.forward_normalised(one, &mut |name, _| batch_norms.push(name.to_owned()));
        BackboneFacts {
            kind: kind.to_owned(),
            layers: backbone.layers(),
            latent_size: backbone.latent_size(),
            shapes: backbone.shapes(),
            linear_maps,
            batch_norms,
        }
    }
}

/// Facts about a classifier, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassifierFacts {
    /// Its kind.
    pub kind: String,
    /// The names of the weights that act as linear maps, as [`Classifier::maps`](crate::Classifier::maps) reports them.
    pub linear_maps: Vec<String>,
}

impl ClassifierFacts {
    /// Builds the classifier of a head once, and passes a sample of zeros through it.
    ///
    /// # Errors
    /// When the classifier cannot be built, or cannot take such a sample.
    pub fn of(config: &dyn ClassifierConfig, head: HeadShape, compute: &Device) -> Result<Self, ModelError> {
        let (kind, classifier) = (config.typetag_name().to_owned(), config.build(head, compute)?);
        let read = || {
            let inputs = Inputs::from_values(vec![0.0; head.input.values()], head.input, compute);
            let (latents, mut linear_maps) = (Tensor::zeros([1, head.latent_size], compute), vec![]);
            classifier.scores(inputs.clone(), latents.clone());
            classifier.maps(inputs, latents, &mut |name, _| linear_maps.push(name.to_owned()));
            ClassifierFacts { kind: kind.clone(), linear_maps }
        };
        catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
            let reason = format!("it fails on an input of {}: {}", head.input, message(panic.as_ref()));
            ModelError::Classifier { kind: kind.clone(), reason }
        })
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
