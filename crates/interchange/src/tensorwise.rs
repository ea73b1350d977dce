//! Models whose network nobody has to know: tensors of equal names are consolidated with each other, in pieces.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Order, TensorInfo, WriteOptions};
use alluvium_merge::{Model, Request, plan};
use alluvium_model::Seed;
use alluvium_strategy::{ExpertStart, StrategyConfig};
use burn::tensor::Device;
use serde_json::Value;

use crate::provenance::{PROVENANCE, file_name};
use crate::streamed::{merged, progress, said};
use crate::{Destination, InterchangeError, Parent, Provenance, Watcher};

/// Models of one network, whatever it is, that are consolidated tensor by tensor: there is no backbone to build and there
/// are no classes to tell apart. A strategy that works in pieces needs neither, and no memory for a whole model.
///
/// All models have tensors of the same names and shapes. Floats are consolidated; tensors of integers are the last expert's.
#[derive(Debug)]
pub struct Tensorwise {
    previous: Opened,
    /// Whether the previous model is only what the experts started from: θ₀ of the task vectors. If not, it counts as the
    /// first expert.
    initial_only: bool,
    experts: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    checkpoint: Checkpoint,
}

impl Tensorwise {
    /// Opens a previous model and experts, in the order in which they are consolidated. No values are read.
    ///
    /// # Errors
    /// When a file cannot be read as a model.
    pub fn open(previous: &Path, initial_only: bool, experts: &[PathBuf]) -> Result<Self, InterchangeError> {
        let open = |path: &Path| Ok(Opened { path: path.to_owned(), checkpoint: Checkpoint::open(path)? });
        let opened: Result<_, InterchangeError> = experts.iter().map(|path| open(path)).collect();
        Ok(Tensorwise { previous: open(previous)?, initial_only, experts: opened? })
    }

    /// All files that are read.
    pub fn files(&self) -> Vec<PathBuf> {
        [&self.previous].into_iter().chain(&self.experts).flat_map(|model| model.checkpoint.files()).collect()
    }

    /// The tensors that would be written, sorted by name. Checks everything but values.
    ///
    /// # Errors
    /// When the strategy, known by its kind, needs more than pieces, or a tensor of a model does not go with the others.
    pub fn plan(
        &self,
        strategy: (&str, &dyn StrategyConfig),
        compute: &Device,
    ) -> Result<Vec<TensorInfo>, InterchangeError> {
        let (kind, config) = strategy;
        if config.piecewise().is_none() {
            return Err(InterchangeError::Request(format!(
                "the strategy \"{kind}\" needs the whole network, which is not known tensor by tensor; accepted: a strategy \
                 that works in pieces, such as weight-averaging, or no --tensorwise"
            )));
        }
        plan(&self.request(config, compute)).map_err(|error| said(kind, error))
    }

    /// Consolidates, and writes what comes out under the previous model's names, in its types. `version` and `backend` (a
    /// table) go into its provenance.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); when a value is not finite (the message names the tensor), and when a file cannot be read or
    /// written. Nothing is written then.
    pub fn carry_out(
        &self,
        strategy: (&str, &dyn StrategyConfig),
        seed: u64,
        to: &Destination,
        (version, backend): (&str, Value),
        compute: &Device,
        watcher: &dyn Watcher,
    ) -> Result<Vec<PathBuf>, InterchangeError> {
        self.plan(strategy, compute)?;
        let (kind, config) = strategy;
        let provenance = Provenance {
            version: version.to_owned(),
            strategy: self.strategy_table(config),
            surrogate: None,
            seed,
            backend,
            previous: self.previous.as_parent(self.initial_only)?,
            experts: self.experts.iter().map(|expert| expert.as_parent(false)).collect::<Result<_, _>>()?,
        };
        let metadata = [("format".to_owned(), "pt".to_owned()), (PROVENANCE.to_owned(), provenance.to_text())];
        let options = WriteOptions {
            metadata: metadata.into(),
            order: Order::Given,
            shard_bytes: to.shard_bytes,
            inputs: to.inputs.clone(),
        };
        let progress = progress(watcher);
        let request = Request {
            seed: Seed::new(seed),
            output: &to.path,
            options,
            progress: &progress,
            ..self.request(config, compute)
        };
        merged(kind, &request, watcher)
    }

    /// A strategy's table with all options, those too that were left open and follow from what the experts started from.
    pub fn strategy_table(&self, strategy: &dyn StrategyConfig) -> Value {
        let start = if self.initial_only { ExpertStart::Common } else { ExpertStart::Previous };
        let completed = strategy.completed(start);
        serde_json::to_value(completed.as_deref().unwrap_or(strategy)).unwrap_or_default()
    }

    /// What is consolidated, and nothing of where it goes.
    fn request<'a>(&'a self, strategy: &'a dyn StrategyConfig, compute: &'a Device) -> Request<'a> {
        Request {
            previous: self.previous.as_model(),
            previous_counts: !self.initial_only,
            experts: self.experts.iter().map(Opened::as_model).collect(),
            strategy,
            seed: Seed::new(0),
            compute,
            output: Path::new(""),
            options: WriteOptions::default(),
            dtype: None,
            progress: &|_| ControlFlow::Continue(()),
        }
    }
}

impl Opened {
    fn as_model(&self) -> Model<'_> {
        let name = self.path.display().to_string();
        // Nobody knows how many samples there were: all experts count alike.
        Model { name, checkpoint: &self.checkpoint, mapping: None, classifier: None, samples: 1 }
    }

    fn as_parent(&self, initial_only: bool) -> Result<Parent, InterchangeError> {
        let provenance = Provenance::read(self.checkpoint.metadata());
        let provenance = provenance.map_err(|problem| InterchangeError::file(&self.path, problem))?;
        Ok(Parent {
            file: file_name(&self.path),
            digest: self.checkpoint.digest()?,
            initial_only,
            provenance: provenance.map(Box::new),
            older_left_out: false,
        })
    }
}
