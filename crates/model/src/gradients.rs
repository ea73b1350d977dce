//! Gradients and weights by name, on the compute device: for strategies that treat each weight in its own way.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::{BACKBONE, Model};

/// Tensors by the names of a [`ModelState`](crate::ModelState), each flat.
pub type NamedTensors = BTreeMap<String, Tensor<1>>;

impl Model {
    /// The gradient of `loss`, `[1]`, in every parameter that it depends on. The model must be on an autodiff device; the
    /// gradients are without autodiff.
    pub fn gradients(&self, loss: Tensor<1>) -> NamedTensors {
        let gradients = loss.backward();
        let mut named = below(BACKBONE, self.backbone.named_gradients(&gradients));
        for head in &self.heads {
            named.extend(below(&head.spec.prefix(), named_gradients(&head.linear, &gradients)));
        }
        named
    }

    /// Replaces every parameter by what `update` gives for its name and its values, flat and without autodiff; `None`
    /// leaves it as it is. What learns goes on learning.
    ///
    /// # Panics
    /// When `update` gives another number of values.
    pub fn update(&mut self, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) {
        self.backbone.update(&mut |name, values| update(&format!("{BACKBONE}.{name}"), values));
        for head in &mut self.heads {
            let prefix = head.spec.prefix();
            head.linear = updated(head.linear.clone(), &mut |name, values| update(&format!("{prefix}.{name}"), values));
        }
    }
}

fn below(prefix: &str, named: NamedTensors) -> NamedTensors {
    named.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)).collect()
}

/// A module's gradients by the names of its parameters.
pub(crate) fn named_gradients<M: Module>(module: &M, gradients: &Gradients) -> NamedTensors {
    struct Reader<'a> {
        path: Vec<String>,
        gradients: &'a Gradients,
        named: NamedTensors,
    }

    impl ModuleVisitor for Reader<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = parameter.val().grad(self.gradients) {
                self.named.insert(self.path.join("."), gradient.flatten(0, D - 1));
            }
        }
    }

    let mut reader = Reader { path: vec![], gradients, named: NamedTensors::new() };
    module.visit(&mut reader);
    reader.named
}

/// A module with its parameters replaced; see [`Model::update`].
pub(crate) fn updated<M: Module>(module: M, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) -> M {
    struct Writer<'a> {
        path: Vec<String>,
        update: &'a mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>,
    }

    impl ModuleMapper for Writer<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // A running statistic is no parameter; burn keeps its newest value elsewhere.
            if !parameter.is_require_grad() {
                return parameter;
            }
            let values = parameter.val().inner();
            let shape = values.dims();
            match (self.update)(&self.path.join("."), values.flatten(0, D - 1)) {
                Some(new) => parameter.map(|_| Tensor::from_inner(new.reshape(shape)).require_grad()),
                None => parameter,
            }
        }
    }

    module.map(&mut Writer { path: vec![], update })
}
