//! Backends by name: where tensors live and run.
//!
//! A backend plugin implements [`BackendConfig`] on the struct that `[backend]` is read into and hands out burn's
//! compute device. In Alluvium, a *device* is a participant of the stream, so burn's `Device` is called the *compute
//! device*.
//!
//! This crate holds the trait, and the options that several backends share. It does not name a backend. It never asks
//! burn for its default device: that device depends on enabled features and on the environment, and a configuration
//! must not.

mod precision;

use std::fmt::Debug;

use burn::tensor::Device;

pub use alluvium_macros::{backend_options as options, backend_plugin as plugin};
pub use alluvium_registry as registry;
pub use precision::Precision;
pub use serde;
pub use typetag;

/// A backend that cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the backend \"{kind}\" cannot be opened: {cause}")]
pub struct BackendError {
    /// The backend's kind.
    pub kind: String,
    /// The reason, and what would help.
    pub cause: String,
}

/// The `[backend]` table: which backend, and its options.
#[typetag::serde(tag = "kind")]
pub trait BackendConfig: Debug + Send + Sync {
    /// The compute device, without autodiff. Code that trains asks for `.autodiff()` itself.
    ///
    /// # Errors
    /// [`BackendError`] when the hardware or its driver is not there.
    fn open(&self) -> Result<Device, BackendError>;

    /// Whether one tensor operation uses several cores of the host.
    ///
    /// On such a backend, parallel cells of a comparison get one thread each.
    fn runs_on_host(&self) -> bool {
        true
    }
}
