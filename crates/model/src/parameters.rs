//! Reads a burn module's parameters into named values, and writes them back.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::{ModelError, Values, Weights};

/// Reads parameters and running statistics of any module. Names are the fields on the path, joined by dots.
pub trait Parameters {
    /// All floating-point parameters and running statistics on the host.
    fn parameters(&self) -> Weights;

    /// The shapes of the same tensors, by name. For a newly built module this does not draw its weights, so it takes no memory,
    /// however large the weights would be.
    fn shapes(&self) -> BTreeMap<String, Vec<usize>>;
}

/// Writes parameters and running statistics of any module.
pub trait SetParameters: Sized {
    /// The module with all its parameters replaced. It stays on its compute device, and requires gradients as before.
    ///
    /// Use it on a module that has not run in training since it was built. Otherwise burn overwrites the new running statistics
    /// with a pending update.
    ///
    /// # Errors
    /// When a tensor is missing, unknown to the module, of another shape, or of 64 bits.
    fn with_parameters(self, weights: &Weights) -> Result<Self, ModelError>;
}

impl<M: Module> Parameters for M {
    fn parameters(&self) -> Weights {
        let mut reader = ParameterReader::default();
        // `valid` brings the running statistics up to date: burn keeps the newest of each thread beside them.
        self.valid().visit(&mut reader);
        reader.weights
    }

    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let mut measure = ShapeReader::default();
        self.visit(&mut measure);
        measure.shapes
    }
}

impl<M: Module> SetParameters for M {
    fn with_parameters(self, weights: &Weights) -> Result<Self, ModelError> {
        let mut writer = ParameterWriter { path: vec![], weights, written: 0, error: None };
        let module = self.map(&mut writer);
        let written = writer.written;
        if let Some(error) = writer.error {
            return Err(error);
        }
        if written < weights.len() {
            let own = module.parameters();
            if let Some((name, _)) = weights.iter().find(|(name, _)| own.get(name).is_none()) {
                return Err(ModelError::Unknown { name: name.to_owned() });
            }
        }
        Ok(module)
    }
}

#[derive(Default)]
struct ParameterReader {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for ParameterReader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.weights.insert(self.path.join("."), host(parameter.val()));
    }
}

#[derive(Default)]
struct ShapeReader {
    path: Vec<String>,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for ShapeReader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.join("."), parameter.lazy_shape().to_vec());
    }
}

/// A tensor's values on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Values {
    let shape = tensor.dims().to_vec();
    let values = tensor.into_data().convert::<f32>().try_into_vec::<f32>();
    Values::new(shape, values.expect("data converted to f32 holds f32"))
}

struct ParameterWriter<'a> {
    path: Vec<String>,
    weights: &'a Weights,
    written: usize,
    error: Option<ModelError>,
}

impl ModuleMapper for ParameterWriter<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        // Not `val`: a new module would draw weights that are replaced at once.
        let expected = parameter.lazy_shape().to_vec();
        let Some(found) = self.weights.get(&name) else {
            self.error.get_or_insert(ModelError::Missing { name, expected });
            return parameter;
        };
        if found.shape != expected {
            self.error.get_or_insert(ModelError::Shape { name, found: found.shape.clone(), expected });
            return parameter;
        }
        let values = match found.single(&name) {
            Ok(values) => values.to_vec(),
            Err(error) => {
                self.error.get_or_insert(error);
                return parameter;
            }
        };
        self.written += 1;
        let data = TensorData::new(values, found.shape.clone());
        let (id, written) = (parameter.id, Tensor::from_data(data, &parameter.lazy_device()));
        parameter.transform_for_load(written, id)
    }
}
