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
    /// Other layers start at random: of a teacher with another backbone nothing is known that a start could use. The two layers have
    /// as many units between them as both spaces have together.
    fn new(
        (student, teacher): (usize, usize),
        shape: Projection,
        random: &mut Random,
        compute: &Device,
    ) -> Result<Self, ModelError> {
        let between = student + teacher;
        let initial = match shape {
            Projection::None => vec![],
            Projection::Linear if student == teacher => vec![identity(student)],
            Projection::Linear => vec![initial_linear(student, teacher, random)],
            Projection::Mlp => {
                vec![initial_linear(student, between, random), initial_linear(between, teacher, random)]
            }
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
    /// Projections from a student's layers of these sizes, which the previous model shares, into an expert's layers of those sizes.
    pub(crate) fn new(
        student: &[usize],
        expert: &[usize],
        shape: Projection,
        random: &mut Random,
        compute: &Device,
    ) -> Result<Self, ModelError> {
        let mut maps = |teacher: &[usize]| {
            let sizes = student.iter().copied().zip(teacher.iter().copied());
            sizes.map(|sizes| Map::new(sizes, shape, random, compute)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Projections { previous: maps(student)?, expert: maps(expert)? })
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

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn a_rectangular_projection_maps_into_the_teachers_space() {
        let compute = Device::flex();
        let weights: Weights = [
            ("weight".to_owned(), Values::new(vec![2, 3], vec![1.0, 0.0, 2.0, 0.5, -1.0, 0.0])),
            ("bias".to_owned(), Values::new(vec![3], vec![0.0, 10.0, 0.0])),
        ]
        .into_iter()
        .collect();
        let layer = LinearConfig::new(2, 3).init(&compute).with_parameters(&weights).unwrap();
        // (3, 4): 3·1 + 4·0.5 = 5; 3·0 − 4·1 + 10 = 6; 3·2 + 4·0 = 6. (1, 0): 1, 10, 2.
        let latents = Tensor::from_floats([[3.0, 4.0], [1.0, 0.0]], &compute);
        assert_eq!(values(Map { layers: vec![layer] }.forward(latents)), [5.0, 6.0, 6.0, 1.0, 10.0, 2.0]);
    }

    #[test]
    fn sizes_that_differ_start_at_random_from_the_seed_and_equal_ones_as_the_identity() {
        let compute = Device::flex();
        let new = |shape| {
            let mut random = Seed::new(3).random();
            Projections::new(&[2], &[3], shape, &mut random, &compute).unwrap()
        };
        let latents = Tensor::<2>::from_floats([[3.0, 4.0]], &compute);
        assert_eq!(values(new(Projection::Linear).to_previous(0, latents.clone())), [3.0, 4.0]);
        for shape in [Projection::Linear, Projection::Mlp] {
            let projected = || values(new(shape).to_expert(0, latents.clone()));
            assert_eq!(projected().len(), 3, "{shape:?}");
            assert_eq!(projected(), projected(), "{shape:?}");
        }
        let sizes = |layers: &[Linear]| layers.iter().map(|layer| layer.weight.dims()).collect::<Vec<_>>();
        assert_eq!(sizes(&new(Projection::Mlp).expert[0].layers), [[2, 5], [5, 3]]);
        assert_eq!(sizes(&new(Projection::Mlp).previous[0].layers), [[2, 4], [4, 2]]);
    }
}
