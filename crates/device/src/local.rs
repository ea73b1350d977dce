//! A device in this process: what kinds of devices that train on the stream's samples have in common.

use std::sync::{Arc, OnceLock};

use alluvium_model::Progress;
use alluvium_stream::{Task, TaskDataset};

use crate::{
    Announcement, Answer, Device, DeviceError, DevicePlace, DeviceSettings, HandOut, OwnTask, ParameterTerm,
    TakenModel, adapt_with,
};

/// A device that learns its task of the stream in this process. It reads its training samples when it first needs them. They are
/// private: no method returns them.
#[derive(Debug)]
pub struct LocalDevice<'a> {
    settings: DeviceSettings,
    terms: Vec<Arc<dyn ParameterTerm>>,
    place: DevicePlace<'a>,
    task: OnceLock<Task>,
    taken: TakenModel,
}

impl<'a> LocalDevice<'a> {
    /// A device at a place of the stream, which has read no samples yet.
    pub fn new(place: DevicePlace<'a>, settings: DeviceSettings) -> Self {
        LocalDevice { settings, terms: vec![], place, task: OnceLock::new(), taken: TakenModel::default() }
    }

    /// The device with another term on the parameters in its loss.
    pub fn with_term(mut self, term: Arc<dyn ParameterTerm>) -> Self {
        self.terms.push(term);
        self
    }

    fn task(&self) -> Result<&Task, DeviceError> {
        if let Some(task) = self.task.get() {
            return Ok(task);
        }
        let task = self.place.stream.task(self.place.device);
        let task =
            task.map_err(|cause| DeviceError::Samples { task: self.place.task.clone(), cause: Box::new(cause) })?;
        Ok(self.task.get_or_init(|| task))
    }
}

impl Device for LocalDevice<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        let task = self.task()?;
        let digest = task.training_digest();
        let digest =
            digest.map_err(|cause| DeviceError::Samples { task: task.name.clone(), cause: Box::new(cause) })?;
        Ok(Announcement { task: task.name.clone(), head: task.head.clone(), samples: Some(task.train.len()), digest })
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.taken.take(&self.place.task, model)
    }

    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let taken = self.taken.answer(&self.place.task)?;
        let task = self.task()?;
        let own = OwnTask { name: &task.name, dataset: TaskDataset { head: &task.head, samples: &task.train } };
        let (settings, place) = (&self.settings, &self.place);
        let expert = adapt_with(&self.terms, &taken, own, settings, &place.statistics, &place.compute, progress)?;
        Ok(Answer::Expert(Box::new(expert)))
    }
}
