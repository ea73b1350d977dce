//! Turns the tables of a variant into an experiment, and checks their keys, types, ranges and kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_device::DeviceConfig;
use alluvium_model::{BackboneConfig, ClassifierConfig, default_classifier};
use alluvium_registry::{Checker, Family, carried, default_kind, described, find, schemars};
use alluvium_strategy::{StrategyConfig, SurrogateConfig, SurrogateTable, with_unknown_task};
use alluvium_stream::StreamConfig;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::experiment::{Backend, Experiment, StrategyRow, same_devices};
use crate::finding::Finding;
use crate::initial::Initial;
use crate::own_networks::OwnNetworks;
use crate::protocol::Protocol;
use crate::root_table::RootTable;
use crate::sweep::{OWN_BACKBONE, OWN_NETWORKS, ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE, ROW_UNKNOWN_TASK};

/// Reads tables. Each schema is compiled once for all tables.
#[derive(Debug)]
pub(crate) struct Tables {
    root: Checker,
    protocol: Checker,
    plugins: BTreeMap<(Family, &'static str), Checker>,
}

impl Tables {
    pub(crate) fn new() -> Self {
        Tables {
            root: Checker::new(schemars::schema_for!(RootTable).to_value()),
            protocol: Checker::new(schemars::schema_for!(Protocol).to_value()),
            plugins: BTreeMap::new(),
        }
    }

    /// Checks the tables that no plugin owns.
    pub(crate) fn check(&self, root: &Value) -> Vec<Finding> {
        let problems = self.root.check(root).into_iter();
        problems.map(|problem| Finding::of_file(&problem.path, problem.to_string())).collect()
    }

    /// Reads the plugins' tables of a variant whose other tables were checked.
    pub(crate) fn read(&mut self, root: Value) -> Result<Experiment, Vec<Finding>> {
        let mut root: RootTable = serde_json::from_value(root)
            .map_err(|error| vec![Finding::of_file(&[], format!("cannot be read ({error})"))])?;
        let mut plugins = Plugins::new(self);
        plugins.foreign_keys(&["protocol"], &root.protocol);
        for (key, message) in root.initial.iter().flat_map(Initial::idle_keys) {
            plugins.wrong::<()>(&["initial"], &[key], message);
        }
        root.protocol = root.protocol.with_defaults();
        let backend = plugins.read::<dyn BackendConfig>(Family::Backend, &["backend"], &root.backend);
        let stream = plugins.read::<dyn StreamConfig>(Family::Stream, &["stream"], &root.stream);
        let backbone = plugins.read::<dyn BackboneConfig>(Family::Backbone, &["backbone"], &root.backbone);
        let own_networks = plugins.own_networks(&mut root);
        let device: Option<Arc<dyn DeviceConfig>> = plugins
            .read::<dyn DeviceConfig>(Family::Device, &["device"], &root.device)
            .map(|(_, device)| device.into());
        let classifier = root.classifier.as_ref();
        let classifier =
            classifier.map(|table| plugins.read::<dyn ClassifierConfig>(Family::Classifier, &["classifier"], table));
        let surrogate = root.surrogate.as_ref();
        let surrogate = surrogate.and_then(|table| plugins.surrogate(&["surrogate"], table));
        let rows = root.strategies.iter().enumerate();
        // Rows are read even if the experiment's devices are wrong, so that all problems are found at once.
        let strategies: Vec<_> =
            rows.filter_map(|(number, table)| plugins.row(number, table, &root, device.as_ref())).collect();

        let findings = plugins.findings;
        let (Some((kind, backend)), Some((_, stream)), Some((_, backbone)), Some(device)) =
            (backend, stream, backbone, device)
        else {
            return Err(findings);
        };
        if !findings.is_empty() {
            return Err(findings);
        }
        let classifier = classifier.flatten().map_or_else(default_classifier, |(_, config)| config.into());
        let parts = WrittenParts {
            backend: &*backend,
            stream: &*stream,
            backbone: &*backbone,
            device: &*device,
            surrogate: surrogate.as_deref(),
        };
        let mut written_out = written_out(&root, parts, &strategies);
        // A default is not written out, so that the results of older versions stay the same.
        if root.classifier.is_some() {
            written_out["classifier"] = serde_json::to_value(&classifier).unwrap_or(Value::Null);
        }
        Ok(Experiment {
            name: root.name,
            protocol: root.protocol,
            seeds: root.seeds,
            baseline: root.baseline,
            references: root.references,
            backend: Backend { kind, config: backend.into() },
            stream,
            backbone: backbone.into(),
            own_networks,
            classifier,
            initial: root.initial.filter(|initial| !initial.is_random()),
            device,
            evaluation: root.evaluation,
            surrogate,
            strategies,
            written_out,
        })
    }

    /// The checker of a kind's options.
    fn plugin(&mut self, family: Family, kind: &str) -> Result<&Checker, alluvium_registry::UnknownKind> {
        let description = find(family, kind)?;
        let checker = || Checker::new(description.options_schema());
        Ok(self.plugins.entry((family, description.kind)).or_insert_with(checker))
    }
}

/// Reads plugins' tables and collects their problems.
pub(crate) struct Plugins<'a> {
    tables: &'a mut Tables,
    findings: Vec<Finding>,
}

impl<'a> Plugins<'a> {
    pub(crate) fn new(tables: &'a mut Tables) -> Self {
        Plugins { tables, findings: vec![] }
    }

    /// The problems of the tables that were read so far.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A table's kind, and its options as the plugin's own type.
    pub(crate) fn read<C: ?Sized>(
        &mut self,
        family: Family,
        path: &[&str],
        table: &Map<String, Value>,
    ) -> Option<(String, Box<C>)>
    where
        Box<C>: DeserializeOwned,
    {
        let mut table = table.clone();
        if let Some(kind) = default_kind(family) {
            table.entry("kind").or_insert_with(|| kind.into());
        }
        let mut options = table.clone();
        let Some(Value::String(kind)) = options.remove("kind") else {
            let linked: Vec<_> = described(family).iter().map(|one| format!("\"{}\"", one.kind)).collect();
            let message = format!("`kind` is missing, or is not a string; accepted: {}", linked.join(" or "));
            return self.wrong(path, &["kind"], message);
        };
        let checker = match self.tables.plugin(family, &kind) {
            Ok(checker) => checker,
            Err(error) => return self.wrong(path, &["kind"], error.to_string()),
        };
        let problems = checker.check(&Value::Object(options));
        if !problems.is_empty() {
            for problem in problems {
                let inner: Vec<_> = problem.path.iter().map(String::as_str).collect();
                self.wrong::<()>(path, &inner, problem.to_string());
            }
            return None;
        }
        match serde_json::from_value(Value::Object(carried(family, table))) {
            Ok(config) => Some((kind, config)),
            Err(error) => {
                let message = format!("cannot be read ({error}); `alluvium show {kind}` lists what is accepted");
                self.wrong(path, &[], message)
            }
        }
    }

    /// Reads the table of devices with networks of their own, and writes out the options of their backbone.
    fn own_networks(&mut self, root: &mut RootTable) -> Option<OwnNetworks> {
        let table = root.own_networks.as_mut()?;
        if let Some((key, message)) = table.ambiguous() {
            return self.wrong(&[OWN_NETWORKS], &[key], message);
        }
        let (_, backbone) =
            self.read::<dyn BackboneConfig>(Family::Backbone, &[OWN_NETWORKS, OWN_BACKBONE], &table.backbone)?;
        if let Ok(Value::Object(written)) = serde_json::to_value(&backbone) {
            table.backbone = written;
        }
        OwnNetworks::of(table, backbone.into())
    }

    /// Reads surrogate data: their kind, and the keys that every kind takes.
    fn surrogate(&mut self, path: &[&str], table: &Map<String, Value>) -> Option<Box<dyn SurrogateConfig>> {
        self.read::<SurrogateTable>(Family::Surrogate, path, table).map(|(_, table)| table.into_config())
    }

    /// Reads a row: the strategy, and the keys that no plugin owns: the name, and the row's own surrogate data, protocol and
    /// device settings.
    fn row(
        &mut self,
        number: usize,
        table: &Map<String, Value>,
        root: &RootTable,
        device: Option<&Arc<dyn DeviceConfig>>,
    ) -> Option<StrategyRow> {
        let number = number.to_string();
        let path = ["strategies", &number];
        let mut options = table.clone();
        let name = match options.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => Some(name),
            Some(_) => {
                let message = "`name` is not a name; accepted: a string that no other row has".to_owned();
                return self.wrong(&path, &["name"], message);
            }
            None => None,
        };
        let at = [&path[..], &[ROW_SURROGATE]].concat();
        let surrogate = match options.remove(ROW_SURROGATE) {
            Some(Value::Object(table)) => Some(self.surrogate(&at, &table)?),
            Some(_) => {
                let message = "`surrogate` is not a table; accepted: a table with a kind of `alluvium list surrogates`";
                return self.wrong(&path, &[ROW_SURROGATE], message.to_owned());
            }
            None => None,
        };
        let protocol = match options.remove(ROW_PROTOCOL) {
            Some(table) => {
                let own: Protocol = self.protocol(&path, table)?;
                self.foreign_keys(&[&path[..], &[ROW_PROTOCOL]].concat(), &own);
                own.with_defaults()
            }
            None => root.protocol.clone(),
        };
        let device = match options.remove(ROW_DEVICE) {
            Some(table) => self.row_device(&path, table, device?.as_ref())?,
            None => device.cloned()?,
        };
        let across = match options.remove(ROW_UNKNOWN_TASK) {
            Some(table) => Some(self.unknown_task(&path, table)?),
            None => None,
        };
        let (kind, mut config) = self.read::<dyn StrategyConfig>(Family::Strategy, &path, &options)?;
        if let Some(across) = across {
            config = match with_unknown_task(config, across) {
                Ok(both) => both,
                Err(error) => return self.wrong(&path, &[ROW_UNKNOWN_TASK], format!("`{ROW_UNKNOWN_TASK}`: {error}")),
            };
        }
        let (name, data_access) = (name.unwrap_or_else(|| kind.clone()), config.data_access());
        Some(StrategyRow { name, kind, config, data_access, surrogate, protocol, device })
    }

    /// Reads a row's own devices: those of the experiment, with the keys that the row changes. With another kind, the table
    /// stands for itself.
    fn row_device(
        &mut self,
        path: &[&str],
        table: Value,
        experiment: &dyn DeviceConfig,
    ) -> Option<Arc<dyn DeviceConfig>> {
        let Value::Object(given) = table else {
            let message = "`device` is not a table; accepted: a table with the keys of `[device]`".to_owned();
            return self.wrong(path, &[ROW_DEVICE], message);
        };
        let written = serde_json::to_value(experiment).unwrap_or_default();
        let mut all = written.as_object().cloned().unwrap_or_default();
        if given.get("kind").is_some_and(|kind| Some(kind) != all.get("kind")) {
            all.clear();
        }
        all.extend(given);
        let at = [path, &[ROW_DEVICE]].concat();
        self.read::<dyn DeviceConfig>(Family::Device, &at, &all).map(|(_, device)| device.into())
    }

    /// Reads a row's strategy for samples of an unknown task.
    fn unknown_task(&mut self, path: &[&str], table: Value) -> Option<Box<dyn StrategyConfig>> {
        let Value::Object(table) = table else {
            let message = format!("`{ROW_UNKNOWN_TASK}` is not a table; accepted: a table with the kind of a strategy");
            return self.wrong(path, &[ROW_UNKNOWN_TASK], message);
        };
        let at = [path, &[ROW_UNKNOWN_TASK]].concat();
        self.read::<dyn StrategyConfig>(Family::Strategy, &at, &table).map(|(_, config)| config)
    }

    /// Reads a row's own protocol.
    fn protocol(&mut self, path: &[&str], table: Value) -> Option<Protocol> {
        let at = [path, &[ROW_PROTOCOL]].concat();
        if !table.is_object() {
            let message = "`protocol` is not a table; accepted: a table with the keys of `[protocol]`".to_owned();
            return self.wrong(path, &[ROW_PROTOCOL], message);
        }
        let problems = self.tables.protocol.check(&table);
        if !problems.is_empty() {
            for problem in problems {
                let inner: Vec<_> = problem.path.iter().map(String::as_str).collect();
                self.wrong::<()>(&at, &inner, problem.to_string());
            }
            return None;
        }
        match serde_json::from_value(table) {
            Ok(own) => Some(own),
            Err(error) => self.wrong(&at, &[], format!("cannot be read ({error})")),
        }
    }

    /// Reports keys of a protocol that have no meaning under its kind.
    fn foreign_keys(&mut self, path: &[&str], protocol: &Protocol) {
        for (key, kind) in protocol.foreign_keys() {
            let message = format!(
                "`{key}` is a key of the protocol \"{kind}\", not of \"{}\"; accepted: kind = \"{kind}\", or no `{key}`",
                protocol.kind.name()
            );
            self.wrong::<()>(path, &[key], message);
        }
    }

    fn wrong<T>(&mut self, table: &[&str], inner: &[&str], message: String) -> Option<T> {
        let at: Vec<_> = table.iter().chain(inner).map(|key| (*key).to_owned()).collect();
        self.findings.push(Finding::of_table(&at, message));
        None
    }
}

/// The plugins of an experiment.
struct WrittenParts<'a> {
    backend: &'a dyn BackendConfig,
    stream: &'a dyn StreamConfig,
    backbone: &'a dyn BackboneConfig,
    device: &'a dyn DeviceConfig,
    surrogate: Option<&'a dyn SurrogateConfig>,
}

/// The configuration with all defaults, as it is stored in the results.
fn written_out(root: &RootTable, parts: WrittenParts<'_>, strategies: &[StrategyRow]) -> Value {
    let json = |written: Result<Value, serde_json::Error>| written.unwrap_or(Value::Null);
    let mut all = json(serde_json::to_value(root));
    all["backend"] = json(serde_json::to_value(parts.backend));
    all["stream"] = json(serde_json::to_value(parts.stream));
    all["backbone"] = json(serde_json::to_value(parts.backbone));
    all["device"] = json(serde_json::to_value(parts.device));
    if let Some(surrogate) = parts.surrogate {
        all["surrogate"] = json(serde_json::to_value(surrogate));
    }
    let rows = strategies.iter().map(|row| {
        let mut table = json(serde_json::to_value(&row.config));
        table["name"] = row.name.clone().into();
        if let Some(surrogate) = &row.surrogate {
            table[ROW_SURROGATE] = json(serde_json::to_value(surrogate));
        }
        if row.protocol != root.protocol {
            table[ROW_PROTOCOL] = json(serde_json::to_value(&row.protocol));
        }
        if !same_devices(&*row.device, parts.device) {
            table[ROW_DEVICE] = json(serde_json::to_value(&row.device));
        }
        table
    });
    all["strategies"] = rows.collect();
    all
}
