//! The parameters of one module on its compute device, by name: seen in the autodiff graph, read, with their gradients, and kept as
//! they are.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::NamedTensors;

/// The parameters that learn, as parts of the autodiff graph, each flat.
pub(crate) fn view<M: Module>(module: &M) -> NamedTensors {
    read(module, Wanted::Learning)
}

/// All parameters and running statistics, each flat.
pub(crate) fn tensors<M: Module>(module: &M) -> NamedTensors {
    read(module, Wanted::All)
}

/// A module's gradients by the names of its parameters, each flat.
pub(crate) fn named_gradients<M: Module>(module: &M, gradients: &Gradients) -> NamedTensors {
    read(module, Wanted::Gradients(gradients))
}

/// What is read of a module.
enum Wanted<'a> {
    /// The parameters that learn.
    Learning,
    /// All parameters and running statistics.
    All,
    /// The gradients of the parameters that have one.
    Gradients(&'a Gradients),
}

fn read<M: Module>(module: &M, wanted: Wanted<'_>) -> NamedTensors {
    struct Reader<'a> {
        path: Vec<String>,
        wanted: Wanted<'a>,
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
            let values = parameter.val();
            let found = match self.wanted {
                Wanted::Learning => values.is_require_grad().then_some(values),
                Wanted::All => Some(values),
                Wanted::Gradients(gradients) => values.grad(gradients),
            };
            if let Some(found) = found {
                self.named.insert(self.path.join("."), found.flatten(0, D - 1));
            }
        }
    }

    let mut reader = Reader { path: vec![], wanted, named: NamedTensors::new() };
    module.visit(&mut reader);
    reader.named
}

/// The module with the parameters that `stays` names kept as they are, and whether any other parameter learns.
pub(crate) fn frozen<M: Module>(module: M, stays: &dyn Fn(&str) -> bool) -> (M, bool) {
    struct Freezer<'a> {
        path: Vec<String>,
        stays: &'a dyn Fn(&str) -> bool,
        learns: bool,
    }

    impl ModuleMapper for Freezer<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // A running statistic is not a parameter.
            if !parameter.is_require_grad() {
                return parameter;
            }
            if (self.stays)(&self.path.join(".")) {
                return parameter.set_require_grad(false);
            }
            self.learns = true;
            parameter
        }
    }

    let mut freezer = Freezer { path: vec![], stays, learns: false };
    let module = module.map(&mut freezer);
    (module, freezer.learns)
}
