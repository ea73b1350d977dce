//! Models that are checkpoints or tensors of Python: what a caller states about them, what they hold, and how well they do.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_checkpoint::{Checkpoint, CheckpointError, NameMap};
use alluvium_interchange::{
    Fallback, ForeignModel, Inspection, InterchangeError, Names, Normalisation, Reading, StateDictKey, score,
};
use alluvium_model::{BackboneConfig, InputShape, Seed};
use alluvium_registry::Family;
use alluvium_stream::StreamConfig;
use burn::tensor::Device;
use numpy::{PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arrays::copied;
use crate::drive::work;
use crate::failure::Failure;
use crate::sources::part;

/// A tensor of Python: name, type as in safetensors, shape, and its bytes, little-endian.
type TensorRecord<'py> = (String, String, Vec<usize>, Bound<'py, PyAny>);

/// A model of Python: its label, and its path or its tensors.
pub(crate) type ModelSource<'py> = (String, Option<String>, Option<Vec<TensorRecord<'py>>>);

/// A model that can be opened again and again.
#[derive(Clone)]
pub(crate) struct GivenModel {
    pub(crate) path: PathBuf,
    bytes: Option<Arc<[u8]>>,
    state_dict: Option<StateDictKey>,
}

impl GivenModel {
    /// The model. Tensors are copied into one piece of memory, a safetensors file that is on no disk.
    pub(crate) fn of(source: ModelSource<'_>) -> Result<Self, Failure> {
        let (label, path, tensors) = source;
        match (path, tensors) {
            (Some(path), _) => Ok(GivenModel { path: path.into(), bytes: None, state_dict: None }),
            (None, Some(tensors)) => {
                let bytes = file_of(&label, tensors)?.into();
                Ok(GivenModel { path: label.into(), bytes: Some(bytes), state_dict: None })
            }
            (None, None) => Err(Failure::config(format!("{label} is neither a path nor a state dict"))),
        }
    }

    pub(crate) fn open(&self) -> Result<Checkpoint, CheckpointError> {
        match &self.bytes {
            Some(bytes) => Checkpoint::from_named_reader(&self.path, Cursor::new(bytes.clone())),
            None => Checkpoint::open_state_dict(&self.path, self.state_dict.as_ref()),
        }
    }

    pub(crate) fn model(&self, reading: &Reading, compute: &Device) -> Result<ForeignModel, Failure> {
        let opened = self.open().map_err(InterchangeError::from)?;
        Ok(ForeignModel::of(&self.path, opened, reading, compute)?)
    }
}

fn file_of(label: &str, tensors: Vec<TensorRecord<'_>>) -> Result<Vec<u8>, Failure> {
    let wrong = |name: &str, problem: String| Failure::file(format!("{label}: the tensor `{name}` {problem}"));
    let mut held = vec![];
    for (name, dtype, shape, data) in tensors {
        let data = data.cast::<PyArrayDyn<u8>>().map_err(|_| wrong(&name, "is not given as bytes".to_owned()))?;
        let bytes = copied(&data.readonly());
        let dtype: Dtype = serde_json::from_value(json!(dtype))
            .map_err(|_| wrong(&name, format!("has the type {dtype}; accepted: types that safetensors has")))?;
        held.push((name, dtype, shape, bytes));
    }
    let views = held.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| wrong(name, error.to_string()))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, Failure>>()?;
    safetensors::serialize(views, None).map_err(|error| Failure::file(format!("{label}: {error}")))
}

/// What a caller states about models, as keyword arguments in JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Statements {
    pub(crate) strategy: Value,
    pub(crate) surrogate: Value,
    /// The classes of each model, in their order.
    pub(crate) classes: Vec<Option<Vec<String>>>,
    names: Value,
    backbone: Value,
    input: Option<InputShape>,
    mean: Option<Vec<f64>>,
    std: Option<Vec<f64>>,
    state_dict: Option<String>,
    pub(crate) seed: u64,
    pub(crate) initial_only: bool,
    pub(crate) tensorwise: bool,
    backend: Value,
    stream: Value,
}

impl Default for Statements {
    fn default() -> Self {
        let none = Value::Null;
        Statements {
            strategy: none.clone(),
            surrogate: none.clone(),
            classes: vec![],
            names: none.clone(),
            backbone: none.clone(),
            input: None,
            mean: None,
            std: None,
            state_dict: None,
            seed: 0,
            initial_only: false,
            tensorwise: false,
            backend: json!("flex"),
            stream: none,
        }
    }
}

impl Statements {
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::config(format!("the arguments cannot be read: {error}")))
    }

    /// The compute device.
    pub(crate) fn compute(&self) -> Result<Device, Failure> {
        let (_, backend) = part::<dyn BackendConfig>(Family::Backend, "backend", &self.backend)?;
        backend.open().map_err(|error| Failure::run(error.to_string()))
    }

    /// What is stated about the model of this index.
    pub(crate) fn reading(&self, index: usize) -> Result<Reading, Failure> {
        let backbone = match &self.backbone {
            Value::Null => None,
            given => Some(Arc::<dyn BackboneConfig>::from(part(Family::Backbone, "backbone", given)?.1)),
        };
        let normalisation = self.mean.clone().zip(self.std.clone());
        Ok(Reading {
            names: self.names()?,
            backbone,
            input: self.input,
            normalisation: normalisation.map(|(mean, std)| Normalisation { mean, std }),
            classes: self.classes.get(index).cloned().flatten(),
            state_dict: self.key(),
            ..Reading::default()
        })
    }

    fn key(&self) -> Option<StateDictKey> {
        self.state_dict.clone().map(StateDictKey::WhereSeveral)
    }

    /// The model with the state dict to take from its file.
    pub(crate) fn given(&self, source: ModelSource<'_>) -> Result<GivenModel, Failure> {
        Ok(GivenModel { state_dict: self.key(), ..GivenModel::of(source)? })
    }

    /// The table of names: a kind, a file, or the table itself.
    fn names(&self) -> Result<Option<Names>, Failure> {
        let wrong = |error: String| Failure::config(format!("names: {error}"));
        match &self.names {
            Value::Null => Ok(None),
            Value::String(given) => Names::open(given).map(Some).map_err(|error| wrong(error.to_string())),
            table => {
                let text = toml::to_string(table).map_err(|error| wrong(error.to_string()))?;
                let map = NameMap::parse(&text).map_err(|error| wrong(error.to_string()))?;
                Ok(Some(Names::of_map(map)))
            }
        }
    }

    fn stream(&self) -> Result<Box<dyn StreamConfig>, Failure> {
        Ok(part::<dyn StreamConfig>(Family::Stream, "stream", &self.stream)?.1)
    }
}

/// What is stated about one model, and the model.
fn one(model: ModelSource<'_>, statements: &str) -> Result<(Statements, GivenModel), Failure> {
    let said = Statements::read(statements)?;
    let given = said.given(model)?;
    Ok((said, given))
}

/// The accuracy of a model on the test samples of a stream, as JSON.
#[pyfunction]
pub(crate) fn evaluate(py: Python<'_>, model: ModelSource<'_>, statements: &str) -> PyResult<String> {
    let (said, given) = one(model, statements).map_err(|failure| failure.raise(py, None))?;
    work(py, move || {
        let compute = said.compute()?;
        let stream = said.stream()?.build(Seed::new(said.seed))?;
        let fallback = Fallback { input: Some(stream.input()), ..Fallback::default() };
        let model = given.model(&Reading { fallback, ..said.reading(0)? }, &compute)?;
        let scores = score(&model, stream.as_ref(), &compute)?;
        let digest = model.checkpoint().digest().map_err(InterchangeError::from)?;
        let all = json!({"file": given.path, "digest": digest, "seed": said.seed, "rounded": model.is_rounded(),
                         "scores": scores, "state_dict": model.checkpoint().state_dict()});
        Ok(all.to_string())
    })
}

/// What a model holds, as JSON.
#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, model: ModelSource<'_>, statements: &str) -> PyResult<String> {
    let (said, given) = one(model, statements).map_err(|failure| failure.raise(py, None))?;
    work(py, move || {
        let (reading, compute) = (said.reading(0)?, said.compute()?);
        let inspection = Inspection::opened(Path::new(&given.path), &|| given.open(), &reading, &compute)?;
        serde_json::to_string(&inspection).map_err(|error| Failure::run(error.to_string()))
    })
}
