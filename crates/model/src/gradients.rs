//! A model's gradients and parameters by name, on the compute device, for losses and strategies that treat weights individually.

use burn::tensor::Tensor;

use crate::{BACKBONE, Model, NamePattern, NamedTensors};

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

    /// The parameters that learn, by their names in a [`ModelState`](crate::ModelState), each flat. They are parts of the autodiff
    /// graph: a loss may have terms on them, and its gradient flows to them.
    pub fn view(&self) -> NamedTensors {
        let mut named = below(BACKBONE, self.backbone.view());
        for head in &self.heads {
            named.extend(below(&head.spec.prefix(), head.classifier.view()));
        }
        named
    }

    /// All parameters and running statistics by name, each flat and without autodiff.
    pub(crate) fn tensors(&self) -> NamedTensors {
        let mut named = below(BACKBONE, self.backbone.tensors());
        for head in &self.heads {
            named.extend(below(&head.spec.prefix(), head.classifier.tensors()));
        }
        named
    }

    /// Keeps the parameters that fit one of the patterns as they are: they need no gradients. If no parameter of the backbone learns
    /// any more, it also behaves as in prediction, so that its running statistics stay, too.
    pub fn freeze(&mut self, patterns: &[NamePattern]) {
        if patterns.is_empty() {
            return;
        }
        let stays = |prefix: &str, name: &str| NamePattern::any(patterns, &format!("{prefix}.{name}"));
        if self.backbone.freeze(&|name| stays(BACKBONE, name)) {
            self.backbone.freeze_training_behaviour();
        }
        for head in &mut self.heads {
            let prefix = head.spec.prefix();
            head.classifier.freeze(&|name| stays(&prefix, name));
        }
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
