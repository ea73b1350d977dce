//! The plugins that Python code registers: their classes, by family and kind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use alluvium_device::DeviceConfig;
use alluvium_model::Digest;
use alluvium_registry::{AddedKind, Family, NestedError, add, nested};
use alluvium_strategy::{DataAccess, StrategyConfig};
use alluvium_stream::{Scenario, StreamConfig};
use pyo3::prelude::*;
use serde_json::{Map, Value, json};

use crate::drive::{panic_message, quietly, work};
use crate::failure::Failure;

/// The linked kind that reads the tables of Python's kinds. The registry gives it `class` and `options`.
pub(crate) const CARRIER: &str = "_python";

static PLUGINS: Mutex<BTreeMap<(Family, String), Arc<Plugin>>> = Mutex::new(BTreeMap::new());

/// A class that Python code registered.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// What builds and calls instances of the class; see `alluvium.plugins`.
    pub(crate) adapter: Py<PyAny>,
    /// What the decorator of its family states.
    pub(crate) settings: Settings,
    /// The digest of the code and of the versions that it runs on.
    pub(crate) revision: Digest,
}

/// What the decorator of a family states about a class beside its options.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The data that a strategy needs.
    pub(crate) data: DataAccess,
    /// Whether a strategy consolidates the experts of a round at once.
    pub(crate) rounds: bool,
    /// Whether a strategy asks devices for a statistic.
    pub(crate) statistic: bool,
    /// What that statistic tells the centre, in words.
    pub(crate) tells: String,
    /// How the tasks of a stream differ.
    pub(crate) scenario: Scenario,
}

/// The plugin of a kind.
pub(crate) fn plugin(family: Family, kind: &str) -> Result<Arc<Plugin>, String> {
    let all = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner);
    all.get(&(family, kind.to_owned())).cloned().ok_or_else(|| {
        format!("no Python class is registered as the {family} \"{kind}\"; import the module that registers it first")
    })
}

/// The table as people write it: the table itself or, if it is a carrier's, that of the kind which it carries.
pub(crate) fn named(mut table: Map<String, Value>) -> Map<String, Value> {
    if table.get("kind").and_then(Value::as_str) != Some(CARRIER) {
        return table;
    }
    if let Some(class) = table.remove("class") {
        table.insert("kind".to_owned(), class);
    }
    if let Some(Value::Object(options)) = table.remove("options") {
        table.extend(options);
    }
    table
}

fn family_of(name: &str) -> Result<Family, Failure> {
    let found = Family::ALL.into_iter().find(|family| family.to_string() == name || family.plural() == name);
    let names: Vec<_> = Family::ALL.into_iter().map(|family| family.to_string()).collect();
    found.ok_or_else(|| Failure::config(format!("there is no family \"{name}\"; accepted: {}", names.join(", "))))
}

/// Registers a class under a kind. `schema` is the JSON Schema of its options, with a description. `settings` has `data`,
/// `rounds`, `statistic` and `tells` for a strategy, `scenario` for a stream.
#[pyfunction]
#[pyo3(signature = (family, kind, *, schema, paper, settings, adapter, revision))]
#[allow(clippy::too_many_arguments)] // Keywords of one call from Python.
pub(crate) fn register(
    py: Python<'_>,
    family: &str,
    kind: &str,
    schema: &str,
    paper: &str,
    settings: &str,
    adapter: Py<PyAny>,
    revision: &str,
) -> PyResult<()> {
    let registered = || -> Result<(), Failure> {
        let family = family_of(family)?;
        let parsed =
            |text: &str| serde_json::from_str::<Value>(text).map_err(|error| Failure::config(error.to_string()));
        let (schema, settings) = (parsed(schema)?, parsed(settings)?);
        let setting = |key: &str| settings.get(key).cloned();
        let data = setting("data").map_or(Ok(DataAccess::None), serde_json::from_value).map_err(|_| {
            let accepted = "\"none\", \"surrogate\", \"current-task\" or \"all-tasks\"";
            Failure::config(format!("the strategy \"{kind}\": `data` is out of range; accepted: {accepted}"))
        })?;
        let scenario = setting("scenario").map_or(Ok(Scenario::ClassShift), serde_json::from_value).map_err(|_| {
            let accepted = "\"class-shift\", \"domain-shift\" or \"label-skew\"";
            Failure::config(format!("the stream \"{kind}\": `scenario` is out of range; accepted: {accepted}"))
        })?;
        let is_set = |key: &str| setting(key).as_ref().and_then(Value::as_bool).unwrap_or_default();
        let tells = setting("tells").as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let (rounds, statistic) = (is_set("rounds"), is_set("statistic"));
        let settings = Settings { data, rounds, statistic, tells, scenario };
        add(AddedKind { family, kind: kind.to_owned(), paper: paper.to_owned(), schema, carrier: CARRIER })?;
        let revision = Digest::of(revision.as_bytes());
        let plugin = Arc::new(Plugin { adapter, settings, revision });
        PLUGINS.lock().unwrap_or_else(PoisonError::into_inner).insert((family, kind.to_owned()), plugin);
        Ok(())
    };
    registered().map_err(|failure| failure.raise(py, None))
}

/// States the digest of a kind's code again: modules may have been reloaded since it was registered.
#[pyfunction]
pub(crate) fn set_revision(py: Python<'_>, family: &str, kind: &str, revision: &str) -> PyResult<()> {
    let stated = || -> Result<(), Failure> {
        let family = family_of(family)?;
        let old = plugin(family, kind).map_err(Failure::config)?;
        let (adapter, settings) = (old.adapter.clone_ref(py), old.settings.clone());
        let plugin = Arc::new(Plugin { adapter, settings, revision: Digest::of(revision.as_bytes()) });
        PLUGINS.lock().unwrap_or_else(PoisonError::into_inner).insert((family, kind.to_owned()), plugin);
        Ok(())
    };
    stated().map_err(|failure| failure.raise(py, None))
}

/// Runs the conformance tests of a family on a kind with these options, a JSON object. Returns what does not conform, or nothing.
#[pyfunction]
pub(crate) fn check_plugin(py: Python<'_>, family: &str, kind: &str, options: &str) -> PyResult<Option<String>> {
    let (family, kind, options) = (family.to_owned(), kind.to_owned(), options.to_owned());
    work(py, move || {
        let family = family_of(&family)?;
        let mut table = serde_json::from_str::<serde_json::Map<String, Value>>(&options)
            .map_err(|error| Failure::config(error.to_string()))?;
        table.insert("kind".to_owned(), json!(kind));
        alluvium_registry::find(family, &kind)?;
        let wrong = |error: NestedError| Failure::config(format!("the {family} \"{kind}\" {error}"));
        let check: Box<dyn FnOnce()> = match family {
            Family::Strategy => {
                let config: Box<dyn StrategyConfig> = nested(family, &table).map_err(wrong)?;
                Box::new(move || alluvium_strategy::conformance::check_config(config.as_ref()))
            }
            Family::Device => {
                let config: Box<dyn DeviceConfig> = nested(family, &table).map_err(wrong)?;
                Box::new(move || alluvium_device::conformance::check_config(config.as_ref()))
            }
            Family::Stream => {
                let config: Box<dyn StreamConfig> = nested(family, &table).map_err(wrong)?;
                Box::new(move || alluvium_stream::conformance::check_stream(config.as_ref()))
            }
            family => {
                return Err(Failure::config(format!(
                    "a {family} in Python cannot be checked; accepted: strategy, device, stream"
                )));
            }
        };
        Ok(quietly(check).err().map(|panic| panic_message(&*panic).to_owned()))
    })
}
