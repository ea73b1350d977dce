//! The `mlp` backbone: a multi-layer perceptron over the flattened input.

use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, options, plugin};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// A multi-layer perceptron: fully connected layers with rectifiers over the flattened input, of any shape.
///
/// The default has layers of 400 and 128 outputs. The output of the last layer, after its rectifier, is the latent.
#[options]
pub struct MlpConfig {
    /// The number of outputs of each layer, from the input to the latent.
    #[schemars(length(min = 1, max = 64), inner(range(min = 1, max = 65_536)))]
    #[default(vec![400, 128])]
    pub layers: Vec<usize>,
}

#[plugin(kind = "mlp")]
impl BackboneConfig for MlpConfig {
    fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
        Ok(())
    }

    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        if self.layers.is_empty() || self.layers.contains(&0) {
            let reason = "`layers` needs at least one layer, each with at least one output".to_owned();
            return Err(ModelError::Backbone { kind: "mlp".to_owned(), reason });
        }
        let sizes = std::iter::once(input.values()).chain(self.layers.iter().copied());
        let pairs = sizes.zip(&self.layers);
        let layers = pairs.map(|(inputs, outputs)| LinearConfig::new(inputs, *outputs).init(compute)).collect();
        Ok(Box::new(Mlp { layers }))
    }
}

/// The perceptron: inputs of any shape → `[batch, outputs of the last layer]`.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Backbone for Mlp {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.layers.iter().fold(inputs.vectors(), |x, layer| relu(layer.forward(x)))
    }

    fn latent_size(&self) -> usize {
        self.layers.last().map(|layer| layer.weight.dims()[1]).unwrap_or_default()
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let last = self.layers.len() - 1;
        let name = |index: usize| if index == last { "latent".to_owned() } else { format!("layer-{}", index + 1) };
        self.layers.iter().enumerate().map(|(index, layer)| (name(index), layer.weight.dims()[1])).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let mut x = inputs.vectors();
        let forward = |layer: &Linear| {
            x = relu(layer.forward(x.clone()));
            x.clone()
        };
        self.layers.iter().map(forward).collect()
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        self.layers.iter().enumerate().fold(inputs.vectors(), |x, (index, layer)| {
            map(&format!("layers.{index}.weight"), x.clone());
            relu(layer.forward(x))
        })
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::{host, inputs};
    use alluvium_model::{Values, Weights};
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn two_layers_give_the_value_worked_out_by_hand() {
        let compute = Device::flex();
        let mut mlp = MlpConfig { layers: vec![2, 1] }.build([1, 1, 2].into(), &compute).unwrap();
        // h = relu([1, 2]·[[1, −1], [1, 0]] + [0, 5]) = relu([3, 4]) = [3, 4]; y = relu(3·2 − 4·1 + 0.5) = 2.5
        let weights: Weights = [
            ("layers.0.weight", vec![2, 2], vec![1.0, -1.0, 1.0, 0.0]),
            ("layers.0.bias", vec![2], vec![0.0, 5.0]),
            ("layers.1.weight", vec![2, 1], vec![2.0, -1.0]),
            ("layers.1.bias", vec![1], vec![0.5]),
        ]
        .into_iter()
        .map(|(name, shape, values)| (name.to_owned(), Values::new(shape, values)))
        .collect();
        mlp.set_parameters(&weights).unwrap();
        let latent = mlp.forward(Tensor::<2>::from_floats([[1.0, 2.0]], &compute).into());
        assert_eq!(host(latent), [2.5]);
    }

    #[test]
    fn rows_times_weights_are_the_outputs_of_the_layers() {
        let compute = Device::flex();
        let mlp = MlpConfig { layers: vec![5, 4, 3] }.build([2, 3, 3].into(), &compute).unwrap();
        let parameters = mlp.parameters();
        let inputs = inputs(6, [2, 3, 3], &compute);
        let mut maps = vec![];
        let latents = mlp.forward_maps(inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
        let outputs = mlp.forward_layers(inputs);
        assert_eq!(maps.len(), 3);
        for (index, (name, rows)) in maps.into_iter().enumerate() {
            assert_eq!(name, format!("layers.{index}.weight"));
            let [weight, bias] = [name.clone(), name.replace("weight", "bias")].map(|name| {
                parameters
                    .get(&name)
                    .map(|tensor| TensorData::new(tensor.as_f32().unwrap().to_vec(), tensor.shape.clone()))
            });
            let [weight, bias] = [weight.unwrap(), bias.unwrap()];
            let sums = rows.matmul(Tensor::<2>::from_data(weight, &compute));
            let found = host(relu(sums + Tensor::<1>::from_data(bias, &compute).unsqueeze()));
            assert!(found.iter().zip(host(outputs[index].clone())).all(|(a, b)| (a - b).abs() < 1e-5), "{name}");
        }
        assert_eq!(host(latents), host(outputs[2].clone()));
    }

    #[test]
    fn no_layers_are_refused() {
        assert!(MlpConfig { layers: vec![] }.build([1, 1, 2].into(), &Device::flex()).is_err());
    }
}
