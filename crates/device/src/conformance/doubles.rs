//! A small backbone and a small stream to try devices on.

use alluvium_model::{
    Backbone, BackboneConfig, BoxedBackbone, HeadSpec, InputShape, Inputs, ModelError, options, plugin,
};
use alluvium_stream::{Samples, Task, Tasks};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device as Compute, Tensor};

/// A test double of the conformance tests: one fully connected layer with four outputs.
#[options]
pub struct PixelPairConfig {}

pub(super) const LATENT: usize = 4;

#[plugin(kind = "_conformance-pixel-pair")]
impl BackboneConfig for PixelPairConfig {
    fn build(&self, input: InputShape, compute: &Compute) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(OneLayer { layer: LinearConfig::new(input.values(), LATENT).init(compute) }))
    }
}

#[derive(Module, Debug)]
struct OneLayer {
    layer: Linear,
}

impl Backbone for OneLayer {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        relu(self.layer.forward(inputs.vectors()))
    }

    fn latent_size(&self) -> usize {
        LATENT
    }
}

/// Two tasks of two classes each, of 20 samples a class. Within a task, the classes differ in which of two pixels is bright.
pub fn pixel_pairs() -> Tasks {
    let task = |index: usize, classes: [usize; 2]| {
        let mut train = Samples::new([1, 1, 2].into());
        for shade in 0..20 {
            train.push(&[200 + shade, 10], classes[0]);
            train.push(&[10, 200 + shade], classes[1]);
        }
        let name = classes.map(|class| format!("class {class}")).join(", ");
        let head = HeadSpec { name: name.clone(), classes: classes.to_vec() };
        Task { index, name, head, test: train.clone(), train }
    };
    let class_names = (0..4).map(|class| format!("class {class}")).collect();
    let tasks = vec![task(0, [0, 1]), task(1, [2, 3])];
    Tasks::new([1, 1, 2].into(), class_names, tasks).expect("the tests' tasks are sound")
}
