//! The devices `in-process`: each trains on its task of the stream, in the process that runs the comparison.
//!
//! A device reads the training samples of its own task when it first needs them, and gives none of them out.

use std::sync::OnceLock;

use alluvium_device::registry::{Family, describe};
use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, HandOut, OwnTask,
    TaskDataset, adapt, typetag,
};
use alluvium_model::Progress;
use alluvium_stream::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Devices in this process. Each trains on the training samples of its task of the stream, with stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct InProcessConfig {
    /// How every device trains.
    pub settings: DeviceSettings,
}

describe!(Family::Device, "in-process", InProcessConfig, paper: "arXiv 2303.15888, section 3", default);

#[typetag::serde(name = "in-process")]
impl DeviceConfig for InProcessConfig {
    fn training(&self) -> Option<&DeviceSettings> {
        Some(&self.settings)
    }

    fn with_training(&self, settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        Some(Box::new(InProcessConfig { settings }))
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        Ok(Box::new(InProcess { settings: self.settings.clone(), place, task: OnceLock::new(), taken: None }))
    }
}

/// A device in this process. Its samples are private: no method returns them.
#[derive(Debug)]
struct InProcess<'a> {
    settings: DeviceSettings,
    place: DevicePlace<'a>,
    task: OnceLock<Task>,
    taken: Option<HandOut>,
}

impl InProcess<'_> {
    fn task(&self) -> Result<&Task, DeviceError> {
        if let Some(task) = self.task.get() {
            return Ok(task);
        }
        let task = self.place.stream.task(self.place.device);
        let task = task.map_err(|cause| DeviceError::Samples { task: self.place.task.clone(), cause })?;
        Ok(self.task.get_or_init(|| task))
    }

    fn out_of_order(&self, problem: &'static str) -> DeviceError {
        DeviceError::Order { task: self.place.task.clone(), problem }
    }
}

impl Device for InProcess<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        let task = self.task()?;
        let digest = task.training_digest();
        let digest = digest.map_err(|cause| DeviceError::Samples { task: task.name.clone(), cause })?;
        Ok(Announcement { task: task.name.clone(), head: task.head.clone(), samples: Some(task.train.len()), digest })
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        if self.taken.is_some() {
            return Err(self.out_of_order("was given a second model before it answered"));
        }
        self.taken = Some(model);
        Ok(())
    }

    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let Some(taken) = self.taken.take() else { return Err(self.out_of_order("has no model to answer for")) };
        let task = self.task()?;
        let own = OwnTask { name: &task.name, dataset: TaskDataset { head: &task.head, samples: &task.train } };
        let expert = adapt(&taken, own, &self.settings, &self.place.statistics, &self.place.compute, progress)?;
        Ok(Answer::Expert(Box::new(expert)))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_device::conformance::{check_config, check_kind};

    use super::*;

    #[test]
    fn conforms() {
        check_kind("in-process");
        check_config(&InProcessConfig { settings: DeviceSettings { epochs: 1, batch_size: 7, ..Default::default() } });
    }

    #[test]
    fn it_is_what_a_table_without_a_kind_means() {
        assert_eq!(alluvium_device::registry::default_kind(Family::Device), Some("in-process"));
    }
}
