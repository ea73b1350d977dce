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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use alluvium_device::conformance::PixelPairConfig;
    use alluvium_device::cross_entropy;
    use alluvium_model::{HeadSpec, Inputs, Learning, ModelError, Values};
    use burn::tensor::{Device, Int, TensorData};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Written {
        shape: Vec<usize>,
        values: Vec<f32>,
    }

    fn numbers(shape: &[usize], salt: usize) -> Values {
        let count = shape.iter().product();
        let number = |k: usize| (((31 * k + 17 * salt) % 257) as f32 - 128.0) / 256.0;
        Values::new(shape.to_vec(), (0..count).map(number).collect())
    }

    /// The model that the device takes, as in `tests/fixtures/generate.py`.
    fn taken() -> ModelState {
        let mut state = ModelState::bare(Arc::new(PixelPairConfig {}), [1, 2, 3].into());
        state.heads = vec![HeadSpec { name: "own".to_owned(), classes: vec![0, 1] }];
        let tensors = [("backbone.layer", [6, 4], 0), ("heads.own", [4, 2], 2)];
        for (name, shape, salt) in tensors {
            state.weights.insert(format!("{name}.weight"), numbers(&shape, salt));
            state.weights.insert(format!("{name}.bias"), numbers(&shape[1..], salt + 1));
        }
        state
    }

    fn assert_pytorch(case: &str, near: Near, known: &ModelState) {
        let learning = Device::flex().autodiff();
        let rows = (0..10).flat_map(|index| {
            let (shade, class) = ((index % 5) as f32, (index / 5) as f32);
            [40.0 * shade, 200.0 * class, 10.0, 20.0, 30.0, 250.0 - 40.0 * shade].map(|byte| byte / 127.5 - 1.0)
        });
        let rows = TensorData::new(rows.collect::<Vec<f32>>(), [10, 1, 2, 3]);
        let inputs = Inputs::from(Tensor::<4>::from_data(rows, &learning));
        let labels = Tensor::<1, Int>::from_ints([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], &learning);

        let term = near.begin(known, &Device::flex());
        let mut model = Model::load(&taken(), &learning).unwrap();
        let settings = Learning { learning_rate: 0.05, ..Learning::default() };
        let taken = settings.descend(&mut model, 40, |_, model| {
            let loss = cross_entropy(model.forward(inputs.clone()), labels.clone());
            Ok::<_, ModelError>(Some(loss + term(model).unwrap()))
        });
        assert_eq!(taken.unwrap(), 40);

        let cases = include_str!("../tests/fixtures/near.json");
        let cases: BTreeMap<String, BTreeMap<String, Written>> = serde_json::from_str(cases).unwrap();
        let found = model.state().weights;
        assert_eq!(found.len(), cases[case].len());
        for (name, expected) in &cases[case] {
            let found = found.get(name).unwrap();
            assert_eq!(found.shape, expected.shape);
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(0.1);
            let found = found.as_f32().unwrap();
            assert!(found.iter().zip(&expected.values).all(near), "{case}, {name}: {found:?}, {:?}", expected.values);
        }
    }

    #[test]
    fn fedprox_is_that_of_pytorch() {
        assert_pytorch("fedprox", Near { taken: 0.5, new_head: 0.25 }, &taken());
    }

    #[test]
    fn l2_sp_is_that_of_pytorch() {
        assert_pytorch("l2-sp", Near { taken: 0.5, new_head: 0.25 }, &taken().with_heads(|_| false));
    }
}
