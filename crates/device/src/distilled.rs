//! A network of a device's own that learns from the central model first, on the device's own samples.

use alluvium_model::{Inputs, Model, ModelError, ModelState, Progress, Seed, SetParameters, initial_linear};
use alluvium_stream::{Batches, TaskDataset};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device as Compute, Tensor};

use crate::{DeviceSettings, mean_squared_error};

/// Distils the central model into a network of another backbone, as far as the device's own samples show it. Returns the network and
/// the number of steps taken: as many as the device adapts with afterwards.
///
/// L = mse(G(h), h_c) + mse(z_c(G(h)), z_c(h_c)). h are the network's latents, h_c those of the central model, z_c the logits of all
/// of its heads. G is a linear map that learns beside the network and is discarded afterwards. The first term is that of FitNets
/// (Romero et al., arXiv 1412.6550, eq. 3); reading projected latents with the teacher's own heads is SimKD (Chen et al., arXiv
/// 2203.14001, section 3.2). Labels are not used.
///
/// # Errors
/// When a model cannot be run, or an average of the weights cannot be loaded.
pub(crate) fn distilled(
    teacher: &ModelState,
    network: &ModelState,
    own: TaskDataset<'_>,
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(ModelState, usize), ModelError> {
    let (seed, learning) = (seed.of("distillation of the centre"), compute.clone().autodiff());
    let teacher = Teacher(Model::load(teacher, compute)?);
    // Its heads learn afterwards.
    let mut network = Model::load(&network.with_heads(|_| false), &learning)?;
    let (from, to) = (network.latent_size(), teacher.0.latent_size());
    let first = initial_linear(from, to, &mut seed.of("map").random());
    let mut map = LinearConfig::new(from, to).init(&learning).with_parameters(&first)?;
    let order = seed.of("shuffle").random();
    let (augmentation, augmented) = (settings.augmentation, seed.of("augmentation"));
    let datasets = [own];
    let mut batches = Batches::augmented(augmentation, augmented, &datasets, settings.batch_size, order, compute);
    let steps = settings.steps(batches.per_epoch() * settings.batch_size);
    let taken = settings.learning.descend_with(&mut network, &mut map, steps, |step, network, map: &Linear| {
        let Some(batch) = batches.next() else { return Ok::<_, ModelError>(None) };
        progress.step(step + 1, steps);
        Ok(Some(teacher.loss(batch.inputs, |inputs| map.forward(network.latents(inputs)))))
    })?;
    Ok((network.state(), taken))
}

/// The central model, on a device without autodiff: its weights are constants.
struct Teacher(Model);

impl Teacher {
    /// L of one batch, `[1]`. `mapped` gives G(h) for the inputs on the autodiff device.
    fn loss(&self, inputs: Inputs, mapped: impl FnOnce(Inputs) -> Tensor<2>) -> Tensor<1> {
        let wanted = self.0.latents(inputs.clone());
        let own = inputs.clone().map(Tensor::from_inner);
        let mapped = mapped(own.clone());
        let of_latents = mean_squared_error(mapped.clone(), Tensor::from_inner(wanted.clone()));
        if self.0.heads().is_empty() {
            return of_latents;
        }
        let of_logits = Tensor::from_inner(self.0.scores(inputs, wanted));
        of_latents + mean_squared_error(self.0.scores(own, mapped), of_logits)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{HeadSpec, Learning, Silent, Values};
    use alluvium_stream::Samples;

    use super::*;

    fn central() -> ModelState {
        let backbone = Arc::new(MlpConfig { layers: vec![6] });
        let mut central = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &Compute::flex()).unwrap();
        central.grow_head(&HeadSpec { name: "other".to_owned(), classes: vec![0, 1] }, 6, Seed::new(2));
        central
    }

    #[test]
    fn the_loss_is_the_one_worked_out_by_hand() {
        // One input, two latents of the teacher, one head of two logits: z = (h₁ + 2 h₂, 3 h₁).
        let backbone = Arc::new(MlpConfig { layers: vec![2] });
        let mut teacher = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &Compute::flex()).unwrap();
        // The layer's rectifier lets (1, 1) through: h_c = (1, 1).
        let layer: Vec<_> =
            teacher.weights.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect();
        for (name, shape) in layer {
            let of_bias = if shape.len() == 1 { 1.0 } else { 0.0 };
            teacher.weights.insert(name, Values::new(shape.clone(), vec![of_bias; shape.iter().product()]));
        }
        let head = [
            ("weight".to_owned(), Values::new(vec![2, 2], vec![1.0, 3.0, 2.0, 0.0])),
            ("bias".to_owned(), Values::new(vec![2], vec![0.0, 0.0])),
        ];
        let headless = teacher.clone();
        teacher.set_head(HeadSpec { name: "a".to_owned(), classes: vec![0, 1] }, head.into_iter().collect());
        let loss = |teacher: &ModelState| {
            let teacher = Teacher(Model::load(teacher, &Compute::flex()).unwrap());
            let inputs = Inputs::from_values(vec![0.5, -0.5], [1, 1, 2].into(), &Compute::flex());
            let mapped = |_: Inputs| Tensor::<2>::from_floats([[3.0, 0.0]], &Compute::flex().autodiff());
            teacher.loss(inputs, mapped).into_scalar::<f32>()
        };
        // Latents: ((3 − 1)² + (0 − 1)²)/2 = 2.5. Logits: (3, 9) against (3, 3): (0 + 36)/2 = 18.
        assert!((loss(&headless) - 2.5).abs() < 1e-6 && (loss(&teacher) - 20.5).abs() < 1e-5);
    }

    #[test]
    fn a_network_of_another_size_learns_the_teachers_features_from_its_own_samples() {
        let (head, mut samples) =
            (HeadSpec { name: "own".to_owned(), classes: vec![4, 7] }, Samples::new([1, 1, 2].into()));
        (0..40).for_each(|shade| samples.push(&[6 * shade, 255 - 5 * shade], [4, 7][usize::from(shade % 2)]));
        let own = TaskDataset { head: &head, samples: &samples };
        let narrow = Arc::new(MlpConfig { layers: vec![4] });
        let network = ModelState::initial(narrow, [1, 1, 2].into(), Seed::new(3), &Compute::flex()).unwrap();
        let learn = |epochs| {
            let learning = Learning { learning_rate: 0.05, ..Learning::default() };
            let settings = DeviceSettings { epochs, batch_size: 8, learning, ..Default::default() };
            let central = central();
            distilled(&central, &network, own, &settings, &Compute::flex(), Seed::new(4), &Silent).unwrap()
        };
        let (found, steps) = learn(20);
        assert_eq!(steps, 100);
        assert!(found.heads.is_empty() && found.has_the_backbone_of(&network));
        assert_eq!(found.digest(), learn(20).0.digest(), "the same seed gives the same network");
        assert_ne!(found.digest(), network.digest());
        // How well a linear map of the latents gives those of the teacher: the distance after as many steps from both networks.
        let distance = |network: &ModelState| {
            let compute = Compute::flex();
            let inputs = samples.inputs(&compute);
            let (teacher, model) =
                (Model::load(&central(), &compute).unwrap(), Model::load(network, &compute).unwrap());
            let (wanted, given) = (teacher.latents(inputs.clone()), model.latents(inputs));
            least_squares_distance(given, wanted)
        };
        let (before, after) = (distance(&network), distance(&found));
        assert!(after < 0.5 * before, "from {before} to {after}");
    }

    /// The mean squared residual of the best affine map from `given` to `wanted`, found by many small steps down its gradient.
    fn least_squares_distance(given: Tensor<2>, wanted: Tensor<2>) -> f32 {
        let count = given.dims()[0];
        let given = Tensor::cat(vec![given, Tensor::ones([count, 1], &Compute::flex())], 1);
        let (inputs, outputs) = (given.dims()[1], wanted.dims()[1]);
        let mut map = Tensor::<2>::zeros([inputs, outputs], &Compute::flex());
        for _ in 0..3000 {
            let error = given.clone().matmul(map.clone()) - wanted.clone();
            map = map - given.clone().transpose().matmul(error).mul_scalar(0.2 / count as f64);
        }
        (given.matmul(map) - wanted).square().mean().into_scalar::<f32>()
    }
}
