//! Consolidation of checkpoints and state dicts, in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use alluvium_checkpoint::Checkpoint;
use alluvium_interchange::{
    Arrangement, Consolidation, ForeignModel, InterchangeError, Reading, Tensorwise, Watcher, carry_out_in_memory,
};
use alluvium_model::Progress;
use alluvium_registry::{Family, described};
use alluvium_strategy::{StrategyConfig, SurrogateConfig, SurrogateTable};
use burn::tensor::Device;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::drive::{Caller, drive};
use crate::evaluation::{GivenModel, ModelSource, Statements};
use crate::failure::Failure;
use crate::sources::part;

/// A tensor for Python: name, type, shape, bytes.
type TensorForPython<'py> = (String, String, Vec<usize>, Bound<'py, PyAny>);

/// Consolidates models, the first of them the previous one. Returns the tensors of the new one.
#[pyfunction]
pub(crate) fn consolidate<'py>(
    py: Python<'py>,
    models: Vec<ModelSource<'py>>,
    statements: &str,
) -> PyResult<Vec<TensorForPython<'py>>> {
    let raised = |failure: Failure| failure.raise(py, None);
    let said = Statements::read(statements).map_err(raised)?;
    let given = models.into_iter().map(|model| said.given(model)).collect::<Result<Vec<_>, _>>().map_err(raised)?;
    let caller = Caller::default();
    let watcher = MergeWatch(caller.clone());
    let bytes = drive(py, &caller, |_| Ok(()), move || consolidated(&given, &said, &watcher))?;
    let broken = |error: safetensors::SafeTensorError| Failure::run(error.to_string()).raise(py, None);
    let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let mut names: Vec<_> = tensors.names().into_iter().collect();
    names.sort();
    let tensor = |name: &str| {
        let view = tensors.tensor(name).map_err(broken)?;
        let dtype = json!(view.dtype()).as_str().unwrap_or_default().to_owned();
        let data = view.data().to_vec().into_pyarray(py).into_any();
        Ok((name.to_owned(), dtype, view.shape().to_vec(), data))
    };
    names.into_iter().map(tensor).collect()
}

fn consolidated(given: &[GivenModel], said: &Statements, watcher: &MergeWatch) -> Result<Vec<u8>, Failure> {
    let (kind, strategy) = part::<dyn StrategyConfig>(Family::Strategy, "strategy", &said.strategy)?;
    let strategy = (kind.as_str(), strategy.as_ref());
    let compute = said.compute()?;
    let Some((first, others)) = given.split_first() else { return Err(Failure::config("no model is given")) };
    if said.tensorwise {
        let open = |given: &GivenModel| -> Result<(PathBuf, Checkpoint), Failure> {
            Ok((given.path.clone(), given.open().map_err(InterchangeError::from)?))
        };
        let experts = others.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let models = Tensorwise::of(open(first)?, said.initial_only, experts)?;
        return Ok(models.carry_out_in_memory(strategy, said.seed, &compute, watcher)?);
    }
    let surrogate = match &said.surrogate {
        Value::Null => None,
        given => Some(surrogate(given)?),
    };
    let previous = Reading { backbone_only: said.initial_only, ..said.reading(0)? };
    let previous = first.model(&previous, &compute)?;
    let experts = experts(others, said, &previous, &compute)?;
    let classes: Vec<_> = experts.iter().map(ForeignModel::classes).collect();
    let arrangement = Arrangement::new(previous.heads(), &classes)
        .map_err(|(index, problem)| Failure::file(format!("{}: {problem}", others[index].path.display())))?;
    let consolidation = Consolidation {
        previous: &previous,
        experts: &experts,
        arrangement: &arrangement,
        strategy,
        surrogate: surrogate.as_deref(),
        seed: said.seed,
    };
    consolidation.check()?;
    Ok(carry_out_in_memory(&consolidation, &compute, watcher)?)
}

fn experts(
    given: &[GivenModel],
    said: &Statements,
    previous: &ForeignModel,
    compute: &Device,
) -> Result<Vec<ForeignModel>, Failure> {
    let expert = |(index, given): (usize, &GivenModel)| {
        let reading = Reading { fallback: previous.fallback(), ..said.reading(index + 1)? };
        given.model(&reading, compute)
    };
    given.iter().enumerate().map(expert).collect()
}

/// Surrogate data: like any other plugin, or from a picture.
fn surrogate(given: &Value) -> Result<Box<dyn SurrogateConfig>, Failure> {
    let is_kind = |kind: &str| described(Family::Surrogate).iter().any(|one| one.kind == kind);
    let picture = match given {
        Value::String(path) if !is_kind(path) && !path.ends_with(".toml") => {
            Some(json!(BTreeMap::from([("kind", "single-image"), ("image", path)])))
        }
        _ => None,
    };
    let (_, table) = part::<SurrogateTable>(Family::Surrogate, "surrogate", picture.as_ref().unwrap_or(given))?;
    Ok(table.into_config())
}

/// Watches a consolidation only to stop it.
struct MergeWatch(Caller);

impl Progress for MergeWatch {
    fn step(&self, _done: usize, _steps: usize) {}
}

impl Watcher for MergeWatch {
    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}
