//! Reading and checking a configuration.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_device::DeviceSettings;
use alluvium_model::{BackboneConfig, Seed};
use alluvium_registry::{Family, Problem, check_table, find, schemars};
use alluvium_strategy::{DataAccess, StrategyConfig, SurrogateConfig};
use alluvium_stream::StreamConfig;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::document::Document;
use crate::{ConfigError, ConfigProblem, Protocol, Reference, RootTable, StrategyRow};

/// An experiment that was read and checked.
#[derive(Debug)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// How devices and the centre work together.
    pub protocol: Protocol,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The row to which paired differences are taken.
    pub baseline: Option<String>,
    /// The rows without a strategy.
    pub references: Vec<Reference>,
    /// Where tensors live and run.
    pub backend: Backend,
    /// The ordered tasks.
    pub stream: Box<dyn StreamConfig>,
    /// The feature extractor of every model.
    pub backbone: Arc<dyn BackboneConfig>,
    /// How every device adapts the model.
    pub device: DeviceSettings,
    /// The surrogate data.
    pub surrogate: Option<Box<dyn SurrogateConfig>>,
    /// The strategies that are compared.
    pub strategies: Vec<StrategyRow>,
    /// The whole configuration with all defaults written out.
    pub written_out: Value,
}

/// A backend under its kind.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The backend's kind.
    pub kind: String,
    /// The backend's options.
    pub config: Arc<dyn BackendConfig>,
}

impl Experiment {
    /// Reads a configuration file; `backend` stands in for the kind in its `[backend]` table, `seeds` for its seeds.
    ///
    /// Checks everything that can be checked without training: keys, types and ranges, kinds, names, data access,
    /// files of the stream and the surrogate, and that backbone and stream go together.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems of the first stage of checks that finds some.
    pub fn read(file: &Path, backend: Option<&str>, seeds: Option<Vec<u64>>) -> Result<Self, ConfigError> {
        let problem = |place, message| ConfigProblem { place, table: String::new(), message };
        let failed = |problems| ConfigError { file: file.to_owned(), problems };
        let text = fs::read_to_string(file).map_err(|error| {
            let message = format!("cannot be read ({error}); accepted: a TOML file, such as `alluvium init` writes");
            failed(vec![problem(None, message)])
        })?;
        let mut document = Document::parse(&text).map_err(|(message, place)| {
            failed(vec![problem(
                place,
                format!("is not TOML: {message}; accepted: a table such as `alluvium init` writes"),
            )])
        })?;
        if let Some(kind) = backend {
            let table = Map::from_iter([("kind".to_owned(), kind.into())]);
            document.root.insert("backend".to_owned(), Value::Object(table));
        }
        if let Some(seeds) = seeds {
            document.root.insert("seeds".to_owned(), seeds.into());
        }
        let experiment = Self::from_document(&document).map_err(failed)?;
        experiment.check().map_err(|problems| {
            failed(problems.into_iter().map(|(path, message)| located(&document, &path, message)).collect())
        })?;
        Ok(experiment)
    }

    /// Reads the tables: their keys, types and ranges, and kinds.
    fn from_document(document: &Document) -> Result<Self, Vec<ConfigProblem>> {
        let schema = schemars::schema_for!(RootTable).to_value();
        let root = Value::Object(document.root.clone());
        let mut problems: Vec<_> =
            check_table(&schema, &root).into_iter().map(|one| with_place(document, &[], one)).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let root: RootTable = serde_json::from_value(root)
            .map_err(|error| vec![located::<&str>(document, &[], format!("cannot be read ({error})"))])?;

        let mut plugins = Plugins { document, problems: vec![] };
        let backend = plugins.read::<dyn BackendConfig>(Family::Backend, &["backend"], &root.backend);
        let stream = plugins.read::<dyn StreamConfig>(Family::Stream, &["stream"], &root.stream);
        let backbone = plugins.read::<dyn BackboneConfig>(Family::Backbone, &["backbone"], &root.backbone);
        let table = root.surrogate.as_ref();
        let surrogate =
            table.map(|table| plugins.read::<dyn SurrogateConfig>(Family::Surrogate, &["surrogate"], table));
        let mut strategies = vec![];
        for (number, table) in root.strategies.iter().enumerate() {
            let place = ["strategies", &number.to_string()];
            let mut options = table.clone();
            let name = options.remove("name").unwrap_or_else(|| table.get("kind").cloned().unwrap_or_default());
            let Some(name) = name.as_str().filter(|name| !name.is_empty()) else {
                let accepted = "accepted: a string that no other row has".to_owned();
                plugins.problems.push(located(document, &place, format!("`name` is not a name; {accepted}")));
                continue;
            };
            if let Some((kind, config)) = plugins.read::<dyn StrategyConfig>(Family::Strategy, &place, &options) {
                strategies.push(StrategyRow { name: name.to_owned(), kind, config });
            }
        }
        problems = plugins.problems;
        let (Some((kind, backend)), Some((_, stream)), Some((_, backbone))) = (backend, stream, backbone) else {
            return Err(problems);
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let written_out = written_out(&root, &*backend, &*stream, &*backbone, &surrogate, &strategies);
        Ok(Experiment {
            name: root.name,
            protocol: root.protocol,
            seeds: root.seeds,
            baseline: root.baseline,
            references: root.references,
            backend: Backend { kind, config: backend.into() },
            stream,
            backbone: backbone.into(),
            device: root.device,
            surrogate: surrogate.flatten().map(|(_, config)| config),
            strategies,
            written_out,
        })
    }

    /// What a schema cannot say. Gives the keys that lead to each problem, and the problem.
    fn check(&self) -> Result<(), Vec<(Vec<String>, String)>> {
        let mut problems = vec![];
        let mut problem = |path: &[&str], message: String| {
            problems.push((path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>(), message));
        };
        self.check_names(&mut problem);
        self.check_strategies(&mut problem);
        self.check_files(&mut problem);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_names(&self, problem: &mut impl FnMut(&[&str], String)) {
        let names: Vec<_> = self.strategies.iter().map(|row| row.name.as_str()).collect();
        for (number, name) in names.iter().enumerate() {
            let reserved =
                [Reference::DevicesAlone, Reference::Joint].iter().any(|reference| reference.name() == *name);
            if reserved || names[..number].contains(name) {
                let message = format!(
                    "the row name \"{name}\" is taken; accepted: a `name` that no other row has (devices-alone and \
                     joint are the reference rows)"
                );
                problem(&["strategies", &number.to_string(), "name"], message);
            }
        }
        if let Some(baseline) = self.baseline.as_deref().filter(|baseline| !names.contains(baseline)) {
            let message = format!("`baseline` = \"{baseline}\" is no row's name; accepted: {}", names.join(" or "));
            problem(&["baseline"], message);
        }
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        if seeds.windows(2).any(|pair| pair[0] == pair[1]) {
            problem(&["seeds"], "`seeds` names a seed twice; accepted: different seeds".to_owned());
        }
    }

    fn check_strategies(&self, problem: &mut impl FnMut(&[&str], String)) {
        let scenario = self.stream.scenario();
        for (number, row) in self.strategies.iter().enumerate() {
            let number = number.to_string();
            let path = ["strategies", number.as_str()];
            let access = row.config.data_access();
            if let Some(reason) = self.protocol.refuses(access) {
                problem(&path, format!("the strategy \"{}\" {reason}", row.name));
            }
            if access >= DataAccess::Surrogate && access < DataAccess::CurrentTask && self.surrogate.is_none() {
                let message = format!(
                    "the strategy \"{}\" needs surrogate data, but there is no [surrogate] table; accepted: a [surrogate] \
                     table with a kind of `alluvium list surrogates`",
                    row.name
                );
                problem(&path, message);
            }
            if !row.config.supports(scenario) {
                problem(&path, format!("the strategy \"{}\" does not work on a stream of {scenario}", row.name));
            }
            if let Err(error) = row.config.build() {
                problem(&path, error.to_string());
            }
        }
    }

    fn check_files(&self, problem: &mut impl FnMut(&[&str], String)) {
        let compute = match self.backend.config.open() {
            Ok(compute) => compute,
            Err(error) => return problem(&["backend"], error.to_string()),
        };
        if let Some(Err(error)) = self.surrogate.as_ref().map(|surrogate| surrogate.build()) {
            problem(&["surrogate"], error.to_string());
        }
        match self.stream.build(Seed::new(self.seeds[0])) {
            Err(error) => problem(&["stream"], error.to_string()),
            Ok(stream) => {
                if let Err(error) = self.backbone.build(stream.input(), &compute) {
                    problem(&["backbone"], error.to_string());
                }
            }
        }
    }
}

/// Reads plugins' tables and collects what is wrong with them.
struct Plugins<'a> {
    document: &'a Document,
    problems: Vec<ConfigProblem>,
}

impl Plugins<'_> {
    fn read<C: ?Sized>(&mut self, family: Family, path: &[&str], table: &Map<String, Value>) -> Option<(String, Box<C>)>
    where
        Box<C>: DeserializeOwned,
    {
        let mut options = table.clone();
        let kind = match options.remove("kind") {
            Some(Value::String(kind)) => kind,
            _ => {
                let linked = alluvium_registry::described(family);
                let linked: Vec<_> = linked.iter().map(|one| format!("\"{}\"", one.kind)).collect();
                let message = format!("`kind` is missing or no string; accepted: {}", linked.join(" or "));
                self.problems.push(located(self.document, &[path, &["kind"]].concat(), message));
                return None;
            }
        };
        let description = match find(family, &kind) {
            Ok(description) => description,
            Err(error) => {
                self.problems.push(located(self.document, &[path, &["kind"]].concat(), error.to_string()));
                return None;
            }
        };
        let schema = (description.schema)().to_value();
        let found = check_table(&schema, &Value::Object(options));
        if !found.is_empty() {
            self.problems.extend(found.into_iter().map(|one| with_place(self.document, path, one)));
            return None;
        }
        match serde_json::from_value(Value::Object(table.clone())) {
            Ok(config) => Some((kind, config)),
            Err(error) => {
                let message = format!("cannot be read ({error}); `alluvium show {kind}` lists what is accepted");
                self.problems.push(located(self.document, path, message));
                None
            }
        }
    }
}

/// A problem of a table, placed in the document.
fn with_place(document: &Document, table: &[&str], problem: Problem) -> ConfigProblem {
    let inner: Vec<_> = problem.path.iter().map(String::as_str).collect();
    let mut placed = located(document, &[table, &inner].concat(), problem.to_string());
    if table.is_empty() {
        placed.table = String::new(); // The problem names its keys in full.
    }
    placed
}

fn located<S: AsRef<str>>(document: &Document, path: &[S], message: String) -> ConfigProblem {
    let path: Vec<String> = path.iter().map(|key| key.as_ref().to_owned()).collect();
    let table = match path.as_slice() {
        [table, number, ..] if table == "strategies" => match number.parse::<usize>() {
            Ok(number) => format!("[[strategies]] {}", number + 1),
            Err(_) => "[[strategies]]".to_owned(),
        },
        [table, ..] if document.root.get(table).is_some_and(Value::is_object) => format!("[{table}]"),
        _ => String::new(),
    };
    ConfigProblem { place: document.place(&path), table, message }
}

/// The configuration with all defaults, as the results keep it.
fn written_out(
    root: &RootTable,
    backend: &dyn BackendConfig,
    stream: &dyn StreamConfig,
    backbone: &dyn BackboneConfig,
    surrogate: &Option<Option<(String, Box<dyn SurrogateConfig>)>>,
    strategies: &[StrategyRow],
) -> Value {
    let json = |written: Result<Value, serde_json::Error>| written.unwrap_or(Value::Null);
    let mut all = json(serde_json::to_value(root));
    all["backend"] = json(serde_json::to_value(backend));
    all["stream"] = json(serde_json::to_value(stream));
    all["backbone"] = json(serde_json::to_value(backbone));
    if let Some(Some((_, surrogate))) = surrogate {
        all["surrogate"] = json(serde_json::to_value(surrogate));
    }
    let rows = strategies.iter().map(|row| {
        let mut table = json(serde_json::to_value(&row.config));
        table["name"] = row.name.clone().into();
        table
    });
    all["strategies"] = Value::Array(rows.collect());
    all
}
