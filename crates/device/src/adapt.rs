//! The device and its two contacts with the centre.

use alluvium_model::{Expert, HeadSpec, Manifest, Model, ModelError, ModelState, Progress, Seed};
use alluvium_stream::{Samples, Task};
use burn::tensor::Device as Compute;

use crate::{DeviceSettings, Lesson, train};

/// A device that cannot adapt the model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeviceError {
    /// The central model cannot be run, or the adapted one cannot be sent.
    #[error("the device of task \"{task}\": {cause}")]
    Model {
        /// The device's task.
        task: String,
        /// What is wrong with the model.
        cause: ModelError,
    },
    /// Training diverged.
    #[error(
        "the device of task \"{task}\": training diverged ({cause}); a smaller `learning_rate` or a `gradient_clip` \
         under [device] would help"
    )]
    Diverged {
        /// The device's task.
        task: String,
        /// The tensor that is not finite.
        cause: ModelError,
    },
}

/// A participant of the stream, wherever it runs.
pub trait Device {
    /// First contact: takes the central model. Second contact: gives the adapted one.
    ///
    /// # Errors
    /// When the model cannot be run or training diverges.
    fn adapt(&self, central: &ModelState, seed: Seed, progress: &dyn Progress) -> Result<Expert, DeviceError>;
}

/// A device in this process. Its samples are its own: nothing gives them out.
#[derive(Debug, Clone)]
pub struct InProcessDevice {
    index: usize,
    name: String,
    head: HeadSpec,
    samples: Samples,
    settings: DeviceSettings,
    compute: Compute,
}

impl InProcessDevice {
    /// A device that learns the training samples of a task on a compute device.
    pub fn new(task: &Task, settings: DeviceSettings, compute: &Compute) -> Self {
        InProcessDevice {
            index: task.index,
            name: task.name.clone(),
            head: task.head.clone(),
            samples: task.train.clone(),
            settings,
            compute: compute.clone(),
        }
    }
}

impl Device for InProcessDevice {
    fn adapt(&self, central: &ModelState, seed: Seed, progress: &dyn Progress) -> Result<Expert, DeviceError> {
        let broken = |cause| DeviceError::Model { task: self.name.clone(), cause };
        // Self-centred: the heads of other tasks stay behind. A head that this task shares is taken over.
        let mut own = central.with_heads(|head| head.name == self.head.name);
        let learning = self.compute.clone().autodiff();
        let latent_size = own.backbone.build(own.input, &learning).map_err(broken)?.latent_size();
        own.grow_head(&self.head, latent_size, seed);
        let mut model = Model::load(&own, &learning).map_err(broken)?;

        let lesson = Lesson { head: &self.head, samples: &self.samples };
        let steps = train(&mut model, &[lesson], &self.settings, &learning, seed, progress);

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
        };
        Expert::new(adapted, manifest).map_err(broken)
    }
}
