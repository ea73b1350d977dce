//! The devices `checkpoints`: experts that exist already, one model file a device. Nothing is trained.

mod snapshots;

use std::path::PathBuf;

use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceRun, DeviceStart, DeviceTask, HandOut,
    options, plugin,
};
use alluvium_interchange::{InterchangeError, ModelFile, Names, Reading};
use alluvium_model::{Digest, Expert, Manifest, ModelError, Progress, is_default_classifier};
use burn::tensor::Device as Compute;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use snapshots::newest;

/// Experts that exist already: one model file a device, of PyTorch or of Alluvium. Nothing is trained, so one command compares
/// strategies over models that a user has.
///
/// The experts were trained from the model of the `[initial]` table, which every device takes. Each defines its task by the
/// names of its classes; the stream only gives test samples of these classes. The seed decides the order of arrival.
#[options]
#[derive(PartialEq)]
pub struct CheckpointsConfig {
    /// The experts, one a device; at least one.
    #[schemars(length(max = 10_000))]
    pub experts: Vec<ExistingExpert>,
}

/// One expert that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingExpert {
    /// The model file: safetensors, several with their index, a file by `torch.save`, or a folder with one of these. Of a folder
    /// with several snapshots, the last one by name is taken; numbers in names count as numbers.
    pub file: String,
    /// The names of the classes of the classifier's rows, in their order. Each must be a class of the stream.
    #[schemars(length(min = 1, max = 100_000))]
    pub classes: Vec<String>,
    /// The name of the task, for people. Default: the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The table of names from the file's tensors to ours, as in `alluvium consolidate --names`: a file that ends in `.toml`, or
    /// the kind of a built-in table. Default: the one that the file states, or the first built-in table that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// The number of training samples, for strategies that weight experts by it. Default: unknown, and all weights are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub samples: Option<usize>,
}

impl ExistingExpert {
    fn task(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.classes.join(", "))
    }

    /// Opens the file and checks it against the experiment.
    fn open(&self, run: &DeviceRun<'_>) -> Result<ModelFile, DeviceError> {
        let backbone = Some(run.backbone.clone());
        let file = self.read(backbone, run.input, run.compute).map_err(|error| self.wrong(&error))?;
        file.check_expert(run.class_names).map_err(|error| self.wrong(&error))?;
        Ok(file)
    }

    fn read(
        &self,
        backbone: Option<std::sync::Arc<dyn alluvium_model::BackboneConfig>>,
        input: alluvium_model::InputShape,
        compute: &Compute,
    ) -> Result<ModelFile, InterchangeError> {
        let names = Names::of_option(self.names.as_deref())?;
        let classes = Some(self.classes.clone());
        let reading = Reading { names, backbone, input: Some(input), classes, ..Reading::default() };
        ModelFile::open(&newest(&self.path()), &reading, compute)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(&self.file)
    }

    /// The message already names the file, and says what is accepted.
    fn wrong(&self, error: &InterchangeError) -> DeviceError {
        DeviceError::Expert { task: self.task(), problem: error.to_string() }
    }
}

#[plugin(kind = "checkpoints")]
impl DeviceConfig for CheckpointsConfig {
    fn start(&self) -> DeviceStart {
        DeviceStart::Initial
    }

    fn tasks(&self) -> Option<Vec<DeviceTask>> {
        let task = |expert: &ExistingExpert| DeviceTask { name: expert.task(), classes: expert.classes.clone() };
        Some(self.experts.iter().map(task).collect())
    }

    fn check(&self, run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        if !is_default_classifier(run.classifier) {
            return Err(DeviceError::Option {
                option: "kind",
                problem: format!(
                    "= \"checkpoints\" has linear heads, but the classifier of the experiment is \"{}\"",
                    run.classifier.typetag_name()
                ),
                accepted: "no [classifier] table, or the default one".to_owned(),
            });
        }
        if self.experts.is_empty() {
            return Err(DeviceError::Option {
                option: "experts",
                problem: "names no expert".to_owned(),
                accepted: "a table [[device.experts]] with `file` and `classes` for each device".to_owned(),
            });
        }
        for (index, expert) in self.experts.iter().enumerate() {
            if self.experts[..index].iter().any(|other| other.task() == expert.task()) {
                return Err(DeviceError::Option {
                    option: "experts",
                    problem: format!("has two experts of the task \"{}\"", expert.task()),
                    accepted: "a `name` for each that no other expert has".to_owned(),
                });
            }
            expert.open(run)?;
        }
        Ok(())
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        match self.experts.get(place.entry) {
            Some(expert) => Ok(Box::new(Existing { expert: expert.clone(), place, taken: None })),
            None => Err(DeviceError::Option {
                option: "experts",
                problem: format!(
                    "has {} experts, but the device {} was asked for",
                    self.experts.len(),
                    place.entry + 1
                ),
                accepted: "an expert for each device".to_owned(),
            }),
        }
    }
}

/// A device whose expert exists.
#[derive(Debug)]
struct Existing<'a> {
    expert: ExistingExpert,
    place: DevicePlace<'a>,
    taken: Option<HandOut>,
}

impl Existing<'_> {
    fn file(&self) -> Result<ModelFile, DeviceError> {
        let file = self.expert.read(Some(self.place.backbone.clone()), self.place.input, &self.place.compute);
        file.map_err(|error| self.expert.wrong(&error))
    }

    fn model(&self, cause: ModelError) -> DeviceError {
        DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) }
    }
}

impl Device for Existing<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        let digest = self.file()?.digest().map_err(|error| self.expert.wrong(&error))?;
        let (task, head) = (self.place.task.clone(), self.place.head.clone());
        Ok(Announcement { task, head, samples: self.expert.samples, digest: Digest::of(digest.as_bytes()) })
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.taken = Some(model);
        Ok(())
    }

    fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let Some(taken) = self.taken.take() else { return Ok(Answer::Never) };
        let model = self.file()?.expert(&self.place.head.name, self.place.class_names);
        let model = model.map_err(|error| self.expert.wrong(&error))?;
        let manifest = Manifest {
            task: taken.terms.device,
            task_name: self.place.task.clone(),
            samples: self.expert.samples.unwrap_or(1),
            steps: 0,
            parent: taken.parent(),
            digest: model.digest(),
            statistics: Default::default(),
        };
        let expert = Expert::new(model, manifest).map_err(|cause| self.model(cause))?;
        Ok(Answer::Expert(Box::new(expert)))
    }
}

#[cfg(test)]
mod tests;
