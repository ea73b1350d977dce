//! The projections g_P and g_E: they learn beside the student and are discarded afterwards.

use alluvium_model::{ModelError, Random};
use alluvium_model::{SetParameters, Values, Weights, initial_linear};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::Projection;

/// One projection: `[batch, student's size]` → `[batch, teacher's size]`.
#[derive(Module, Debug)]
struct Map {
    layers: Vec<Linear>,
}

impl Map {
    /// A projection between spaces of the same size starts as the identity, which suits a student that starts near a teacher.
    /// Other layers start at random.
    fn new(size: usize, shape: Projection, random: &mut Random, compute: &Device) -> Result<Self, ModelError> {
        let initial = match shape {
            Projection::None => vec![],
            Projection::Linear => vec![identity(size)],
            Projection::Mlp => vec![initial_linear(size, 2 * size, random), initial_linear(2 * size, size, random)],
        };
        let layer = |weights: Weights| {
            let shape = weights.get("weight").map(|weight| weight.shape.clone()).unwrap_or_default();
            LinearConfig::new(shape[0], shape[1]).init(compute).with_parameters(&weights)
        };
        Ok(Map { layers: initial.into_iter().map(layer).collect::<Result<_, _>>()? })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let layers = self.layers.iter().enumerate();
        layers.fold(x, |x, (index, layer)| layer.forward(if index > 0 { relu(x) } else { x }))
    }
}

fn identity(size: usize) -> Weights {
    let mut weight = vec![0.0; size * size];
    (0..size).for_each(|index| weight[index * size + index] = 1.0);
    let tensors = [
        ("weight".to_owned(), Values::new(vec![size, size], weight)),
        ("bias".to_owned(), Values::new(vec![size], vec![0.0; size])),
    ];
    tensors.into_iter().collect()
}

/// A pair of projections for every distilled layer.
#[derive(Module, Debug)]
pub(crate) struct Projections {
    previous: Vec<Map>,
    expert: Vec<Map>,
}

impl Projections {
    /// Projections for layers of these sizes.
    pub(crate) fn new(
        sizes: &[usize],
        shape: Projection,
        random: &mut Random,
        compute: &Device,
    ) -> Result<Self, ModelError> {
        let mut maps =
            || sizes.iter().map(|size| Map::new(*size, shape, random, compute)).collect::<Result<Vec<_>, _>>();
        Ok(Projections { previous: maps()?, expert: maps()? })
    }

    /// g_P of one layer.
    pub(crate) fn to_previous(&self, layer: usize, latent: Tensor<2>) -> Tensor<2> {
        self.previous[layer].forward(latent)
    }

    /// g_E of one layer.
    pub(crate) fn to_expert(&self, layer: usize, latent: Tensor<2>) -> Tensor<2> {
        self.expert[layer].forward(latent)
    }
}
