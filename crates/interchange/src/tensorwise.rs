//! Consolidates models of unknown networks: tensors with equal names are consolidated with each other, in pieces.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_checkpoint::{Adapter, Checkpoint, Order, StateDictKey, TensorInfo, Values, WriteOptions};
use alluvium_merge::{MergeModel, Request, plan};
use alluvium_model::{Numbers, Seed};
use alluvium_strategy::{ExpertStart, RunDescription, StrategyConfig};
use burn::tensor::Device;
use serde_json::Value;

use crate::merge_request::{merged, progress, said};
use crate::own_model::{check_variances, is_variance};
use crate::provenance::{PROVENANCE, file_name, key_of, taken};
use crate::{Destination, InterchangeError, Parent, Provenance, Watcher};

/// Models of one network that are consolidated tensor by tensor. The network need not be known: no backbone is built,
/// and classes are not matched. A strategy that works in pieces needs neither, nor memory for a whole model.
///
/// All models have tensors of the same names and shapes. Floats are consolidated. Integer tensors are copied from the
/// last expert.
///
/// Low-rank adapters are consolidated as the updates `scale · B·A`, never factor by factor. If the previous model is a
/// whole model, each adapter counts as that model with its updates added, and the result is a whole model. If it is an
/// adapter, all models must be adapters, and the result is updates.
#[derive(Debug)]
pub struct Tensorwise {
    previous: TensorwiseModel,
    /// Whether the previous model is only the start of the experts: θ₀ of the task vectors. If not, it counts as the
    /// first expert.
    initial_only: bool,
    experts: Vec<TensorwiseModel>,
}

#[derive(Debug)]
struct TensorwiseModel {
    path: PathBuf,
    /// The checkpoint as it is in the file.
    checkpoint: Arc<Checkpoint>,
    adapter: Option<Adapter>,
    /// The checkpoint that the strategy gets.
    seen: Arc<Checkpoint>,
}

/// The metadata key of a file whose tensors are updates.
const UPDATES: &str = "alluvium.updates";
const HOW_TO_ADD: &str =
    "these tensors are updates, not weights: add each one to the base model's tensor of the same name";

impl Tensorwise {
    /// Opens a previous model and experts, in the order in which they are consolidated. No values are read.
    ///
    /// # Errors
    /// When a file cannot be read as a model.
    pub fn open(previous: &Path, initial_only: bool, experts: &[PathBuf]) -> Result<Self, InterchangeError> {
        Self::open_state_dicts(previous, initial_only, experts, &|_| None)
    }

    /// Like [`open`](Self::open), with the state dict to read from each file.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); when a file has no such state dict; and when the updates of an adapter cannot be
    /// computed, or do not fit the model that it is consolidated into.
    pub fn open_state_dicts(
        previous: &Path,
        initial_only: bool,
        experts: &[PathBuf],
        wanted: &dyn Fn(&Path) -> Option<StateDictKey>,
    ) -> Result<Self, InterchangeError> {
        let open = |path: &Path| Ok((path.to_owned(), Checkpoint::open_state_dict(path, wanted(path).as_ref())?));
        let experts = experts.iter().map(|path| open(path)).collect::<Result<Vec<_>, InterchangeError>>()?;
        Self::of(open(previous)?, initial_only, experts)
    }

    /// Takes open checkpoints, each with the path or the name that messages use.
    ///
    /// # Errors
    /// Those of [`open_state_dicts`](Self::open_state_dicts).
    pub fn of(
        previous: (PathBuf, Checkpoint),
        initial_only: bool,
        experts: Vec<(PathBuf, Checkpoint)>,
    ) -> Result<Self, InterchangeError> {
        let mut previous = TensorwiseModel::of(previous)?;
        let mut experts = experts.into_iter().map(TensorwiseModel::of).collect::<Result<Vec<_>, _>>()?;
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

    /// Notes on the files and the result, as sentences for people.
    pub fn notes(&self) -> Vec<String> {
        let all = || [&self.previous].into_iter().chain(&self.experts);
        let taken = |model: &TensorwiseModel| taken(&model.path, &model.checkpoint);
        let mut notes: Vec<_> = all().filter_map(taken).collect();
        let adapters = all().filter(|model| model.adapter.is_some()).count();
        match (adapters, self.previous.adapter.is_some()) {
            (0, _) => {}
            (_, false) => {
                notes.push("each adapter counts as the previous model with its updates scale·B·A added".to_owned())
            }
            (_, true) => notes.push(format!("each adapter counts as its updates scale·B·A; {HOW_TO_ADD}")),
        }
        notes
    }

    /// The open files, in their order.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        [&self.previous].into_iter().chain(&self.experts).map(|model| &*model.checkpoint)
    }

    /// All files that are read.
    pub fn files(&self) -> Vec<PathBuf> {
        [&self.previous].into_iter().chain(&self.experts).flat_map(|model| model.checkpoint.files()).collect()
    }

    /// The tensors that would be written, sorted by name. Checks everything except values.
    ///
    /// # Errors
    /// When the strategy needs more than pieces (the message has its kind), or a tensor of a model does not match the
    /// others.
    pub fn plan(
        &self,
        strategy: (&str, &dyn StrategyConfig),
        compute: &Device,
    ) -> Result<Vec<TensorInfo>, InterchangeError> {
        let (kind, config) = strategy;
        if config.piecewise(&self.request(config, compute).run_description()).is_none() {
            return Err(InterchangeError::Request(format!(
                "the strategy \"{kind}\" needs the whole network, which --tensorwise does not build; accepted: a strategy that \
                 works in pieces, such as weight-averaging, or leave out --tensorwise"
            )));
        }
        plan(&self.request(config, compute)).map_err(|error| said(kind, error))
    }

    /// Consolidates, and writes the result with the previous model's names and types. `version` and `backend` (a table)
    /// are recorded in its provenance.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); when a value is not finite or a running variance is negative (the message names the tensor), and when a file cannot
    /// be read or written. Nothing is written then.
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
        self.check_variances()?;
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
            output: Some(&to.path),
            options,
            progress: &progress,
            ..self.request(config, compute)
        };
        Ok(merged(kind, &request, watcher)?.files)
    }

    /// Like [`carry_out`](Self::carry_out), without a file: returns the bytes of a safetensors file without metadata.
    ///
    /// # Errors
    /// Those of [`carry_out`](Self::carry_out), except that no file is written.
    pub fn carry_out_in_memory(
        &self,
        strategy: (&str, &dyn StrategyConfig),
        seed: u64,
        compute: &Device,
        watcher: &dyn Watcher,
    ) -> Result<Vec<u8>, InterchangeError> {
        self.plan(strategy, compute)?;
        self.check_variances()?;
        let (kind, config) = strategy;
        let progress = progress(watcher);
        let request = Request { seed: Seed::new(seed), progress: &progress, ..self.request(config, compute) };
        Ok(merged(kind, &request, watcher)?.bytes)
    }

    /// A strategy's table with all options, including those that were left open and follow from what the experts
    /// started from.
    pub fn strategy_table(&self, strategy: &dyn StrategyConfig) -> Value {
        let start = if self.initial_only { ExpertStart::Common } else { ExpertStart::Previous };
        let completed = strategy.completed(&RunDescription { start, ..Default::default() });
        serde_json::to_value(completed.as_deref().unwrap_or(strategy)).unwrap_or_default()
    }

    /// Checks that no running variance is negative, by the usual name of these tensors.
    fn check_variances(&self) -> Result<(), InterchangeError> {
        for model in [&self.previous].into_iter().chain(&self.experts) {
            for info in model.seen.tensors().filter(|info| is_variance(&info.name)) {
                let numbers: Numbers = match model.seen.read(&info.name)?.values {
                    Values::Floats(values) => values.into(),
                    Values::Doubles(values) => values.into(),
                    Values::Integers(_) => continue,
                };
                check_variances(&model.path, &info.name, &info.name, &numbers)?;
            }
        }
        Ok(())
    }

    /// The merge request, without the output.
    fn request<'a>(&'a self, strategy: &'a dyn StrategyConfig, compute: &'a Device) -> Request<'a> {
        Request {
            previous: self.previous.as_model(),
            previous_counts: !self.initial_only,
            experts: self.experts.iter().map(TensorwiseModel::as_model).collect(),
            strategy,
            seed: Seed::new(0),
            compute,
            output: None,
            options: WriteOptions::default(),
            dtype: None,
            progress: &|_| ControlFlow::Continue(()),
        }
    }
}

impl TensorwiseModel {
    fn of((path, checkpoint): (PathBuf, Checkpoint)) -> Result<Self, InterchangeError> {
        let checkpoint = Arc::new(checkpoint);
        let adapter = Adapter::of(&checkpoint)?;
        Ok(TensorwiseModel { path, seen: checkpoint.clone(), checkpoint, adapter })
    }

    fn as_model(&self) -> MergeModel<'_> {
        let name = self.path.display().to_string();
        // The number of samples is unknown, so all experts have the same weight.
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
