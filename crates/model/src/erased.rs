//! A burn module whose type is erased: its parameters, its gradients and its steps.

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Gradients, Tensor};

use crate::module_gradients::{self, NamedTensors};
use crate::module_low_rank::LowRankWeights;
use crate::module_parameters;
use crate::{ModelError, Parameters, SetParameters, Share, Weights};

/// A burn module whose type is erased. burn's `Module` is not object-safe; this trait is. Implemented for every module.
///
/// The defaults are those of a module that does not learn. One that consists of erased modules, or computes its parameters, implements
/// only what it has.
pub trait DynModule: Debug + Send + Sync {
    /// See [`Parameters::parameters`].
    fn parameters(&self) -> Weights;
    /// See [`Parameters::shapes`].
    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.parameters().iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect()
    }
    /// See [`SetParameters::with_parameters`].
    ///
    /// # Errors
    /// When a tensor is missing, unknown, or has another shape.
    fn set_parameters(&mut self, weights: &Weights) -> Result<(), ModelError>;
    /// Turns off everything that behaves differently in training (batch statistics, dropout). Gradients stay.
    /// Default: nothing does.
    fn freeze_training_behaviour(&mut self) {}
    /// Takes this module's gradients out of `gradients`. Default: there are none.
    fn take_gradients(&self, _gradients: &mut Gradients) -> GradientsParams {
        GradientsParams::new()
    }
    /// The sum of the squares of some of this module's gradients, `[1]`. Default: there are none.
    fn squared_norm(&self, _gradients: &GradientsParams) -> Option<Tensor<1>> {
        None
    }
    /// Multiplies this module's gradients by `factor`, `[1]`. Default: there are none.
    fn scale(&self, gradients: GradientsParams, _factor: &Tensor<1>) -> GradientsParams {
        gradients
    }
    /// This module's gradients by the names of its parameters, each flat. Default: none.
    fn named_gradients(&self, _gradients: &Gradients) -> NamedTensors {
        NamedTensors::new()
    }
    /// Replaces parameters by name; see [`Model::update`](crate::Model::update). Default: none is replaced.
    fn update(&mut self, _update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) {}
    /// Keeps the parameters whose names `stays` accepts as they are: they need no gradients. Returns whether no parameter learns any
    /// more. Default: no parameter learns.
    fn freeze(&mut self, _stays: &dyn Fn(&str) -> bool) -> bool {
        true
    }
    /// Lets every parameter learn as `share` says for its name and shape. Default: no parameter learns.
    fn add_low_rank(&mut self, _share: &mut dyn FnMut(&str, &[usize]) -> Share) {}
    /// The parameters that learn, as parts of the autodiff graph, each flat. Default: none.
    fn view(&self) -> NamedTensors {
        NamedTensors::new()
    }
    /// All parameters and running statistics, without autodiff, each flat. Default: none.
    fn tensors(&self) -> NamedTensors {
        NamedTensors::new()
    }
    /// One step of the optimiser. Default: no parameter changes.
    fn step(&mut self, _optimiser: &mut ModuleOptimizer, _learning_rate: f64, _gradients: GradientsParams) {}
}

impl<M: Module + Sync + 'static> DynModule for M {
    fn parameters(&self) -> Weights {
        Parameters::parameters(self)
    }

    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        Parameters::shapes(self)
    }

    fn set_parameters(&mut self, weights: &Weights) -> Result<(), ModelError> {
        *self = self.clone().with_parameters(weights)?;
        Ok(())
    }

    fn freeze_training_behaviour(&mut self) {
        *self = self.clone().map(&mut StopFlags);
    }

    fn take_gradients(&self, gradients: &mut Gradients) -> GradientsParams {
        GradientsParams::from_module(gradients, self)
    }

    fn squared_norm(&self, gradients: &GradientsParams) -> Option<Tensor<1>> {
        module_gradients::squared_norm(self, gradients)
    }

    fn scale(&self, gradients: GradientsParams, factor: &Tensor<1>) -> GradientsParams {
        module_gradients::scale(self, gradients, factor)
    }

    fn named_gradients(&self, gradients: &Gradients) -> NamedTensors {
        module_parameters::named_gradients(self, gradients)
    }

    fn update(&mut self, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) {
        *self = module_gradients::updated(self.clone(), update);
    }

    fn freeze(&mut self, stays: &dyn Fn(&str) -> bool) -> bool {
        let (module, learns) = module_parameters::frozen(self.clone(), stays);
        *self = module;
        !learns
    }

    fn add_low_rank(&mut self, share: &mut dyn FnMut(&str, &[usize]) -> Share) {
        *self = self.clone().apply_reparameterization(LowRankWeights { share });
    }

    fn view(&self) -> NamedTensors {
        module_parameters::view(self)
    }

    fn tensors(&self) -> NamedTensors {
        // `valid` brings the running statistics up to date: burn keeps the newest of each thread beside them.
        module_parameters::tensors(&self.valid())
    }

    fn step(&mut self, optimiser: &mut ModuleOptimizer, learning_rate: f64, gradients: GradientsParams) {
        *self = optimiser.step(learning_rate, self.clone(), gradients);
    }
}

/// Turns every training flag off. Does not change parameters.
struct StopFlags;

impl ModuleMapper for StopFlags {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        flag.with_value(false)
    }
}
