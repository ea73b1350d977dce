//! The files that a program leaves, and where programs are found.

use std::path::{Path, PathBuf};

use alluvium_device::{Announcement, DeviceError};
use alluvium_model::{Digest, HeadSpec};
use serde::Deserialize;

pub(crate) const REQUEST: &str = "request.json";
pub(crate) const CENTRAL: &str = "central.safetensors";
pub(crate) const DESCRIPTION: &str = "description.json";
pub(crate) const EXPERT: &str = "expert.safetensors";
pub(crate) const REPORT: &str = "expert.json";

/// What the program states about the device's task: `description.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Description {
    task: String,
    classes: Vec<String>,
    samples: usize,
    digest: String,
}

/// What the program states about its expert: `expert.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    description: Description,
    parent: Digest,
    #[serde(default)]
    pub(crate) steps: usize,
}

impl Description {
    /// The same as a statement to the centre, about a task with this head.
    pub(crate) fn announced(&self, task: &str, head: HeadSpec, names: &[String]) -> Result<Announcement, DeviceError> {
        let number = |class: &String| {
            names.iter().position(|name| name == class).ok_or_else(|| {
                let accepted = format!("classes of the stream: {}", names.join(", "));
                wrong(task, DESCRIPTION, format!("names the class \"{class}\""), &accepted)
            })
        };
        let classes = self.classes.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        if classes != head.classes {
            let own = head.classes.iter().filter_map(|class| names.get(*class).cloned());
            let accepted = format!("those of the task, in their order: {}", own.collect::<Vec<_>>().join(", "));
            return Err(wrong(task, DESCRIPTION, format!("names the classes {}", self.classes.join(", ")), &accepted));
        }
        let digest = Digest::of(self.digest.as_bytes());
        Ok(Announcement { task: self.task.clone(), head, samples: Some(self.samples), digest })
    }
}

impl Report {
    /// The number of samples.
    pub(crate) fn samples(&self) -> usize {
        self.description.samples
    }

    /// Checks that the report names its parent and repeats what the device stated. `names` are the classes of the stream.
    pub(crate) fn check(
        &self,
        task: &str,
        parent: &Digest,
        announced: &Announcement,
        names: &[String],
    ) -> Result<(), DeviceError> {
        let refuse = |key: &str, own: &str, accepted: String| {
            Err(wrong(task, REPORT, format!("states the {key} {own}"), &format!("{accepted}, as in {DESCRIPTION}")))
        };
        if self.parent != *parent {
            let accepted = format!("the `parent` of {REQUEST}, {parent}");
            return Err(wrong(task, REPORT, format!("states the parent {}", self.parent), &accepted));
        }
        let Description { task: own, classes, samples, digest } = &self.description;
        if *own != announced.task {
            return refuse("task", own, announced.task.clone());
        }
        let stated: Vec<_> = announced.head.classes.iter().filter_map(|class| names.get(*class).cloned()).collect();
        if *classes != stated {
            return refuse("classes", &classes.join(", "), stated.join(", "));
        }
        if let Some(stated) = announced.samples.filter(|stated| stated != samples) {
            return refuse("samples", &samples.to_string(), stated.to_string());
        }
        if Digest::of(digest.as_bytes()) != announced.digest {
            return refuse("digest", digest, "the same digest".to_owned());
        }
        Ok(())
    }
}

/// An error about a file that the program left.
pub(crate) fn wrong(task: &str, file: &str, problem: String, accepted: &str) -> DeviceError {
    DeviceError::File { task: task.to_owned(), file: file.to_owned(), problem, accepted: accepted.to_owned() }
}

/// The absolute form of a path, which need not exist.
pub(crate) fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// The file of a program: a path, or the first file of this name in the search path.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.contains(std::path::MAIN_SEPARATOR) || program.contains('/') {
        return Some(absolute(program)).filter(|path| path.is_file());
    }
    let folders = std::env::var_os("PATH")?;
    let named = |folder: PathBuf| {
        let file = folder.join(program);
        [file.clone(), file.with_extension("exe")].into_iter().find(|file| Path::is_file(file))
    };
    std::env::split_paths(&folders).find_map(named)
}
