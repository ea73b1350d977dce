//! A piece of a model: some values of one of its tensors, in models that hold nothing else.

use std::ops::Range;
use std::sync::Arc;

use alluvium_model::{
    BackboneConfig, BoxedBackbone, Expert, HeadSpec, InputShape, Manifest, ModelError, ModelState, Numbers, Values,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Some values of one tensor.
///
/// The model of a piece is a [`ModelState`] with the heads of the whole model, at most one tensor, and a backbone that cannot
/// run. The tensor has its full name. It has one dimension, unless the piece is the whole tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's full name in a model's weights: `backbone.NAME`, `heads.NAME.weight`.
    pub tensor: String,
    /// The whole tensor's shape.
    pub shape: Vec<usize>,
    /// Which of its values, counted row-major.
    pub values: Range<usize>,
}

impl Piece {
    /// The model of this piece, for a model with these heads. `values` are the values of the piece, if the model has the tensor.
    ///
    /// # Panics
    /// When the number of values is not that of the piece, which is a bug in the caller.
    pub fn model(&self, heads: Vec<HeadSpec>, values: Option<Numbers>) -> ModelState {
        let whole = self.values == (0..self.shape.iter().product());
        let shape = if whole { self.shape.clone() } else { vec![self.values.len()] };
        let tensor = values.map(|values| (self.tensor.clone(), Values::of(shape, values)));
        let input = [1, 1, 1].into();
        ModelState { heads, weights: tensor.into_iter().collect(), ..ModelState::bare(Arc::new(NoBackbone {}), input) }
    }

    /// The expert of this piece, for an expert with this head from a device with `samples` training samples.
    ///
    /// # Panics
    /// As for [`model`](Self::model).
    pub fn expert(&self, head: HeadSpec, samples: usize, values: Option<Numbers>) -> Expert {
        let empty = self.model(vec![head.clone()], None);
        let digest = empty.digest();
        let (task_name, parent) = (head.name.clone(), digest.clone());
        let statistics = Default::default();
        let manifest = Manifest { task: 0, task_name, samples, steps: 0, parent, digest, statistics };
        let mut expert = Expert::new(empty, manifest).expect("the manifest was made from the model");
        expert.model = self.model(vec![head], values);
        expert
    }

    /// This piece of a whole model.
    pub(crate) fn of(&self, model: &ModelState) -> ModelState {
        let values = model.weights.get(&self.tensor).map(|tensor| tensor.numbers.part(self.values.clone()));
        self.model(model.heads.clone(), values)
    }
}

/// The backbone of a piece.
#[derive(Debug, Serialize, Deserialize)]
struct NoBackbone {}

#[typetag::serde(name = "piece-of-a-model")]
impl BackboneConfig for NoBackbone {
    fn build(&self, _input: InputShape, _compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let reason = "it is a piece of a model, which cannot run".to_owned();
        Err(ModelError::Backbone { kind: "piece-of-a-model".to_owned(), reason })
    }
}
