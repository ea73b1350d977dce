//! A model's gradients and weights by name, on the compute device, for strategies that treat weights individually.

use burn::tensor::Tensor;

use crate::{BACKBONE, Model, NamedTensors};

impl Model {
    /// The gradient of `loss`, `[1]`, in every parameter that it depends on. The model must be on an autodiff device; the
    /// gradients are without autodiff.
    pub fn gradients(&self, loss: Tensor<1>) -> NamedTensors {
        let gradients = loss.backward();
        let mut named = below(BACKBONE, self.backbone.named_gradients(&gradients));
        for head in &self.heads {
            named.extend(below(&head.spec.prefix(), head.classifier.named_gradients(&gradients)));
        }
        named
    }

    /// Replaces every parameter by the result of `update` for its name and its values, flat and without autodiff. `None` leaves
    /// the parameter as it is. Parameters that require gradients still do afterwards.
    ///
    /// # Panics
    /// When `update` returns another number of values.
    pub fn update(&mut self, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) {
        self.backbone.update(&mut |name, values| update(&format!("{BACKBONE}.{name}"), values));
        for head in &mut self.heads {
            let prefix = head.spec.prefix();
            head.classifier.update(&mut |name, values| update(&format!("{prefix}.{name}"), values));
        }
    }
}

fn below(prefix: &str, named: NamedTensors) -> NamedTensors {
    named.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)).collect()
}
