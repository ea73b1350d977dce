//! Turns the tables of a variant into an experiment, and checks their keys, types, ranges and kinds.

use std::collections::BTreeMap;

use alluvium_backend::BackendConfig;
use alluvium_device::DeviceSettings;
use alluvium_model::{BackboneConfig, ClassifierConfig, default_classifier};
use alluvium_registry::{Checker, Family, described, find, schemars};
use alluvium_strategy::{RunDescription, StrategyConfig, SurrogateConfig};
use alluvium_stream::StreamConfig;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::experiment::{Backend, Experiment, StrategyRow};
use crate::finding::Finding;
use crate::protocol::Protocol;
use crate::root_table::RootTable;
use crate::sweep::{ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE};

/// Reads tables. Each schema is compiled once for all tables.
#[derive(Debug)]
pub(crate) struct Tables {
    root: Checker,
    protocol: Checker,
    device: Checker,
    plugins: BTreeMap<(Family, &'static str), Checker>,
}

impl Tables {
    pub(crate) fn new() -> Self {
        Tables {
            root: Checker::new(schemars::schema_for!(RootTable).to_value()),
            protocol: Checker::new(schemars::schema_for!(Protocol).to_value()),
            device: Checker::new(schemars::schema_for!(DeviceSettings).to_value()),
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
        root.protocol = root.protocol.with_defaults();
        let backend = plugins.read::<dyn BackendConfig>(Family::Backend, &["backend"], &root.backend);
        let stream = plugins.read::<dyn StreamConfig>(Family::Stream, &["stream"], &root.stream);
        let backbone = plugins.read::<dyn BackboneConfig>(Family::Backbone, &["backbone"], &root.backbone);
        let classifier = root.classifier.as_ref();
        let classifier =
            classifier.map(|table| plugins.read::<dyn ClassifierConfig>(Family::Classifier, &["classifier"], table));
        let surrogate = root.surrogate.as_ref();
        let surrogate =
            surrogate.and_then(|table| plugins.read::<dyn SurrogateConfig>(Family::Surrogate, &["surrogate"], table));
        let rows = root.strategies.iter().enumerate();
        let strategies: Vec<_> = rows.filter_map(|(number, table)| plugins.row(number, table, &root)).collect();

        let findings = plugins.findings;
        let (Some((kind, backend)), Some((_, stream)), Some((_, backbone))) = (backend, stream, backbone) else {
            return Err(findings);
        };
        if !findings.is_empty() {
            return Err(findings);
        }
        let surrogate = surrogate.map(|(_, config)| config);
        let classifier = classifier.flatten().map_or_else(default_classifier, |(_, config)| config.into());
        let mut written_out = written_out(&root, &*backend, &*stream, &*backbone, surrogate.as_deref(), &strategies);
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
            classifier,
            device: root.device,
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
        match serde_json::from_value(Value::Object(table.clone())) {
            Ok(config) => Some((kind, config)),
            Err(error) => {
                let message = format!("cannot be read ({error}); `alluvium show {kind}` lists what is accepted");
                self.wrong(path, &[], message)
            }
        }
    }

    /// Reads a row: the strategy, and the keys that no plugin owns: the name, and the row's own surrogate data, protocol and
    /// device settings.
    fn row(&mut self, number: usize, table: &Map<String, Value>, root: &RootTable) -> Option<StrategyRow> {
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
            Some(Value::Object(table)) => Some(self.read::<dyn SurrogateConfig>(Family::Surrogate, &at, &table)?.1),
            Some(_) => {
                let message = "`surrogate` is not a table; accepted: a table with a kind of `alluvium list surrogates`";
                return self.wrong(&path, &[ROW_SURROGATE], message.to_owned());
            }
            None => None,
        };
        let protocol = match options.remove(ROW_PROTOCOL) {
            Some(table) => {
                let own: Protocol = self.own(&path, ROW_PROTOCOL, table, &Map::new())?;
                self.foreign_keys(&[&path[..], &[ROW_PROTOCOL]].concat(), &own);
                own.with_defaults()
            }
            None => root.protocol.clone(),
        };
        let device = match options.remove(ROW_DEVICE) {
            Some(table) => {
                let defaults = serde_json::to_value(&root.device).unwrap_or_default();
                let defaults = defaults.as_object().cloned().unwrap_or_default();
                self.own(&path, ROW_DEVICE, table, &defaults)?
            }
            None => root.device.clone(),
        };
        let (kind, config) = self.read::<dyn StrategyConfig>(Family::Strategy, &path, &options)?;
        // What is left open follows from what experts start from, as in every stream.
        let config = config.completed(&RunDescription::default()).unwrap_or(config);
        let (name, data_access) = (name.unwrap_or_else(|| kind.clone()), config.data_access());
        Some(StrategyRow { name, kind, config, data_access, surrogate, protocol, device })
    }

    /// Reads a table of a row that no plugin owns. Missing keys are taken from `defaults`.
    fn own<T: DeserializeOwned>(
        &mut self,
        path: &[&str],
        key: &str,
        table: Value,
        defaults: &Map<String, Value>,
    ) -> Option<T> {
        let at = [path, &[key]].concat();
        let Value::Object(given) = &table else {
            let message = format!("`{key}` is not a table; accepted: a table with the keys of `[{key}]`");
            return self.wrong(path, &[key], message);
        };
        let mut all = defaults.clone();
        all.extend(given.clone());
        let checker = if key == ROW_PROTOCOL { &self.tables.protocol } else { &self.tables.device };
        let problems = checker.check(&table);
        if !problems.is_empty() {
            for problem in problems {
                let inner: Vec<_> = problem.path.iter().map(String::as_str).collect();
                self.wrong::<()>(&at, &inner, problem.to_string());
            }
            return None;
        }
        match serde_json::from_value(Value::Object(all)) {
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

/// The configuration with all defaults, as it is stored in the results.
fn written_out(
    root: &RootTable,
    backend: &dyn BackendConfig,
    stream: &dyn StreamConfig,
    backbone: &dyn BackboneConfig,
    surrogate: Option<&dyn SurrogateConfig>,
    strategies: &[StrategyRow],
) -> Value {
    let json = |written: Result<Value, serde_json::Error>| written.unwrap_or(Value::Null);
    let mut all = json(serde_json::to_value(root));
    all["backend"] = json(serde_json::to_value(backend));
    all["stream"] = json(serde_json::to_value(stream));
    all["backbone"] = json(serde_json::to_value(backbone));
    if let Some(surrogate) = surrogate {
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
        if row.device != root.device {
            table[ROW_DEVICE] = json(serde_json::to_value(&row.device));
        }
        table
    });
    all["strategies"] = rows.collect();
    all
}
