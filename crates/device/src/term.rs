//! Terms of a device's loss on its parameters.

use std::fmt::Debug;

use alluvium_model::ModelState;
use burn::tensor::Device as Compute;

use crate::training::Term;

/// A term of a device's loss on the parameters themselves, such as a pull towards the model that the device took.
pub trait ParameterTerm: Debug + Send + Sync {
    /// The term for a device that starts from this model: the central model that it took, with no other head than that of its own
    /// task. A head that the centre does not have yet is not in it. `compute` is without autodiff.
    ///
    /// [`Pull`](alluvium_model::Pull) is a term with a closed form; others are written with
    /// [`Model::view`](alluvium_model::Model::view).
    fn begin(&self, taken: &ModelState, compute: &Compute) -> Term;
}
