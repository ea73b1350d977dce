//! The adaptation of a model in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Expert, Manifest, Model, ModelError, Progress};
use alluvium_stream::TaskDataset;
use burn::tensor::Device as Compute;

use crate::distilled::distilled;
use crate::training::{Objective, descend, without_absent};
use crate::{
    AbsentClasses, ClassificationLoss, DeviceError, DeviceSettings, DeviceStatistic, ExpertForm, HandOut, OwnTask,
    ParameterTerm, with_statistics,
};

/// Adapts a model to a device's own task, in this process, and makes the expert that the device sends.
///
/// The device is self-centred: it takes only the head of its own task, if the model has it, and adds it if not. A network of its own
/// first learns from the central model, where that was handed out as a teacher; the expert states the steps of both.
///
/// # Errors
/// When the model cannot be run, training diverges, or a statistic cannot be computed.
pub fn adapt(
    taken: &HandOut,
    own: OwnTask<'_>,
    settings: &DeviceSettings,
    statistics: &[Arc<dyn DeviceStatistic>],
    compute: &Compute,
    progress: &dyn Progress,
) -> Result<Expert, DeviceError> {
    adapt_with(&[], taken, own, settings, statistics, compute, progress)
}

/// [`adapt`] with terms on the parameters in the loss.
///
/// # Errors
/// As [`adapt`].
pub fn adapt_with(
    added: &[Arc<dyn ParameterTerm>],
    taken: &HandOut,
    own: OwnTask<'_>,
    settings: &DeviceSettings,
    statistics: &[Arc<dyn DeviceStatistic>],
    compute: &Compute,
    progress: &dyn Progress,
) -> Result<Expert, DeviceError> {
    let HandOut { model: central, teacher, terms } = taken;
    let (seed, TaskDataset { head, samples }) = (terms.seed, own.dataset);
    let broken = |cause| DeviceError::Model { task: own.name.to_owned(), cause: Box::new(cause) };
    let (mut begun, steps_before) = match teacher {
        None => (central.with_heads(|other| other.name == head.name), 0),
        Some(teacher) => distilled(teacher, central, own.dataset, settings, compute, seed, progress).map_err(broken)?,
    };
    let added: Vec<_> = added.iter().map(|term| term.begin(&begun, compute)).collect();
    let learning = compute.clone().autodiff();
    let latent_size = begun.backbone.build(begun.input, &learning).map_err(broken)?.latent_size();
    begun.grow_head(head, latent_size, seed);
    let mut model = Model::load(&begun, &learning).map_err(broken)?;
    if let Some(lora) = &settings.lora {
        model.add_low_rank(lora, seed.of("low rank"));
    }

    let absent = (settings.absent_classes == AbsentClasses::Ignore).then(|| without_absent(own.dataset));
    let objective = Objective { loss: ClassificationLoss::OwnHead, absent, terms: &added };
    let steps = descend(objective, &mut model, &[own.dataset], settings, &learning, seed, progress).map_err(broken)?;

    let diverged = |cause| DeviceError::Diverged { task: own.name.to_owned(), cause: Box::new(cause) };
    let (adapted, factors) = model.into_state_and_factors();
    adapted.weights.check_finite().map_err(diverged)?;
    let manifest = Manifest {
        task: terms.device,
        task_name: own.name.to_owned(),
        samples: samples.len(),
        steps: steps_before + steps,
        parent: taken.parent(),
        digest: adapted.digest(),
        statistics: BTreeMap::new(),
    };
    let expert = match (&settings.lora, settings.sends) {
        (None, ExpertForm::Model) => Expert::new(adapted, manifest).map_err(broken)?,
        // Factors may be finite where the update that they give is not.
        _ => Expert::difference(central, adapted, factors, manifest).map_err(|cause| match cause {
            cause @ ModelError::NotFinite { .. } => diverged(cause),
            cause => broken(cause),
        })?,
    };
    with_statistics(expert, taken, own, statistics, compute)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{HeadSpec, Learning, ModelError, ModelState, Seed, Silent, Values, Weights};
    use alluvium_stream::{Samples, Task, TaskDataset};

    use super::*;
    use crate::{Augmentation, StatisticRequest, Term, Terms};

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

    /// What a device of this task takes.
    fn hand_out(central: &ModelState, task: &Task) -> HandOut {
        let seed = Seed::new(1);
        let (settings, statistics, beside) = (serde_json::Value::Null, vec![], Arc::default());
        let terms = Terms { device: task.index, visit: 0, seed, settings, statistics, beside, backbone: None };
        HandOut { model: Arc::new(central.clone()), teacher: None, terms }
    }

    fn adapt(settings: DeviceSettings) -> Result<Expert, DeviceError> {
        adapt_from(&central(&Compute::flex()), settings, &[])
    }

    fn adapt_from(
        central: &ModelState,
        settings: DeviceSettings,
        statistics: &[Arc<dyn DeviceStatistic>],
    ) -> Result<Expert, DeviceError> {
        let task = task();
        let taken = hand_out(central, &task);
        let dataset = TaskDataset { head: &task.head, samples: &task.train };
        super::adapt(&taken, OwnTask { name: &task.name, dataset }, &settings, statistics, &Compute::flex(), &Silent)
    }

    fn settings() -> DeviceSettings {
        let learning = Learning { learning_rate: 0.1, ..Learning::default() };
        DeviceSettings { epochs: 10, batch_size: 8, learning, ..Default::default() }
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

        fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError> {
            let own = request.own;
            let count = |class| own.samples.labels().iter().filter(|label| *label == class).count() as f32;
            let counts = Values::new(vec![own.head.classes.len()], own.head.classes.iter().map(count).collect());
            // A sum that 32 bits cannot hold.
            let exact = Values::of(vec![1], vec![1.0 + f64::EPSILON]);
            Ok([("counts".to_owned(), counts), ("exact".to_owned(), exact)].into_iter().collect())
        }
    }

    #[test]
    fn statistics_travel_with_the_expert() {
        let expert = adapt_from(&central(&Compute::flex()), settings(), &[Arc::new(Counts)]).unwrap();
        let alone = adapt(settings()).unwrap();
        assert_eq!(expert.manifest.digest, alone.manifest.digest, "the model is the same");
        let (bytes, plain) = (expert.to_bytes().unwrap(), alone.to_bytes().unwrap());
        assert!(bytes.len() >= plain.len() + 16, "two numbers of four bytes and one of eight, and their names");
        let back = Expert::from_bytes(&bytes).unwrap();
        assert_eq!(back.statistic("counts").unwrap().get("counts").unwrap().as_f32().unwrap(), [20.0, 20.0]);
        assert_eq!(back.statistic("counts").unwrap().get("exact").unwrap().as_f64().unwrap(), [1.0 + f64::EPSILON]);
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

    /// θ ← θ − ηθ alone, whatever the samples say: ½‖θ‖² with a weight that drowns them.
    #[derive(Debug)]
    struct Shrink;

    impl ParameterTerm for Shrink {
        fn begin(&self, taken: &ModelState, _compute: &Compute) -> Term {
            let known: Vec<_> = taken.weights.iter().map(|(name, _)| name.to_owned()).collect();
            Box::new(move |model| {
                let view = model.view().into_iter().filter(|(name, _)| known.contains(name));
                view.map(|(_, tensor)| tensor.clone().mul(tensor).sum().mul_scalar(500.0)).reduce(|a, b| a + b)
            })
        }
    }

    #[test]
    fn a_device_that_sends_changes_adapts_the_same_model() {
        let whole = adapt(settings()).unwrap();
        let central = central(&Compute::flex());
        let changes = DeviceSettings { sends: ExpertForm::Changes, ..settings() };
        let expert = adapt_from(&central, changes.clone(), &[Arc::new(Counts)]).unwrap();
        assert!(expert.is_difference() && !whole.is_difference());
        assert_eq!(expert.model.weights, whole.model.weights);
        let bytes = expert.to_bytes().unwrap();
        let back = Expert::received(&bytes, &central).unwrap();
        assert_eq!((back.model.weights, back.manifest), (expert.model.weights.clone(), expert.manifest));
        assert!(Expert::from_bytes(&bytes).unwrap_err().to_string().contains("only what changed"));
        // Without steps that move, only the new head is sent: a weight of 8 × 2 and a bias of 2, with four bytes each.
        let still = DeviceSettings { learning: Learning { learning_rate: 0.0, ..Learning::default() }, ..changes };
        let sent = adapt_from(&central, still.clone(), &[]).unwrap().to_bytes().unwrap();
        let header = 8 + u64::from_le_bytes(*sent.first_chunk().unwrap()) as usize;
        assert_eq!(sent.len() - header, 4 * (8 * 2 + 2));
        // From a centre that knows the head, nothing is.
        let mut knows_the_head = central;
        knows_the_head.grow_head(&task().head, 8, Seed::new(2));
        let sent = adapt_from(&knows_the_head, still, &[]).unwrap();
        let bytes = sent.to_bytes().unwrap();
        assert_eq!(bytes.len(), 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize);
        assert_eq!(Expert::received(&bytes, &knows_the_head).unwrap().model.weights, sent.model.weights);
    }

    #[test]
    fn a_term_reaches_what_came_from_the_centre_and_leaves_a_new_head_free() {
        let task = task();
        let taken = hand_out(&central(&Compute::flex()), &task);
        let dataset = TaskDataset { head: &task.head, samples: &task.train };
        let own = OwnTask { name: &task.name, dataset };
        // Each step takes away 0.001 · 1000 = all of a weight, and the gradient of the samples is small.
        let learning = Learning { learning_rate: 0.001, momentum: 0.0, ..Learning::default() };
        let settings = DeviceSettings { learning, ..settings() };
        let adapted = adapt_with(&[Arc::new(Shrink)], &taken, own, &settings, &[], &Compute::flex(), &Silent).unwrap();
        let largest = |weights: Weights| {
            let values = weights.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).map(f32::abs);
            values.fold(0.0, f32::max)
        };
        assert!(largest(adapted.model.backbone_weights()) < 0.01);
        assert!(largest(adapted.model.head_weights(&task.head)) > 0.05);
    }

    #[test]
    fn training_that_diverges_is_an_error_that_says_what_would_help() {
        let learning = Learning { learning_rate: 1e30, momentum: 0.0, ..Learning::default() };
        let error = adapt(DeviceSettings { learning, ..settings() }).unwrap_err().to_string();
        assert!(error.contains("bright") && error.contains("learning_rate"), "{error}");
    }
}
