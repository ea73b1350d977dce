//! A model without a network, and experts of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{
    BackboneConfig, BoxedBackbone, Digest, Expert, HeadSpec, InputShape, LowRank, Manifest, ModelError, ModelState,
    Values, Weights,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// A backbone of which only the weights are used.
#[derive(Debug, Serialize, Deserialize)]
pub struct Nothing {
    pub width: usize,
}

#[typetag::serde(name = "mutations-test")]
impl BackboneConfig for Nothing {
    fn build(&self, _input: InputShape, _compute: &Device) -> Result<BoxedBackbone, ModelError> {
        unreachable!("only its weights are used")
    }
}

/// A tensor whose values go up from -0.5 by 1.
pub fn one(name: &str, shape: &[usize]) -> Weights {
    let values = (0..shape.iter().product::<usize>()).map(|offset| offset as f32 - 0.5).collect();
    [(name.to_owned(), Values::new(shape.to_vec(), values))].into_iter().collect()
}

pub fn head(name: &str) -> HeadSpec {
    HeadSpec { name: name.to_owned(), classes: vec![0, 1] }
}

/// What a device states about a model that it sends as a whole.
pub fn manifest(model: &ModelState) -> Manifest {
    let (parent, digest) = (Digest::of(b"its parent"), model.digest());
    Manifest { task: 0, task_name: "a".to_owned(), samples: 5, steps: 7, parent, digest, statistics: BTreeMap::new() }
}

/// An expert of a backbone, a head and a statistic.
pub fn expert() -> Expert {
    let mut model = ModelState::bare(Arc::new(Nothing { width: 2 }), [1, 2, 3].into());
    model.weights.extend_below("backbone", one("layer.weight", &[2, 3]));
    model.set_head(head("a"), one("bias", &[2]));
    let manifest = manifest(&model);
    Expert::new(model, manifest).unwrap().with_statistics(statistics())
}

pub fn statistics() -> BTreeMap<String, Weights> {
    BTreeMap::from([("fisher".to_owned(), one("backbone.layer.weight", &[2, 3]))])
}

/// A central model: a matrix [2, 3], a bias [3], a convolution [2, 1, 1, 2], and the head of another task.
pub fn parent() -> ModelState {
    let mut model = ModelState::bare(Arc::new(Nothing { width: 2 }), [1, 2, 3].into());
    model.weights.extend_below("backbone", one("layer.weight", &[2, 3]));
    model.weights.extend_below("backbone", one("layer.bias", &[3]));
    model.weights.extend_below("backbone", one("conv.weight", &[2, 1, 1, 2]));
    model.set_head(head("other"), one("bias", &[2]));
    model
}

/// The factors [2, 1] and [1, columns] of ones, with the scale 0.5.
pub fn ones(columns: usize) -> LowRank {
    let (left, right) = (Values::new(vec![2, 1], vec![1.0; 2]), Values::new(vec![1, columns], vec![1.0; columns]));
    LowRank { left, right, scale: 0.5 }
}

/// The model that a device with the task "a" adapted: only the bias differs from the parent's, by 1.
pub fn adapted() -> ModelState {
    let mut model = parent().with_heads(|_| false);
    model.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![0.5, 1.5, 2.5]));
    model.set_head(head("a"), one("bias", &[2]));
    model
}

/// An expert that is sent as a difference: the bias and the head as they are, the matrix by its factors, and a statistic.
pub fn difference() -> Expert {
    let (parent, adapted) = (parent(), adapted());
    let factors = BTreeMap::from([("backbone.layer.weight".to_owned(), ones(3))]);
    let manifest = manifest(&adapted);
    Expert::difference(&parent, adapted, factors, manifest).unwrap().with_statistics(statistics())
}
