//! The parameters of one module on its compute device: seen in the autodiff graph, read, and kept as they are.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::NamedTensors;

/// The parameters that learn, as parts of the autodiff graph, each flat.
pub(crate) fn view<M: Module>(module: &M) -> NamedTensors {
    read(module, true)
}

/// All parameters and running statistics, each flat.
pub(crate) fn tensors<M: Module>(module: &M) -> NamedTensors {
    read(module, false)
}

fn read<M: Module>(module: &M, only_learning: bool) -> NamedTensors {
    struct Reader {
        path: Vec<String>,
        only_learning: bool,
        named: NamedTensors,
    }

    impl ModuleVisitor for Reader {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let values = parameter.val();
            if !self.only_learning || values.is_require_grad() {
                self.named.insert(self.path.join("."), values.flatten(0, D - 1));
            }
        }
    }

    let mut reader = Reader { path: vec![], only_learning, named: NamedTensors::new() };
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
