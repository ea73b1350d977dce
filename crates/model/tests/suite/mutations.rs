//! Stored experts, cut off and changed at every byte. Reading them gives a model or an error, and never panics.

use alluvium_model::{Expert, InputShape, ModelState, Weights};

use crate::doubles::{difference, expert, parent};

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

/// Reads the bytes as a difference, and as a whole model and expert. Returns whether they are one to the parent.
fn read_difference(bytes: &[u8]) -> bool {
    let (received, parent) = (Expert::received(bytes, &parent()), parent());
    if let Err(error) = &received {
        assert!(!error.to_string().is_empty());
    }
    let Ok(expert) = received else { return false };
    expert.check(&parent).unwrap();
    expert.model.weights.check_finite().unwrap();
    for (name, tensor) in parent.backbone_weights().iter() {
        assert_eq!(expert.model.backbone_weights().get(name).unwrap().shape, tensor.shape, "the parent's shapes");
    }
    true
}

#[test]
fn differences_that_are_cut_off_or_changed_at_any_byte() {
    let bytes = difference().to_bytes().unwrap();
    assert!(read_difference(&bytes), "it is sound");
    assert!(ModelState::from_bytes(&bytes).is_err() && Expert::from_bytes(&bytes).is_err(), "it is no whole model");
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for offset in 0..bytes.len() {
        assert!(!read_difference(&bytes[..offset]), "a part of a file must not be an expert");
        for change in [0x01, 0x02, 0x10, 0x40, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[offset] ^= change;
            read(&changed);
            let sound = read_difference(&changed);
            assert!(offset < header || !sound, "another value at byte {offset}, and the manifest agrees");
        }
    }
}

#[test]
fn a_shape_that_no_machine_holds_has_no_product() {
    assert_eq!(InputShape::from([usize::MAX, 2, 3]).values(), usize::MAX);
    assert_eq!(InputShape::from([2, 3, 4]).values(), 24);
}
