//! The gradients of one module: their norm, scaling; and replacing its weights by name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Tensors by the names of a [`ModelState`](crate::ModelState), each flat.
pub type NamedTensors = BTreeMap<String, Tensor<1>>;

/// The sum of the squares of a module's gradients, `[1]`; `None` when it has none.
pub(crate) fn squared_norm<M: Module>(module: &M, gradients: &GradientsParams) -> Option<Tensor<1>> {
    struct Norm<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(parameter.id) {
                let square = gradient.clone().mul(gradient).sum();
                self.1 = Some(match self.1.take() {
                    Some(sum) => sum + square,
                    None => square,
                });
            }
        }
    }
    let mut norm = Norm(gradients, None);
    module.visit(&mut norm);
    norm.1
}

/// A module's gradients, each multiplied by `factor`, `[1]`.
pub(crate) fn scale<M: Module>(module: &M, gradients: GradientsParams, factor: &Tensor<1>) -> GradientsParams {
    struct Scale<'a>(GradientsParams, &'a Tensor<1>);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(parameter.id) {
                let scaled = gradient.mul(self.1.clone().reshape([1; D]));
                self.0.register(parameter.id, scaled);
            }
        }
    }
    let mut scale = Scale(gradients, factor);
    module.visit(&mut scale);
    scale.0
}

/// A module with its parameters replaced; see [`Model::update`].
pub(crate) fn updated<M: Module>(module: M, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) -> M {
    struct ParameterUpdater<'a> {
        path: Vec<String>,
        update: &'a mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>,
    }

    impl ModuleMapper for ParameterUpdater<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // A running statistic is not a parameter; burn keeps its newest value in a separate state.
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

    module.map(&mut ParameterUpdater { path: vec![], update })
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn gradients_are_measured_and_scaled_together() {
        let compute = Device::flex().autodiff();
        let layer = LinearConfig::new(2, 1).with_bias(false).init(&compute);
        // The loss is 3·w₀ + 4·w₁: the gradient is (3, 4), its norm 5.
        let loss = layer.forward(Tensor::<2>::from_floats([[3.0, 4.0]], &compute)).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        let norm = squared_norm(&layer, &gradients).unwrap();
        assert_eq!(norm.into_scalar::<f32>(), 25.0);
        let factor = Tensor::from_floats([0.2], &Device::flex());
        let scaled = scale(&layer, gradients, &factor).get::<2>(layer.weight.id).unwrap();
        let values = scaled.into_data().try_into_vec::<f32>().unwrap();
        assert!((values[0] - 0.6).abs() < 1e-6 && (values[1] - 0.8).abs() < 1e-6, "{values:?}");
    }
}
