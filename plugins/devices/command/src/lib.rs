//! The devices `command`: an external program adapts the model.
//!
//! The program runs in a folder of its own and is started twice: `PROGRAM ARGUMENTS… describe`, which leaves
//! `description.json`, and `PROGRAM ARGUMENTS… adapt`, which leaves `expert.safetensors` and `expert.json`. Alluvium writes
//! `request.json` into the folder, and `central.safetensors` for the second act. It writes no sample.

mod act;
mod config;
mod files;

use std::collections::BTreeMap;
use std::path::PathBuf;

use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceRun, HandOut, plugin,
};
use alluvium_model::{Expert, HeadShape, Manifest, ModelState, Progress, Weights};
use serde_json::{Value, json};

use act::Act;
pub use config::CommandConfig;
use files::{Description, EXPERT, Report, absolute, found, wrong};

#[plugin(kind = "command")]
impl DeviceConfig for CommandConfig {
    fn files(&self) -> Result<Vec<PathBuf>, DeviceError> {
        let program = found(&self.program).ok_or_else(|| DeviceError::Option {
            option: "program",
            problem: format!("= \"{}\" is not found", self.program),
            accepted: "a file, or a program of the search path".to_owned(),
        })?;
        let mut files = vec![program];
        for source in &self.sources {
            if !PathBuf::from(source).is_file() {
                return Err(DeviceError::Option {
                    option: "sources",
                    problem: format!("names \"{source}\", which is not a file"),
                    accepted: "files, seen from the current folder".to_owned(),
                });
            }
            files.push(absolute(source));
        }
        Ok(files)
    }

    fn check(&self, _run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        self.files().map(drop)
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        Ok(Box::new(Command { config: self.clone(), place, taken: None }))
    }
}

/// A device whose program adapts the model.
#[derive(Debug)]
struct Command<'a> {
    config: CommandConfig,
    place: DevicePlace<'a>,
    /// The model that was taken, and the program that adapts it.
    taken: Option<(HandOut, Act)>,
}

impl Command<'_> {
    fn task(&self) -> &str {
        &self.place.task
    }

    /// What the program is told in both acts.
    fn told(&self) -> Value {
        let classes: Vec<_> =
            self.place.head.classes.iter().filter_map(|one| self.place.class_names.get(*one)).collect();
        let samples = self.config.samples.replace("{device}", &(self.place.device + 1).to_string());
        json!({
            "device": self.place.device + 1,
            "task": self.place.task,
            "classes": classes,
            "head": self.place.head.name,
            "samples": absolute(&samples),
            "settings": self.config.settings,
        })
    }

    /// What the device stated, from a run of the program's first act unless it is known.
    fn announced(&mut self) -> Result<Announcement, DeviceError> {
        if let Some(announced) = &self.place.announced {
            return Ok(announced.clone());
        }
        let mut act = Act::start("describe", &self.config, self.task(), &self.told(), None)?;
        act.wait()?;
        let description: Description = act.read_json(files::DESCRIPTION)?;
        let (task, head) = (self.task(), self.place.head.clone());
        let announced = description.announced(task, head, self.place.class_names)?;
        self.place.announced = Some(announced.clone());
        Ok(announced)
    }

    /// The expert that the program left, checked against its description and its parent.
    fn expert(&self, taken: &HandOut, act: &Act, announced: &Announcement) -> Result<Expert, DeviceError> {
        let bytes = act.read(EXPERT)?;
        let failed = |problem: String, accepted: &str| wrong(self.task(), EXPERT, problem, accepted);
        let format = "a safetensors file of 32-bit numbers, as `safetensors.torch.save_file` writes it";
        let (weights, _) = Weights::from_safetensors(&bytes).map_err(|error| failed(error.to_string(), format))?;
        let head = &self.place.head;
        let own = format!("{}.", head.prefix());
        for (name, tensor) in weights.iter() {
            if !name.starts_with("backbone.") && !name.starts_with(&own) {
                let accepted =
                    format!("`backbone.…` under the names of central.safetensors, {own}weight and {own}bias");
                return Err(failed(format!("has a tensor `{name}`"), &accepted));
            }
            if tensor.as_f32().is_none() {
                return Err(failed(format!("has 64-bit numbers in `{name}`"), format));
            }
        }
        weights.check_finite().map_err(|error| failed(error.to_string(), "finite numbers"))?;
        for (name, shape) in self.head_shapes(taken)? {
            let sent = weights.get(&format!("{own}{name}")).map(|tensor| tensor.shape.clone());
            if sent.as_ref() != Some(&shape) {
                let has = sent.map_or("lacks".to_owned(), |sent| format!("has the shape {sent:?} for"));
                return Err(failed(format!("{has} the tensor `{own}{name}`"), &format!("the shape {shape:?}")));
            }
        }
        let report: Report = act.read_json(files::REPORT)?;
        report.check(self.task(), &taken.parent(), announced, self.place.class_names)?;
        let model = ModelState { heads: vec![head.clone()], weights, ..taken.model.with_heads(|_| false) };
        let manifest = Manifest {
            task: taken.terms.device,
            task_name: self.place.task.clone(),
            samples: report.samples(),
            steps: report.steps,
            parent: taken.parent(),
            digest: model.digest(),
            statistics: BTreeMap::new(),
        };
        Expert::new(model, manifest)
            .map_err(|cause| DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) })
    }

    /// The names and shapes of the head's tensors.
    fn head_shapes(&self, taken: &HandOut) -> Result<Vec<(String, Vec<usize>)>, DeviceError> {
        let model = &taken.model;
        let built = model.backbone.build(model.input, &self.place.compute);
        let built =
            built.map_err(|cause| DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) })?;
        let (latent_size, classes) = (built.latent_size(), self.place.head.classes.len());
        let head = HeadShape { input: model.input, latent_size, classes };
        let initial = model.classifier.initial(head, &mut taken.terms.seed.random());
        Ok(initial.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect())
    }
}

impl Device for Command<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        self.announced()
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        if self.taken.is_some() {
            let (task, problem) = (self.place.task.clone(), "was given a second model before it answered");
            return Err(DeviceError::Order { task, problem });
        }
        let mut request = self.told();
        request["parent"] = json!(model.parent());
        request["seed"] = model.terms.seed.number().into();
        request["visit"] = model.terms.visit.into();
        let bytes = model.model.to_bytes();
        let bytes =
            bytes.map_err(|cause| DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) })?;
        let act = Act::start("adapt", &self.config, self.task(), &request, Some(&bytes))?;
        self.taken = Some((model, act));
        Ok(())
    }

    fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let Some((_, act)) = &mut self.taken else { return Ok(Answer::Never) };
        if !act.is_over()? {
            return Ok(Answer::Later);
        }
        let Some((taken, act)) = self.taken.take() else { return Ok(Answer::Never) };
        let announced = self.announced()?;
        Ok(Answer::Expert(Box::new(self.expert(&taken, &act, &announced)?)))
    }
}

#[cfg(test)]
mod tests;
