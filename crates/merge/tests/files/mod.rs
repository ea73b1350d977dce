//! Small checkpoints, and requests that merge them.

#![allow(dead_code, missing_docs, reason = "each test uses some of it")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use alluvium_merge::{MergeError, MergeModel, MergeOutcome, Request, merge};
use alluvium_model::Seed;
use alluvium_strategy::StrategyConfig;
use burn::tensor::Device;

/// A tensor: its name, its type in the file, its shape, its values.
pub type NamedTensor = (&'static str, Dtype, Vec<usize>, Values);

pub fn floats(name: &'static str, shape: &[usize], values: &[f32]) -> NamedTensor {
    (name, Dtype::F32, shape.to_vec(), Values::Floats(values.to_vec()))
}

/// Writes a checkpoint and opens it.
pub fn checkpoint(path: &Path, tensors: &[NamedTensor], options: &WriteOptions) -> Checkpoint {
    let info = |(name, dtype, shape, _): &NamedTensor| TensorInfo {
        name: (*name).to_owned(),
        dtype: *dtype,
        shape: shape.clone(),
    };
    let mut writer = Writer::create(path, tensors.iter().map(info).collect(), options).unwrap();
    for (name, _, _, values) in tensors {
        writer.write(name, values).unwrap();
    }
    let files = writer.finish().unwrap();
    Checkpoint::open(files.last().unwrap()).unwrap()
}

/// A model that consists of all tensors in its file.
pub fn model<'a>(name: &str, checkpoint: &'a Checkpoint) -> MergeModel<'a> {
    MergeModel { name: name.to_owned(), checkpoint, mapping: None, classifier: None, samples: 1 }
}

/// A folder with a checkpoint for each list of tensors: the previous model first, then the experts.
pub struct Files {
    pub folder: tempfile::TempDir,
    pub checkpoints: Vec<Checkpoint>,
    pub compute: Device,
}

impl Files {
    pub fn new(models: &[Vec<NamedTensor>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |(number, tensors): (usize, &Vec<NamedTensor>)| {
            let path = folder.path().join(format!("model-{number}.safetensors"));
            checkpoint(&path, tensors, &WriteOptions::default())
        };
        let checkpoints = models.iter().enumerate().map(write).collect();
        Files { folder, checkpoints, compute: Device::flex() }
    }

    pub fn output(&self) -> PathBuf {
        self.folder.path().join("out.safetensors")
    }

    /// The models, called `model 0` and so on.
    pub fn models(&self) -> Vec<MergeModel<'_>> {
        let all = self.checkpoints.iter().enumerate();
        all.map(|(number, checkpoint)| model(&format!("model {number}"), checkpoint)).collect()
    }

    /// Merges models, the first of them the previous one.
    pub fn merge_models(
        &self,
        mut models: Vec<MergeModel<'_>>,
        strategy: &dyn StrategyConfig,
        change: impl FnOnce(&mut Request<'_>),
    ) -> Result<MergeOutcome, MergeError> {
        let previous = models.remove(0);
        let output = self.output();
        let mut request = Request {
            previous,
            previous_counts: false,
            experts: models,
            strategy,
            seed: Seed::new(3),
            compute: &self.compute,
            output: Some(&output),
            options: WriteOptions::default(),
            dtype: None,
            progress: &|_| ControlFlow::Continue(()),
        };
        change(&mut request);
        merge(&request)
    }

    pub fn merge(&self, strategy: &dyn StrategyConfig) -> Result<MergeOutcome, MergeError> {
        self.merge_models(self.models(), strategy, |_| {})
    }

    /// The error for models that cannot be merged. Checks that the attempt leaves no files.
    pub fn error(&self, models: Vec<MergeModel<'_>>, strategy: &dyn StrategyConfig) -> String {
        let before = self.names();
        let error = self.merge_models(models, strategy, |_| {}).unwrap_err().to_string();
        assert_eq!(self.names(), before, "nothing is left: {error}");
        error
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn merged(&self) -> Checkpoint {
        Checkpoint::open(self.output()).unwrap()
    }

    /// The values of a tensor of the merged model.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.merged().read(name).unwrap().floats().unwrap().to_vec()
    }
}
