//! Outliers: surrogate inputs on which a device learns to be uncertain, so that its head says little about what it does not know.

use std::cell::Cell;

use alluvium_device::registry::NestedError;
use alluvium_device::{DeviceError, ParameterTerm, Term};
use alluvium_model::{InputShape, ModelState, Seed};
use alluvium_strategy::{RunDescription, Surrogate, SurrogateConfig, SurrogateRequest, nested_surrogate};
use burn::tensor::Device as Compute;
use burn::tensor::activation::log_softmax;
use serde_json::{Map, Value};

/// The outliers of a step. All of them are seen before one comes again.
const BATCH: usize = 32;

/// w · the cross-entropy between a uniform distribution over the head's classes and what the model says about outliers (Hendrycks,
/// Mazeika & Dietterich, "Deep anomaly detection with outlier exposure", ICLR 2019, arXiv 1812.04606, eq. 4).
#[derive(Debug, Clone)]
pub(crate) struct Outliers {
    /// w.
    pub(crate) weight: f64,
    /// The table of the surrogate data.
    pub(crate) table: Map<String, Value>,
}

impl Outliers {
    /// The configuration of the outliers.
    pub(crate) fn config(&self) -> Result<Box<dyn SurrogateConfig>, DeviceError> {
        nested_surrogate(&self.table).map_err(|error| match error {
            NestedError::Kind { named, kinds } => wrong(format!("names {named}"), format!("one of the kinds {kinds}")),
            NestedError::Option { path, problem, accepted } => {
                wrong(format!("is wrong: `{}` {problem}", path.join(".")), accepted)
            }
            NestedError::Table { kind, cause } => {
                wrong(format!("is wrong: {cause}"), format!("the options of `alluvium show {kind}`"))
            }
        })
    }

    /// The source of the outliers, for inputs of this shape.
    pub(crate) fn source(&self, input: InputShape) -> Result<Box<dyn Surrogate>, DeviceError> {
        let run = RunDescription { input: Some(input), ..RunDescription::default() };
        let config = self.config()?;
        let built = config.validate(&run).and_then(|()| config.build(&run));
        built.map_err(|error| wrong(format!("cannot be used: {error}"), "surrogate data that need no model".to_owned()))
    }
}

fn wrong(problem: String, accepted: String) -> DeviceError {
    DeviceError::Option { option: "outliers", problem, accepted }
}

impl ParameterTerm for Outliers {
    /// # Panics
    /// When the outliers cannot be made, which the check of the configuration finds before a run begins.
    fn begin(&self, taken: &ModelState, compute: &Compute) -> Term {
        let drawn = self.source(taken.input).map_err(|error| error.to_string()).and_then(|mut source| {
            let seed = Seed::new(0).of("outliers");
            let request = SurrogateRequest { input: taken.input, compute, seed, previous: taken, expert: None };
            source.draw(source.samples(), &request).map_err(|error| error.to_string())
        });
        let batches = drawn.unwrap_or_else(|error| panic!("`outliers`: {error}")).split(BATCH);
        let (weight, next) = (self.weight, Cell::new(0));
        Box::new(move |model| {
            let index = next.replace((next.get() + 1) % batches.len().max(1));
            let says = log_softmax(model.forward(batches.get(index)?.clone()), 1);
            Some(says.mean().mul_scalar(-weight))
        })
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Model;
    use alluvium_strategy::conformance::central;
    use burn::tensor::Device;
    use serde_json::json;

    use super::*;

    fn outliers(table: Value) -> Outliers {
        Outliers { weight: 2.0, table: table.as_object().cloned().unwrap_or_default() }
    }

    #[test]
    fn the_term_is_the_cross_entropy_to_a_uniform_distribution() {
        let compute = Device::flex();
        let mut taken = central(&["a"], 1);
        // A head of two classes that always says 3 and 0: −½(log p + log(1 − p)) with p = e³/(e³ + 1), or log(1 + e³) − 1.5.
        let head = taken.heads[0].clone();
        let mut weights = taken.head_weights(&head);
        let zeros = weights.get("weight").unwrap().map(|_| 0.0);
        weights.insert("weight", zeros);
        weights.insert("bias", alluvium_model::Values::new(vec![2], vec![3.0, 0.0]));
        taken.set_head(head, weights);
        let term = outliers(json!({"kind": "in-process-test"})).begin(&taken, &compute);
        let model = Model::load(&taken, &compute.clone().autodiff()).unwrap();
        let found = term(&model).unwrap().into_scalar::<f32>();
        let expected = 2.0 * ((1.0 + 3.0_f32.exp()).ln() - 1.5);
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }

    #[test]
    fn a_wrong_table_is_refused() {
        let says = |table: Value| outliers(table).config().map(drop).unwrap_err().to_string();
        assert!(says(json!({"kind": "nonsense"})).contains("`outliers` names"));
        assert!(says(json!({"kind": "in-process-test", "no": 1})).contains("`no`"));
    }

    /// Inputs of zeros.
    #[alluvium_strategy::options]
    struct ZerosConfig {}

    #[alluvium_strategy::plugin(kind = "in-process-test")]
    impl SurrogateConfig for ZerosConfig {
        fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, alluvium_strategy::SurrogateError> {
            Ok(Box::new(Zeros {}))
        }
    }

    #[derive(Debug)]
    struct Zeros {}

    impl Surrogate for Zeros {
        fn samples(&self) -> usize {
            40
        }

        fn draw(
            &mut self,
            count: usize,
            request: &SurrogateRequest<'_>,
        ) -> Result<alluvium_model::Inputs, alluvium_strategy::SurrogateError> {
            Ok(request.inputs(vec![0.0; count * request.input.values()]))
        }
    }
}
