//! The context of a run, which all its parts share.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use alluvium_config::Experiment;
use alluvium_model::{Digest, DigestBuilder};
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::directory::{RunDirectory, program_digest};
use crate::progress::Observer;
use crate::stored::Stages;

/// The context of a run, which all its parts share.
pub(crate) struct RunContext<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) stages: &'a Stages<'a>,
    pub(crate) observer: &'a dyn Observer,
    /// What the files of the configuration hold.
    pub(crate) inputs: &'a InputDigests,
    /// Where the last central model of each cell is kept, if it is.
    pub(crate) kept: Option<KeptModels<'a>>,
}

/// Where the last central models of a run are kept.
#[derive(Clone, Copy)]
pub(crate) struct KeptModels<'a> {
    pub(crate) directory: &'a RunDirectory,
    /// The label of the variant.
    pub(crate) variant: &'a str,
}

/// What the files that a configuration names hold, read once for a run.
#[derive(Default)]
pub(crate) struct InputDigests {
    /// For each row with surrogate data, what these depend on: their options, the digests of their files, and that of code outside.
    pub(crate) surrogates: BTreeMap<String, Value>,
    /// The digests of files; devices depend on some, too.
    pub(crate) files: FileDigests,
}

impl InputDigests {
    /// Reads the files of surrogate data.
    pub(crate) fn of(experiment: &Experiment) -> Result<Self, ExperimentError> {
        let mut inputs = InputDigests::default();
        for row in &experiment.strategies {
            let Some(surrogate) = experiment.surrogate_of(row) else { continue };
            let options =
                serde_json::to_value(surrogate).map_err(|error| ExperimentError::Record(error.to_string()))?;
            let files = inputs.files.of(&surrogate.files())?;
            let mut depends = json!({"options": options, "files": files});
            if let Some(revision) = surrogate.revision() {
                depends["revision"] = json!(revision);
            }
            inputs.surrogates.insert(row.name.clone(), depends);
        }
        Ok(inputs)
    }
}

/// The inputs that all stages have in common: the program and the backend.
pub(crate) fn common_inputs(experiment: &Experiment) -> Result<Value, ExperimentError> {
    let backend = serde_json::to_value(&experiment.backend.config);
    let backend = backend.map_err(|error| ExperimentError::Record(error.to_string()))?;
    Ok(json!({"program": program_digest(), "backend": backend}))
}

/// Digests of files, each computed once.
#[derive(Default)]
pub(crate) struct FileDigests(Mutex<BTreeMap<PathBuf, Digest>>);

impl FileDigests {
    /// The digests of files, in their order.
    pub(crate) fn of(&self, paths: &[PathBuf]) -> Result<Vec<Digest>, ExperimentError> {
        paths.iter().map(|path| self.one(path)).collect()
    }

    fn one(&self, path: &Path) -> Result<Digest, ExperimentError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known.get(path) {
            return Ok(digest.clone());
        }
        let digest = digest(path).map_err(|cause| ExperimentError::InputFile { path: path.to_owned(), cause })?;
        known.insert(path.to_owned(), digest.clone());
        Ok(digest)
    }
}

/// The digest of a file of any size.
fn digest(path: &Path) -> std::io::Result<Digest> {
    let mut file = File::open(path)?;
    let (mut digest, mut part) = (DigestBuilder::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(digest.finish()),
            count => digest.update(&part[..count]),
        }
    }
}
