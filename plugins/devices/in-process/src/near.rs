//! The pull of a device's weights towards those that it took, and of a new head towards zero.

use alluvium_device::{ParameterTerm, Term};
use alluvium_model::{Model, ModelState, Pull};
use burn::tensor::{Device as Compute, Tensor};

/// μ/2 ‖θ − θ_taken‖² over what came from the centre (FedProx, arXiv 1812.06127, eq. 2), and β/2 ‖θ‖² over a new head. Both
/// together are L2-SP (arXiv 1802.01483, eq. 3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near {
    /// μ.
    pub taken: f64,
    /// β.
    pub new_head: f64,
}

impl Near {
    /// Whether both are 0.
    pub(crate) fn is_nothing(self) -> bool {
        self.taken == 0.0 && self.new_head == 0.0
    }
}

impl ParameterTerm for Near {
    fn begin(&self, taken: &ModelState, compute: &Compute) -> Term {
        let pull = Pull::even(self.taken, &taken.weights, compute);
        let (head_is_new, decay) = (taken.heads.is_empty(), self.new_head);
        Box::new(move |model| {
            let of_head = (head_is_new && decay > 0.0).then(|| head_norm(model)).flatten();
            let of_head = of_head.map(|norm| norm.mul_scalar(0.5 * decay));
            match (pull.of(model), of_head) {
                (Some(pull), Some(of_head)) => Some(pull + of_head),
                (one, other) => one.or(other),
            }
        })
    }
}

/// The squared norm of the weights of all heads, `[1]`.
fn head_norm(model: &Model) -> Option<Tensor<1>> {
    let of_heads = model.view().into_iter().filter(|(name, _)| name.starts_with("heads."));
    of_heads.map(|(_, weights)| weights.clone().mul(weights).sum()).reduce(|a, b| a + b)
}
