//! A model on a compute device: it runs and it learns.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::across::LoadedAcross;
use crate::{
    ACROSS, Answers, BACKBONE, BackboneConfig, BoxedClassifier, ClassifierConfig, DynBackbone, HeadShape, HeadSpec,
    InputShape, Inputs, ModelError, ModelState, Weights,
};

/// One head on a compute device.
#[derive(Debug)]
pub struct Head {
    /// Its name and classes.
    pub spec: HeadSpec,
    /// Its classifier.
    pub(crate) classifier: BoxedClassifier,
}

impl Head {
    /// The scores of the head's classes, `[batch, classes]`, from the inputs and their latents, `[batch, latent size]`.
    pub fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        self.classifier.scores(inputs, latents)
    }
}

/// A model on a compute device: a backbone and its heads.
///
/// Built on an autodiff device it learns; built on a plain one it only runs.
#[derive(Debug)]
pub struct Model {
    config: Arc<dyn BackboneConfig>,
    classifier: Arc<dyn ClassifierConfig>,
    input: InputShape,
    compute: Device,
    /// The factor on the product of low-rank factors; see [`Model::add_low_rank`].
    pub(crate) scale: f64,
    pub(crate) backbone: Box<dyn DynBackbone>,
    pub(crate) heads: Vec<Head>,
    across: Option<LoadedAcross>,
}

impl Model {
    /// Loads a model onto a compute device.
    ///
    /// # Errors
    /// When the backbone cannot be built, or the weights do not fit it; the message names the tensor.
    pub fn load(state: &ModelState, compute: &Device) -> Result<Self, ModelError> {
        state.backbone.accepts(state.input)?;
        let mut backbone = state.backbone.build(state.input, compute)?;
        backbone.set_parameters(&state.backbone_weights())?;
        let latent_size = backbone.latent_size();
        let heads = state.heads.iter().map(|spec| {
            let shape = HeadShape { input: state.input, latent_size, classes: spec.classes.len() };
            let mut classifier = state.classifier.build(shape, compute)?;
            let set = classifier.set_parameters(&state.head_weights(spec));
            set.map_err(|error| error.below(&spec.prefix()))?;
            Ok(Head { spec: spec.clone(), classifier })
        });
        let heads = heads.collect::<Result<_, ModelError>>()?;
        let across = state.across.clone().map(|spec| {
            let shape = HeadShape { input: state.input, latent_size, classes: spec.classes.len() };
            let mut classifier = spec.classifier.build(shape, compute)?;
            let set = classifier.set_parameters(&state.across_weights());
            set.map_err(|error| error.below(ACROSS))?;
            Ok::<_, ModelError>(LoadedAcross { spec, classifier })
        });
        let (config, classifier) = (state.backbone.clone(), state.classifier.clone());
        let (input, compute, across) = (state.input, compute.clone(), across.transpose()?);
        Ok(Model { config, classifier, input, compute, scale: 1.0, backbone, heads, across })
    }

    /// The model as plain data.
    pub fn state(&self) -> ModelState {
        let mut weights = Weights::new();
        weights.extend_below(BACKBONE, self.backbone.parameters());
        for head in &self.heads {
            weights.extend_below(&head.spec.prefix(), head.classifier.parameters());
        }
        let heads = self.heads.iter().map(|head| head.spec.clone()).collect();
        let across = self.across.as_ref().map(|across| {
            weights.extend_below(ACROSS, across.classifier.parameters());
            across.spec.clone()
        });
        let (backbone, classifier) = (self.config.clone(), self.classifier.clone());
        ModelState { backbone, classifier, input: self.input, heads, across, weights }
    }

    /// The compute device that the model was loaded onto.
    pub fn device(&self) -> Device {
        self.compute.clone()
    }

    /// The latents h = φ(x), `[batch, latent size]`.
    pub fn latents(&self, inputs: Inputs) -> Tensor<2> {
        self.backbone.forward(inputs)
    }

    /// The outputs of all distillable layers, the latents last; see [`Backbone`](crate::Backbone).
    pub fn layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        self.backbone.forward_layers(inputs)
    }

    /// The latents. On the way, calls `map` for every weight that acts as a linear map, with its name in a [`ModelState`] and
    /// the rows that it is multiplied with: first for the backbone, see
    /// [`Backbone::forward_maps`](crate::Backbone::forward_maps), then for the classifier of each head, see
    /// [`Classifier::maps`](crate::Classifier::maps).
    pub fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let latents =
            self.backbone.forward_maps(inputs.clone(), &mut |name, rows| map(&format!("{BACKBONE}.{name}"), rows));
        for head in &self.heads {
            let prefix = head.spec.prefix();
            head.classifier
                .maps(inputs.clone(), latents.clone(), &mut |name, rows| map(&format!("{prefix}.{name}"), rows));
        }
        latents
    }

    /// The latents, as [`latents`](Self::latents). On the way, calls `norm` with the input of every batch normalisation of the
    /// backbone; see [`Backbone::forward_normalised`](crate::Backbone::forward_normalised).
    pub fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.backbone.forward_normalised(inputs, norm)
    }

    /// Name and size of each distillable layer.
    pub fn layer_sizes(&self) -> Vec<(String, usize)> {
        self.backbone.layers()
    }

    /// The size of a latent.
    pub fn latent_size(&self) -> usize {
        self.backbone.latent_size()
    }

    /// The heads, in the order in which they came.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The head of that name.
    pub fn head(&self, name: &str) -> Option<&Head> {
        self.heads.iter().find(|head| head.spec.name == name)
    }

    /// The scores of all heads side by side, from the inputs and their latents: `[batch, scores of all heads]`.
    ///
    /// # Panics
    /// When the model has no head.
    pub fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        let all: Vec<_> = self.heads.iter().map(|head| head.scores(inputs.clone(), latents.clone())).collect();
        Tensor::cat(all, 1)
    }

    /// The scores of all heads side by side, as [`scores`](Self::scores), from the inputs alone.
    ///
    /// # Panics
    /// When the model has no head.
    pub fn forward(&self, inputs: Inputs) -> Tensor<2> {
        let latents = self.latents(inputs.clone());
        self.scores(inputs, latents)
    }

    /// The scores for samples of a known task, `[batch, scores]`, and the class of each score. The head of the task answers, or the
    /// classifier across tasks, if it [always](Answers::Always) does. `None` if the model does not know the task.
    pub fn scores_of_task(
        &self,
        task: &HeadSpec,
        inputs: Inputs,
        latents: Tensor<2>,
    ) -> Option<(Tensor<2>, Vec<usize>)> {
        let head = self.head(&task.name)?;
        match &self.across {
            Some(across) if across.spec.answers == Answers::Always => across.of_task(&task.classes, inputs, latents),
            _ => Some((head.scores(inputs, latents), head.spec.classes.clone())),
        }
    }

    /// The scores for samples of an unknown task, `[batch, scores]`, and the class of each score. The classifier across tasks
    /// answers; without one, all heads compete. `None` if the model knows no task.
    pub fn scores_of_any_task(&self, inputs: Inputs, latents: Tensor<2>) -> Option<(Tensor<2>, Vec<usize>)> {
        match &self.across {
            _ if self.heads.is_empty() => None,
            Some(across) => across.of_all(inputs.clone(), latents.clone(), || {
                let of_head = |head: &Head| (head.scores(inputs.clone(), latents.clone()), head.spec.classes.clone());
                self.heads.iter().map(of_head).collect()
            }),
            None => Some((self.scores(inputs, latents), self.score_classes())),
        }
    }

    /// The class of each score of [`scores`](Self::scores).
    pub fn score_classes(&self) -> Vec<usize> {
        self.heads.iter().flat_map(|head| head.spec.classes.iter().copied()).collect()
    }

    /// Turns off everything that behaves differently in training (batch statistics, dropout). Gradients stay.
    pub fn freeze_training_behaviour(&mut self) {
        self.backbone.freeze_training_behaviour();
        self.heads.iter_mut().for_each(|head| head.classifier.freeze_training_behaviour());
    }
}
