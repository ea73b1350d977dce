//! Rules that a schema cannot express: names, data access, files, and whether the parts fit together.

mod devices;
mod own_networks;

use std::collections::HashMap;
use std::sync::Arc;

use alluvium_device::DeviceRun;
use alluvium_model::{BackboneFacts, ClassifierFacts, HeadShape, InputShape, Seed, is_default_classifier};
use alluvium_strategy::{DataAccess, RunDescription, StrategyError, SurrogateConfig, SurrogateError, fits_in_memory};
use alluvium_stream::ValueType;
use burn::tensor::Device;
use serde_json::Value;

use super::inputs::misfit;
use crate::experiment::{Experiment, KnownParts};
use crate::finding::Finding;
use crate::initial::ClassifierUse;
use crate::protocol::Protocol;
use crate::reference::Reference;

/// The most names that a message lists.
const NAMES_SHOWN: usize = 12;

/// Checks experiments. Parts that several variants have in common are built once.
#[derive(Default)]
pub(crate) struct Rules {
    backends: HashMap<String, Result<Device, String>>,
    streams: HashMap<String, Result<StreamFacts, String>>,
    backbones: HashMap<String, Result<Arc<BackboneFacts>, String>>,
    initials: HashMap<String, Result<String, String>>,
    surrogates: HashMap<String, Result<(), String>>,
}

/// Facts about a stream that was built.
struct StreamFacts {
    devices: usize,
    input: InputShape,
    class_names: Vec<String>,
    value_type: ValueType,
    notes: Vec<String>,
}

/// The findings in one experiment.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The problems. Their paths lead through the written-out configuration.
    pub(crate) findings: Vec<Finding>,
    /// The number of devices, one for each task of the stream.
    pub(crate) devices: usize,
    /// The digest of the file with the first weights, if one is named.
    pub(crate) initial: Option<String>,
    /// The notes of the stream on its data.
    pub(crate) notes: Vec<String>,
    /// What was found out about the parts.
    pub(crate) known: KnownParts,
}

impl Rules {
    pub(crate) fn judge(&mut self, experiment: &Experiment) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.names(experiment);
        let mut of_parts = Verdict::default();
        let known = self.parts(experiment, &mut of_parts);
        verdict.strategies(experiment, &known);
        verdict.findings.append(&mut of_parts.findings);
        self.surrogates(experiment, &known, &mut verdict);
        Verdict { findings: verdict.findings, known, ..of_parts }
    }

    /// Builds stream and backbone once, to check that their files exist and that the parts fit together, and to learn what
    /// strategies are checked against.
    fn parts(&mut self, experiment: &Experiment, verdict: &mut Verdict) -> KnownParts {
        let written = &experiment.written_out;
        let [backend, stream, backbone] = ["backend", "stream", "backbone"].map(|table| written[table].to_string());
        let mut known = KnownParts::default();
        let build = || {
            let stream = experiment.stream.build(Seed::new(experiment.seeds[0])).map_err(|error| error.to_string())?;
            Ok(StreamFacts {
                devices: stream.tasks(),
                input: stream.input(),
                value_type: stream.value_type(),
                class_names: stream.class_names().to_vec(),
                notes: stream.notes(),
            })
        };
        let (mut class_names, mut value_type) = (&vec![], ValueType::default());
        match self.streams.entry(stream.clone()).or_insert_with(build) {
            Ok(built) => {
                verdict.devices = experiment.device.tasks().map_or(built.devices, |tasks| tasks.len());
                verdict.notes.clone_from(&built.notes);
                verdict.absent_devices(experiment);
                (class_names, value_type) = (&built.class_names, built.value_type);
                known.stream = Some((built.input, verdict.devices));
            }
            Err(error) => verdict.plugin_says(&["stream"], &written["stream"], error),
        }
        let open = || experiment.backend.config.open().map_err(|error| error.to_string());
        match self.backends.entry(backend.clone()).or_insert_with(open) {
            Err(error) => verdict.plugin_says(&["backend"], &written["backend"], error),
            Ok(compute) => {
                let Some((input, tasks)) = known.stream else { return known };
                if let Some(message) = misfit(experiment.backbone.as_ref(), experiment.stream.typetag_name(), input) {
                    verdict.wrong(&["backbone", "kind"], message);
                    return known;
                }
                let build = || {
                    let facts = BackboneFacts::of(experiment.backbone.as_ref(), input, compute);
                    facts.map(Arc::new).map_err(|error| error.to_string())
                };
                match self.backbones.entry(format!("{backend} {input} {backbone}")).or_insert_with(build) {
                    Ok(facts) => known.backbone = Some(facts.clone()),
                    Err(error) => {
                        verdict.plugin_says(&["backbone"], &written["backbone"], error);
                        return known;
                    }
                }
                let latent_size = known.backbone.as_ref().map_or(0, |facts| facts.latent_size);
                // Any number of classes will do.
                let head = HeadShape { input, latent_size, classes: 2 };
                match ClassifierFacts::of(experiment.classifier.as_ref(), head, compute) {
                    Ok(facts) => known.classifier = Some(facts.into()),
                    Err(error) => verdict.plugin_says(&["classifier"], &written["classifier"], &error.to_string()),
                }
                verdict.kept_classifier(experiment);
                if let Some(initial) = experiment.initial.as_ref().filter(|_| known.backbone.is_some()) {
                    let open = || {
                        let file = initial.open(&experiment.backbone, input, class_names, compute);
                        file.map(|file| file.digest).map_err(|error| error.to_string())
                    };
                    let key = format!("{backend} {stream} {backbone} {}", written["initial"]);
                    match self.initials.entry(key).or_insert_with(open) {
                        Ok(digest) => verdict.initial = Some(digest.clone()),
                        Err(error) => verdict.plugin_says(&["initial"], &written["initial"], error),
                    }
                }
                let backbone = &experiment.backbone;
                let classifier = &experiment.classifier;
                let run = DeviceRun { input, value_type, backbone, classifier, class_names, tasks, compute };
                verdict.devices_fit(experiment, &run);
                if let Some(own) = &experiment.own_networks {
                    known.unlike_backbone = verdict.own_networks_fit(experiment, own, &run);
                }
            }
        }
        known
    }

    /// Checks all surrogate data that rows use.
    fn surrogates(&mut self, experiment: &Experiment, known: &KnownParts, verdict: &mut Verdict) {
        let written = &experiment.written_out;
        if let Some(config) = &experiment.surrogate {
            // Rows may have their own protocol. The strictest row that uses these data decides.
            let users = experiment
                .strategies
                .iter()
                .filter(|row| row.surrogate.is_none() && experiment.surrogate_of(row).is_some())
                .map(|row| &row.protocol);
            let strictest = users.min_by_key(|protocol| protocol.grants()).unwrap_or(&experiment.protocol);
            let run = experiment.describe(strictest, known);
            self.surrogate(
                experiment,
                config.as_ref(),
                (strictest, &run),
                &["surrogate"],
                &written["surrogate"],
                verdict,
            );
        }
        for (index, row) in experiment.strategies.iter().enumerate() {
            if let Some(config) = &row.surrogate {
                let (number, table) = (index.to_string(), &written["strategies"][index]["surrogate"]);
                let path = ["strategies", number.as_str(), "surrogate"];
                let run = experiment.describe(&row.protocol, known);
                self.surrogate(experiment, config.as_ref(), (&row.protocol, &run), &path, table, verdict);
            }
        }
    }

    /// Checks that surrogate data fit the run and can be built, and that they are not data that the centre must not see.
    fn surrogate(
        &mut self,
        experiment: &Experiment,
        config: &dyn SurrogateConfig,
        (protocol, run): (&Protocol, &RunDescription),
        path: &[&str],
        table: &Value,
        verdict: &mut Verdict,
    ) {
        let own = experiment.stream.kinds();
        if let Some(kind) = config.stream_kinds().into_iter().find(|kind| own.contains(kind))
            && protocol.grants() < DataAccess::AllTasks
        {
            let message = format!(
                "the surrogate data are of the stream \"{kind}\", as are the devices' own data, which the centre must not \
                 see; accepted: a stream of another kind, or a protocol with grants = \"all-tasks\""
            );
            verdict.wrong(path, message);
        }
        let check = || {
            config.validate(run)?;
            let surrogate = config.build(run)?;
            run.input.map_or(Ok(()), |input| fits_in_memory(surrogate.samples(), input))
        };
        let words = |error| match error {
            error @ SurrogateError::Misfit { .. } => {
                format!("the surrogate data \"{}\" {error}", config.typetag_name())
            }
            error => error.to_string(),
        };
        // Surrogate data may depend on everything that they are told.
        let key = format!("{table} {run:?}");
        if let Err(error) = self.surrogates.entry(key).or_insert_with(|| check().map_err(words)) {
            verdict.plugin_says(path, table, error);
        }
    }
}

impl Verdict {
    fn names(&mut self, experiment: &Experiment) {
        let names: Vec<_> = experiment.strategies.iter().map(|row| row.name.as_str()).collect();
        for (number, name) in names.iter().enumerate() {
            let reserved = Reference::ALL.iter().any(|row| row.name() == *name);
            if reserved || names[..number].contains(name) {
                let message = format!(
                    "the row name \"{name}\" is taken; accepted: a `name` that no other row has (devices-alone, joint \
                     and joint-all-heads are the reference rows)"
                );
                self.wrong(&["strategies", &number.to_string(), "name"], message);
            }
        }
        if let Some(baseline) = experiment.baseline.as_deref().filter(|baseline| !names.contains(baseline)) {
            let more = names.len().saturating_sub(NAMES_SHOWN);
            let mut accepted = names[..names.len() - more].join(" or ");
            if more > 0 {
                accepted.push_str(&format!(" or {more} others; without `baseline`, `alluvium check` lists them"));
            }
            self.wrong(
                &["baseline"],
                format!("`baseline` = \"{baseline}\" is not the name of a row; accepted: {accepted}"),
            );
        }
        for (number, seed) in experiment.seeds.iter().enumerate() {
            if experiment.seeds[..number].contains(seed) {
                let message = format!("`seeds` names the seed {seed} twice; accepted: different seeds");
                self.wrong(&["seeds", &number.to_string()], message);
            }
        }
    }

    /// Messages name a strategy by its kind, so that rows that differ in an option have the same problem.
    fn strategies(&mut self, experiment: &Experiment, known: &KnownParts) {
        for (index, row) in experiment.strategies.iter().enumerate() {
            let kind = &row.kind;
            let number = index.to_string();
            let path = ["strategies", number.as_str()];
            let access = row.data_access;
            if let Some(reason) = row.protocol.refuses(access) {
                self.wrong(&path, format!("the strategy \"{kind}\" {reason}"));
            }
            let statistics = row.config.statistics();
            if let Some(statistic) = statistics.first().filter(|_| !row.protocol.statistics()) {
                let message = format!(
                    "the strategy \"{kind}\" asks devices for the statistic \"{}\" of their samples, but the protocol \
                     \"{}\" has statistics = false; accepted: a strategy that asks for none, or statistics = true",
                    statistic.name(),
                    row.protocol.kind.name(),
                );
                self.wrong(&path, message);
            }
            if access == DataAccess::Surrogate && experiment.surrogate_of(row).is_none() {
                let message = format!(
                    "the strategy \"{kind}\" needs surrogate data, but there is no [surrogate] table; accepted: a \
                     [surrogate] table with a kind of `alluvium list surrogates`"
                );
                self.wrong(&path, message);
            }
            if access != DataAccess::Surrogate && row.surrogate.is_some() {
                let message = format!(
                    "`surrogate` is named, but the strategy \"{kind}\" uses no surrogate data (its data access is \
                     {access}); accepted: no `surrogate` in this row"
                );
                self.wrong(&[&path[..], &["surrogate"]].concat(), message);
            }
            let run = experiment.describe(&row.protocol, known);
            let fits = row.config.validate(&run).and_then(|()| row.config.build(&run));
            if let Err(error) = fits {
                let message = match error {
                    error @ StrategyError::Misfit { .. } => format!("the strategy \"{kind}\" {error}"),
                    error => error.to_string(),
                };
                self.plugin_says(&path, &experiment.written_out["strategies"][index], &message);
            }
        }
    }

    /// Checks that the heads of a file with first weights are those of the experiment's classifier.
    fn kept_classifier(&mut self, experiment: &Experiment) {
        let keeps = experiment.initial.as_ref().is_some_and(|initial| initial.classifier == ClassifierUse::Keep);
        if keeps && !is_default_classifier(&experiment.classifier) {
            let message = format!(
                "`classifier` = \"keep\" keeps linear heads, but the experiment has the classifier \"{}\"; accepted: \
                 \"drop\", or no [classifier] table",
                experiment.classifier.typetag_name()
            );
            self.wrong(&["initial", "classifier"], message);
        }
    }

    /// Checks that the devices that protocols name are devices of the stream.
    fn absent_devices(&mut self, experiment: &Experiment) {
        if let Some(message) = experiment.protocol.misnames(self.devices) {
            self.wrong(&["protocol", "absent_devices"], message);
        }
        // A row without its own protocol has that of the experiment.
        let own = experiment.strategies.iter().enumerate().filter(|(_, row)| row.protocol != experiment.protocol);
        let wrong: Vec<_> =
            own.filter_map(|(number, row)| Some((number.to_string(), row.protocol.misnames(self.devices)?))).collect();
        for (number, message) in wrong {
            self.wrong(&["strategies", &number, "protocol", "absent_devices"], message);
        }
    }

    /// Adds the message of a plugin that cannot be built from its table.
    fn plugin_says(&mut self, path: &[&str], table: &Value, message: &str) {
        let key = key_named(message, table);
        self.wrong(&[path, key.as_slice()].concat(), message.to_owned());
    }

    fn wrong(&mut self, path: &[&str], message: String) {
        let path: Vec<_> = path.iter().map(|key| (*key).to_owned()).collect();
        self.findings.push(Finding::of_table(&path, message));
    }
}

/// The key of a table that a plugin's message is about: the first key in backticks, or the key whose value (the name of a
/// file) the message begins with.
fn key_named<'a>(message: &'a str, table: &'a Value) -> Option<&'a str> {
    let table = table.as_object()?;
    let mut quoted = message.split('`').skip(1).step_by(2);
    let begins = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && message.starts_with(text));
    let named = quoted.find(|key| table.contains_key(*key));
    named.or_else(|| table.iter().find(|(_, value)| begins(value)).map(|(key, _)| key.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_about_the_key_that_it_names() {
        let table = json!({"kind": "single-image", "image": "no.png", "tasks": 2});
        assert_eq!(key_named("`classes` × `tasks` = 240, but the data have 62", &table), Some("tasks"));
        assert_eq!(key_named("no.png: No such file or directory", &table), Some("image"));
        assert_eq!(key_named("out of memory", &table), None);
    }
}
