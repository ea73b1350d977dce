//! The device and its two contacts with the centre.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Expert, HeadSpec, Manifest, Model, ModelError, ModelState, Progress, Seed, Weights};
use alluvium_stream::{Samples, Task, TaskDataset};
use burn::tensor::Device as Compute;

use crate::proximal::Proximal;
use crate::training::{Objective, descend};
use crate::{ClassificationLoss, DeviceSettings, DeviceStatistic};

/// The reason why a device cannot adapt the model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeviceError {
    /// The central model cannot be run, or the adapted one cannot be sent.
    #[error("the device of task \"{task}\": {cause}")]
    Model {
        /// The device's task.
        task: String,
        /// The problem with the model.
        cause: ModelError,
    },
    /// Training diverged.
    #[error(
        "the device of task \"{task}\": training diverged ({cause}); a smaller `learning_rate`, a `gradient_clip`, or a \
         smaller `proximal` if it is set, under [device] would help"
    )]
    Diverged {
        /// The device's task.
        task: String,
        /// The tensor that is not finite.
        cause: ModelError,
    },
    /// A statistic cannot be computed.
    #[error("the device of task \"{task}\" cannot compute the statistic \"{statistic}\": {cause}")]
    Statistic {
        /// The device's task.
        task: String,
        /// The statistic's name.
        statistic: String,
        /// The problem.
        cause: ModelError,
    },
}

/// A participant of the stream, wherever it runs.
pub trait Device {
    /// Takes the central model (first contact) and returns the adapted one (second contact).
    ///
    /// # Errors
    /// When the model cannot be run or training diverges.
    fn adapt(&self, central: &ModelState, seed: Seed, progress: &dyn Progress) -> Result<Expert, DeviceError>;
}

/// A device in this process. Its samples are private: no method returns them.
#[derive(Debug, Clone)]
pub struct InProcessDevice {
    index: usize,
    name: String,
    head: HeadSpec,
    samples: Samples,
    settings: DeviceSettings,
    statistics: Vec<Arc<dyn DeviceStatistic>>,
    compute: Compute,
}

impl InProcessDevice {
    /// Creates a device that learns the training samples of a task on a compute device.
    pub fn new(task: &Task, settings: DeviceSettings, compute: &Compute) -> Self {
        InProcessDevice {
            index: task.index,
            name: task.name.clone(),
            head: task.head.clone(),
            samples: task.train.clone(),
            settings,
            statistics: vec![],
            compute: compute.clone(),
        }
    }

    /// Adds statistics that the device computes from its samples and sends along.
    pub fn with_statistics(mut self, statistics: Vec<Arc<dyn DeviceStatistic>>) -> Self {
        self.statistics = statistics;
        self
    }

    /// The statistics of the device's samples, computed with the adapted model.
    fn statistics(&self, adapted: &ModelState, seed: Seed) -> Result<BTreeMap<String, Weights>, DeviceError> {
        let own = TaskDataset { head: &self.head, samples: &self.samples };
        let compute = |statistic: &Arc<dyn DeviceStatistic>| {
            let name = statistic.name();
            let computed = statistic.compute(adapted, &own, &self.compute, seed.of("statistic").of(name));
            let computed = computed.and_then(|weights| weights.check_finite().map(|()| weights));
            let failed = |cause| DeviceError::Statistic { task: self.name.clone(), statistic: name.to_owned(), cause };
            Ok((name.to_owned(), computed.map_err(failed)?))
        };
        self.statistics.iter().map(compute).collect()
    }
}

impl Device for InProcessDevice {
    fn adapt(&self, central: &ModelState, seed: Seed, progress: &dyn Progress) -> Result<Expert, DeviceError> {
        let broken = |cause| DeviceError::Model { task: self.name.clone(), cause };
        // Self-centred: the device only takes the head of its own task, if the central model has it.
        let mut own = central.with_heads(|head| head.name == self.head.name);
        let proximal = (self.settings.proximal > 0.0)
            .then(|| Proximal::new(self.settings.proximal, self.settings.momentum, &own.weights, &self.compute));
        let learning = self.compute.clone().autodiff();
        let latent_size = own.backbone.build(own.input, &learning).map_err(broken)?.latent_size();
        own.grow_head(&self.head, latent_size, seed);
        let mut model = Model::load(&own, &learning).map_err(broken)?;

        let dataset = TaskDataset { head: &self.head, samples: &self.samples };
        let objective = Objective { loss: ClassificationLoss::OwnHead, proximal };
        let steps = descend(objective, &mut model, &[dataset], &self.settings, &learning, seed, progress);

        let adapted = model.state();
        let diverged = |cause| DeviceError::Diverged { task: self.name.clone(), cause };
        adapted.weights.check_finite().map_err(diverged)?;
        let manifest = Manifest {
            task: self.index,
            task_name: self.name.clone(),
            samples: self.samples.len(),
            steps,
            parent: central.digest(),
            digest: adapted.digest(),
            statistics: BTreeMap::new(),
        };
        let statistics = self.statistics(&adapted, seed)?;
        Ok(Expert::new(adapted, manifest).map_err(broken)?.with_statistics(statistics))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{Silent, Values};

    use super::*;
    use crate::Augmentation;

    /// Two classes that differ in which of two pixels is bright.
    fn task() -> Task {
        let mut train = Samples::new([1, 1, 2].into());
        for shade in 0..20 {
            train.push(&[200 + shade, 10], 4);
            train.push(&[10, 200 + shade], 7);
        }
        let head = HeadSpec { name: "own".to_owned(), classes: vec![4, 7] };
        Task { index: 3, name: "bright".to_owned(), head, test: train.clone(), train }
    }

    /// A central model that knows another task.
    fn central(compute: &Compute) -> ModelState {
        let seed = Seed::new(5);
        let backbone = Arc::new(MlpConfig { layers: vec![8] });
        let mut central = ModelState::initial(backbone, [1, 1, 2].into(), seed, compute).unwrap();
        central.grow_head(&HeadSpec { name: "other".to_owned(), classes: vec![1, 2] }, 8, seed);
        central
    }

    fn adapt(settings: DeviceSettings) -> Result<Expert, DeviceError> {
        let compute = Compute::flex();
        InProcessDevice::new(&task(), settings, &compute).adapt(&central(&compute), Seed::new(1), &Silent)
    }

    fn settings() -> DeviceSettings {
        DeviceSettings { epochs: 10, batch_size: 8, learning_rate: 0.1, ..Default::default() }
    }

    #[test]
    fn the_expert_has_learned_its_own_task_and_carries_no_other_head() {
        let expert = adapt(settings()).unwrap();
        assert_eq!(expert.model.heads, [task().head]);
        assert_eq!((expert.manifest.task, expert.manifest.samples, expert.manifest.steps), (3, 40, 50));
        assert_eq!(expert.manifest.parent, central(&Compute::flex()).digest());
        let model = Model::load(&expert.model, &Compute::flex()).unwrap();
        let logits = model.forward(task().test.inputs(&Compute::flex()));
        let values = logits.into_data().try_into_vec::<f32>().unwrap();
        let right =
            values.chunks(2).zip(task().test.labels()).all(|(pair, label)| (pair[1] > pair[0]) == (*label == 7));
        assert!(right, "{values:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_expert() {
        assert_eq!(adapt(settings()).unwrap().manifest.digest, adapt(settings()).unwrap().manifest.digest);
    }

    #[test]
    fn augmentation_changes_what_is_learned_and_follows_from_the_seed() {
        let augmented = || {
            let augmentation = Augmentation { flip: true, brightness: 0.2, ..Default::default() };
            adapt(DeviceSettings { augmentation, ..settings() }).unwrap().manifest
        };
        assert_eq!(augmented().digest, augmented().digest);
        assert_ne!(augmented().digest, adapt(settings()).unwrap().manifest.digest);
        assert_eq!((augmented().samples, augmented().steps), (40, 50));
    }

    /// The number of samples of each class, as a tensor.
    #[derive(Debug)]
    struct Counts;

    impl DeviceStatistic for Counts {
        fn name(&self) -> &str {
            "counts"
        }

        fn compute(
            &self,
            _adapted: &ModelState,
            own: &TaskDataset<'_>,
            _compute: &Compute,
            _seed: Seed,
        ) -> Result<Weights, ModelError> {
            let count = |class| own.samples.labels().iter().filter(|label| *label == class).count() as f32;
            let counts = Values::new(vec![own.head.classes.len()], own.head.classes.iter().map(count).collect());
            Ok([("counts".to_owned(), counts)].into_iter().collect())
        }
    }

    #[test]
    fn statistics_travel_with_the_expert() {
        let compute = Compute::flex();
        let device = InProcessDevice::new(&task(), settings(), &compute).with_statistics(vec![Arc::new(Counts)]);
        let expert = device.adapt(&central(&compute), Seed::new(1), &Silent).unwrap();
        let alone = adapt(settings()).unwrap();
        assert_eq!(expert.manifest.digest, alone.manifest.digest, "the model is the same");
        let (bytes, plain) = (expert.to_bytes().unwrap(), alone.to_bytes().unwrap());
        assert!(bytes.len() >= plain.len() + 8, "two numbers of four bytes, and their name");
        let back = Expert::from_bytes(&bytes).unwrap();
        assert_eq!(back.statistic("counts").unwrap().get("counts").unwrap().as_f32().unwrap(), [20.0, 20.0]);
        assert_eq!((back.model.weights, back.manifest), (expert.model.weights, expert.manifest));
        let error = alone.statistic("counts").unwrap_err().to_string();
        assert!(error.contains("\"counts\"") && error.contains("bright"), "{error}");
    }

    #[test]
    fn an_expert_survives_the_way_to_the_centre_and_a_changed_one_is_refused() {
        let expert = adapt(settings()).unwrap();
        let mut bytes = expert.to_bytes().unwrap();
        assert_eq!(Expert::from_bytes(&bytes).unwrap().model.weights, expert.model.weights);
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        assert!(Expert::from_bytes(&bytes).unwrap_err().to_string().contains("digest"));
    }

    #[test]
    fn a_large_proximal_term_keeps_what_came_from_the_centre_and_leaves_a_new_head_free() {
        let compute = Compute::flex();
        let knows_the_head = {
            let mut central = central(&compute);
            central.grow_head(&task().head, 8, Seed::new(2));
            central
        };
        // The distances of backbone and head from the central model's, or from the head's first values.
        let moved = |central: &ModelState, proximal| {
            let settings = DeviceSettings { learning_rate: 0.01, momentum: 0.0, proximal, ..settings() };
            let device = InProcessDevice::new(&task(), settings, &compute);
            let adapted = device.adapt(central, Seed::new(1), &Silent).unwrap().model;
            let mut start = central.clone();
            start.grow_head(&task().head, 8, Seed::new(1));
            let distance = |one: Weights, other: Weights| {
                let squares = one.combine(&other, |one, other| (one - other).powi(2)).unwrap();
                squares.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).sum::<f32>().sqrt()
            };
            let head = &task().head;
            (
                distance(adapted.backbone_weights(), start.backbone_weights()),
                distance(adapted.head_weights(head), start.head_weights(head)),
            )
        };
        // Fifty steps. With μ = 100, each step undoes the one before, because μ times the learning rate is 1.
        let (free, held) = (moved(&knows_the_head, 0.0), moved(&knows_the_head, 100.0));
        assert!(held.0 < 0.1 * free.0 && held.1 < 0.1 * free.1, "{held:?}, without the term {free:?}");
        let new_head = moved(&central(&compute), 100.0);
        assert!(new_head.0 < 0.1 * free.0 && new_head.1 > 0.3 * free.1, "{new_head:?}");
    }

    #[test]
    fn training_that_diverges_is_an_error_that_says_what_would_help() {
        let error = adapt(DeviceSettings { learning_rate: 1e30, momentum: 0.0, ..settings() }).unwrap_err().to_string();
        assert!(error.contains("bright") && error.contains("learning_rate"), "{error}");
    }
}
