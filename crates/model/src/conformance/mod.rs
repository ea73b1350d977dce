//! The tests that every backbone and every classifier must pass, ours and those of third parties.
//!
//! A plugin enables the feature `conformance` under `[dev-dependencies]` and calls [`check_kind`] with its kind and
//! [`check_config`] with options that build a small network:
//!
//! ```ignore
//! #[test]
//! fn conforms() {
//!     alluvium_model::conformance::check_kind("my-backbone");
//!     alluvium_model::conformance::check_config(&MyBackboneConfig { width: 8 }, [3, 16, 12]);
//! }
//! ```
//!
//! [`check_fixture`] compares a backbone with outputs of PyTorch. Classifiers have [`check_classifier`].

mod classifier;
mod fixture;
mod learning;
mod network;
mod options;

use burn::tensor::{Device, Tensor};

use crate::{InputShape, Inputs};

pub use alluvium_checkpoint::NameMap;
pub use classifier::{check_classifier, check_classifier_config};
pub use fixture::{check_fixture, spread};
pub use learning::check_learning;
pub use network::{check_config, check_network};
pub use options::{check_kind, check_options};

/// Images whose pixels all differ, `[batch, channels, height, width]`, within −1…1.
pub fn images(shape: [usize; 4], compute: &Device) -> Tensor<4> {
    let count = shape.iter().product::<usize>() as i64;
    (Tensor::arange(0..count, compute).float() * 0.37).sin().reshape(shape)
}

/// Inputs whose values all differ, within −1…1. As [`images`], for any shape.
pub fn inputs(batch: usize, shape: impl Into<InputShape>, compute: &Device) -> Inputs {
    let shape = shape.into();
    let count = batch * shape.values();
    let values = (Tensor::arange(0..count as i64, compute).float() * 0.37).sin();
    Inputs::new(values.reshape([batch, shape.values()]), shape)
}

/// A tensor's values, flat.
///
/// # Panics
/// When the values do not have 32 bits.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("a tensor of 32-bit floats")
}
