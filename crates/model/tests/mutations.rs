//! A stored expert, cut off and changed at every byte. Reading it gives a model or an error, and never panics.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{
    BackboneConfig, BoxedBackbone, Expert, HeadSpec, InputShape, Manifest, ModelError, ModelState, Values, Weights,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {
    width: usize,
}

#[typetag::serde(name = "mutations-test")]
impl BackboneConfig for Nothing {
    fn build(&self, _input: InputShape, _compute: &Device) -> Result<BoxedBackbone, ModelError> {
        unreachable!("only its weights are used")
    }
}

fn one(name: &str, shape: &[usize]) -> Weights {
    let values = (0..shape.iter().product::<usize>()).map(|offset| offset as f32 - 0.5).collect();
    [(name.to_owned(), Values::new(shape.to_vec(), values))].into_iter().collect()
}

/// An expert of a backbone, a head and a statistic.
fn expert() -> Expert {
    let input = [1, 2, 3].into();
    let mut model = ModelState::bare(Arc::new(Nothing { width: 2 }), input);
    model.weights.extend_below("backbone", one("layer.weight", &[2, 3]));
    model.set_head(HeadSpec { name: "a".to_owned(), classes: vec![0, 1] }, one("bias", &[2]));
    let digest = model.digest();
    let (parent, statistics) = (digest.clone(), BTreeMap::new());
    let manifest = Manifest { task: 0, task_name: "a".to_owned(), samples: 5, steps: 7, parent, digest, statistics };
    let statistics = BTreeMap::from([("fisher".to_owned(), one("backbone.layer.weight", &[2, 3]))]);
    Expert::new(model, manifest).unwrap().with_statistics(statistics)
}

/// Reads the bytes as weights, as a model and as an expert. Returns whether they are an expert.
fn read(bytes: &[u8]) -> bool {
    let (weights, model) = (Weights::from_safetensors(bytes), ModelState::from_bytes(bytes));
    assert!(weights.is_ok() || model.is_err(), "a model has weights");
    let expert = Expert::from_bytes(bytes);
    assert!(model.is_ok() || expert.is_err(), "an expert has a model");
    if let Err(error) = &expert {
        assert!(!error.to_string().is_empty());
    }
    expert.is_ok()
}

#[test]
fn stored_models_that_are_cut_off_or_changed_at_any_byte() {
    let bytes = expert().to_bytes().unwrap();
    assert!(read(&bytes), "it is sound");
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert_eq!(bytes.len() - header, 4 * (6 + 2 + 6));
    for offset in 0..bytes.len() {
        assert!(!read(&bytes[..offset]), "a part of a file must not be an expert");
        for change in [0x01, 0x02, 0x10, 0x40, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[offset] ^= change;
            let sound = read(&changed);
            assert!(offset < header || !sound, "another value at byte {offset}, and the manifest agrees");
        }
    }
}

#[test]
fn a_shape_that_no_machine_holds_has_no_product() {
    assert_eq!(InputShape::from([usize::MAX, 2, 3]).values(), usize::MAX);
    assert_eq!(InputShape::from([2, 3, 4]).values(), 24);
}
