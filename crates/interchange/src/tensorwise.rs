//! Models whose network nobody has to know: tensors of equal names are consolidated with each other, in pieces.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_checkpoint::{Adapter, Checkpoint, Order, StateDictKey, TensorInfo, WriteOptions};
use alluvium_merge::{MergeModel, Request, plan};
use alluvium_model::Seed;
use alluvium_strategy::{ExpertStart, StrategyConfig};
use burn::tensor::Device;
use serde_json::Value;

use crate::provenance::{PROVENANCE, file_name, key_of, taken};
use crate::streamed::{merged, progress, said};
use crate::{Destination, InterchangeError, Parent, Provenance, Watcher};

/// Models of one network, whatever it is, that are consolidated tensor by tensor: there is no backbone to build and there
/// are no classes to tell apart. A strategy that works in pieces needs neither, and no memory for a whole model.
///
/// All models have tensors of the same names and shapes. Floats are consolidated; tensors of integers are the last expert's.
///
/// Low-rank adapters are consolidated as what they stand for, never factor by factor. Into a whole model, each adapter is that
/// model with its updates added, and a whole model comes out. Into an adapter, all are updates `scale · B·A`, and updates come out.
#[derive(Debug)]
pub struct Tensorwise {
    previous: TensorwiseModel,
    /// Whether the previous model is only what the experts started from: θ₀ of the task vectors. If not, it counts as the
    /// first expert.
    initial_only: bool,
    experts: Vec<TensorwiseModel>,
}

#[derive(Debug)]
struct TensorwiseModel {
    path: PathBuf,
    /// The file as it is.
    checkpoint: Arc<Checkpoint>,
    adapter: Option<Adapter>,
    /// What the strategy is given.
    seen: Arc<Checkpoint>,
}

/// The key of the metadata of a file whose tensors are updates.
const UPDATES: &str = "alluvium.updates";
const HOW_TO_ADD: &str =
    "these tensors are updates and no weights: add each one to the base model's tensor of that name";

impl Tensorwise {
    /// Opens a previous model and experts, in the order in which they are consolidated. No values are read.
    ///
    /// # Errors
    /// When a file cannot be read as a model.
    pub fn open(previous: &Path, initial_only: bool, experts: &[PathBuf]) -> Result<Self, InterchangeError> {
        Self::open_state_dicts(previous, initial_only, experts, &|_| None)
    }

    /// As [`open`](Self::open), with the state dict that is wanted of each file.
    ///
    /// # Errors
    /// As [`open`](Self::open); when a file has no such state dict; and when an adapter cannot be read as the updates that it
    /// stands for, or does not fit the model that it is consolidated into.
    pub fn open_state_dicts(
        previous: &Path,
        initial_only: bool,
        experts: &[PathBuf],
        wanted: &dyn Fn(&Path) -> Option<StateDictKey>,
    ) -> Result<Self, InterchangeError> {
        let mut previous = TensorwiseModel::of(previous, wanted(previous))?;
        let open = |path: &PathBuf| TensorwiseModel::of(path, wanted(path));
        let mut experts = experts.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let into_adapter = previous.adapter.is_some();
        if let Some(adapter) = &previous.adapter {
            previous.seen = Arc::new(adapter.updates()?);
        }
        for expert in &mut experts {
            expert.seen = match (&expert.adapter, into_adapter) {
                (None, false) => continue,
                (Some(adapter), false) => Arc::new(adapter.added_to(&previous.checkpoint)?),
                (Some(adapter), true) => Arc::new(adapter.updates()?),
                (None, true) => {
                    let problem = format!(
                        "is a whole model, but {} is a low-rank adapter; accepted: adapters only, or the base model as --previous",
                        previous.path.display()
                    );
                    return Err(InterchangeError::file(&expert.path, problem));
                }
            };
        }
        Ok(Tensorwise { previous, initial_only, experts })
    }

    /// What there is to know of the files and of what is written, in sentences for people.
    pub fn notes(&self) -> Vec<String> {
        let all = || [&self.previous].into_iter().chain(&self.experts);
        let taken = |model: &TensorwiseModel| taken(&model.path, &model.checkpoint);
        let mut notes: Vec<_> = all().filter_map(taken).collect();
        let adapters = all().filter(|model| model.adapter.is_some()).count();
        match (adapters, self.previous.adapter.is_some()) {
            (0, _) => {}
            (_, false) => notes.push("each adapter is the previous model with its updates scale·B·A added".to_owned()),
            (_, true) => notes.push(format!("each adapter is its updates scale·B·A; {HOW_TO_ADD}")),
        }
        notes
    }

    /// The files, opened, in their order.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        [&self.previous].into_iter().chain(&self.experts).map(|model| &*model.checkpoint)
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
        let mut metadata =
            BTreeMap::from([("format".to_owned(), "pt".to_owned()), (PROVENANCE.to_owned(), provenance.to_text())]);
        if self.previous.adapter.is_some() {
            metadata.insert(UPDATES.to_owned(), HOW_TO_ADD.to_owned());
        }
        let options =
            WriteOptions { metadata, order: Order::Given, shard_bytes: to.shard_bytes, inputs: to.inputs.clone() };
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
            experts: self.experts.iter().map(TensorwiseModel::as_model).collect(),
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

impl TensorwiseModel {
    fn of(path: &Path, wanted: Option<StateDictKey>) -> Result<Self, InterchangeError> {
        let checkpoint = Arc::new(Checkpoint::open_state_dict(path, wanted.as_ref())?);
        let adapter = Adapter::of(&checkpoint)?;
        Ok(TensorwiseModel { path: path.to_owned(), seen: checkpoint.clone(), checkpoint, adapter })
    }

    fn as_model(&self) -> MergeModel<'_> {
        let name = self.path.display().to_string();
        // Nobody knows how many samples there were: all experts count alike.
        MergeModel { name, checkpoint: &self.seen, mapping: None, classifier: None, samples: 1 }
    }

    fn as_parent(&self, initial_only: bool) -> Result<Parent, InterchangeError> {
        let provenance = Provenance::read(self.checkpoint.metadata());
        let provenance = provenance.map_err(|problem| InterchangeError::file(&self.path, problem))?;
        Ok(Parent {
            file: file_name(&self.path),
            digest: self.checkpoint.digest()?,
            state_dict: key_of(&self.checkpoint),
            initial_only,
            provenance: provenance.map(Box::new),
            older_left_out: false,
        })
    }
}
