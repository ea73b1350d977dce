//! Rules that a schema cannot express: names, data access, files, and whether the parts fit together.

use std::collections::HashMap;

use alluvium_device::{DeviceRun, DeviceStart};
use alluvium_model::{InputShape, Seed};
use alluvium_strategy::{DataAccess, SurrogateConfig};
use burn::tensor::Device;
use serde_json::Value;

use crate::experiment::{Experiment, StrategyRow, same_devices};
use crate::finding::Finding;
use crate::protocol::{Protocol, ProtocolKind};
use crate::reference::Reference;

/// The most names that a message lists.
const NAMES_SHOWN: usize = 12;

/// Checks experiments. Parts that several variants have in common are built once.
#[derive(Default)]
pub(crate) struct Rules {
    backends: HashMap<String, Result<Device, String>>,
    streams: HashMap<String, Result<StreamFacts, String>>,
    backbones: HashMap<String, Result<(), String>>,
    initials: HashMap<String, Result<String, String>>,
    surrogates: HashMap<String, Result<(), String>>,
}

/// Facts about a stream that was built.
struct StreamFacts {
    devices: usize,
    input: InputShape,
    class_names: Vec<String>,
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
}

impl Rules {
    pub(crate) fn judge(&mut self, experiment: &Experiment) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.names(experiment);
        verdict.strategies(experiment);
        self.parts(experiment, &mut verdict);
        verdict
    }

    /// Builds every part once, to check that its files exist and that the parts fit together.
    fn parts(&mut self, experiment: &Experiment, verdict: &mut Verdict) {
        let written = &experiment.written_out;
        let [backend, stream, backbone] = ["backend", "stream", "backbone"].map(|table| written[table].to_string());
        let open = || experiment.backend.config.open().map_err(|error| error.to_string());
        let compute = match self.backends.entry(backend.clone()).or_insert_with(open) {
            Ok(compute) => compute.clone(),
            Err(error) => return verdict.plugin_says(&["backend"], &written["backend"], error),
        };
        if let Some(config) = &experiment.surrogate {
            // Rows may have their own protocol. The strictest row that uses these data decides.
            let users = experiment
                .strategies
                .iter()
                .filter(|row| row.surrogate.is_none() && experiment.surrogate_of(row).is_some())
                .map(|row| &row.protocol);
            let strictest = users.min_by_key(|protocol| protocol.grants()).unwrap_or(&experiment.protocol);
            self.surrogate(experiment, config.as_ref(), strictest, &["surrogate"], &written["surrogate"], verdict);
        }
        for (index, row) in experiment.strategies.iter().enumerate() {
            if let Some(config) = &row.surrogate {
                let (number, table) = (index.to_string(), &written["strategies"][index]["surrogate"]);
                let path = ["strategies", number.as_str(), "surrogate"];
                self.surrogate(experiment, config.as_ref(), &row.protocol, &path, table, verdict);
            }
        }
        let build = || {
            let stream = experiment.stream.build(Seed::new(experiment.seeds[0])).map_err(|error| error.to_string())?;
            Ok(StreamFacts {
                devices: stream.tasks(),
                input: stream.input(),
                class_names: stream.class_names().to_vec(),
                notes: stream.notes(),
            })
        };
        let (input, class_names) = match self.streams.entry(stream.clone()).or_insert_with(build) {
            Ok(built) => {
                verdict.devices = experiment.device.tasks().map_or(built.devices, |tasks| tasks.len());
                verdict.notes.clone_from(&built.notes);
                (built.input, &built.class_names)
            }
            Err(error) => return verdict.plugin_says(&["stream"], &written["stream"], error),
        };
        verdict.absent_devices(experiment);
        let build = || experiment.backbone.build(input, &compute).map(|_| ()).map_err(|error| error.to_string());
        if let Err(error) = self.backbones.entry(format!("{backend} {input} {backbone}")).or_insert_with(build) {
            return verdict.plugin_says(&["backbone"], &written["backbone"], error);
        }
        if let Some(initial) = &experiment.initial {
            let open = || {
                let file = initial.open(&experiment.backbone, input, class_names, &compute);
                file.map(|file| file.digest).map_err(|error| error.to_string())
            };
            let key = format!("{backend} {stream} {backbone} {}", written["initial"]);
            match self.initials.entry(key).or_insert_with(open) {
                Ok(digest) => verdict.initial = Some(digest.clone()),
                Err(error) => verdict.plugin_says(&["initial"], &written["initial"], error),
            }
        }
        let run = DeviceRun {
            input,
            backbone: &experiment.backbone,
            class_names,
            tasks: verdict.devices,
            compute: &compute,
        };
        verdict.devices_fit(experiment, &run);
    }

    /// Checks that surrogate data can be built, and that they are not data that the centre must not see.
    fn surrogate(
        &mut self,
        experiment: &Experiment,
        config: &dyn SurrogateConfig,
        protocol: &Protocol,
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
        let build = || config.build().map(|_| ()).map_err(|error| error.to_string());
        if let Err(error) = self.surrogates.entry(table.to_string()).or_insert_with(build) {
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
    fn strategies(&mut self, experiment: &Experiment) {
        let scenario = experiment.stream.scenario();
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
            if !row.config.supports(scenario) {
                self.wrong(&path, format!("the strategy \"{kind}\" does not work on a stream of {scenario}"));
            }
            if let Err(error) = row.config.build() {
                self.plugin_says(&path, &experiment.written_out["strategies"][index], &error.to_string());
            }
        }
    }

    /// Checks the devices of the experiment and of its rows.
    fn devices_fit(&mut self, experiment: &Experiment, run: &DeviceRun<'_>) {
        let written = &experiment.written_out;
        if let Err(error) = experiment.device.check(run) {
            self.plugin_says(&["device"], &written["device"], &error.to_string());
        }
        for (index, row) in experiment.strategies.iter().enumerate() {
            let own = !same_devices(&*row.device, &*experiment.device);
            let (number, table) = (index.to_string(), &written["strategies"][index]["device"]);
            if let Some(error) = own.then(|| row.device.check(run)).and_then(Result::err) {
                self.plugin_says(&["strategies", &number, "device"], table, &error.to_string());
            }
            if own && row.device.tasks() != experiment.device.tasks() {
                let message = "the row's devices have other tasks than those of the experiment; accepted: devices with \
                               the same tasks"
                    .to_owned();
                self.wrong(&["strategies", &number, "device"], message);
            }
            self.devices_serve(index, row);
        }
        if experiment.device.start() == DeviceStart::Initial && experiment.initial.is_none() {
            let message = format!(
                "the devices \"{}\" have experts that come from an initial model, but there is no [initial] table; \
                 accepted: [initial] with the `file` that the experts were trained from",
                experiment.device.typetag_name()
            );
            self.wrong(&["device", "kind"], message);
        }
        if experiment.device.training().is_none() && !experiment.evaluation.budgets.is_empty() {
            let message = format!(
                "`budgets` needs devices that train in this process, but the devices \"{}\" do not; accepted: no `budgets`",
                experiment.device.typetag_name()
            );
            self.wrong(&["evaluation", "budgets"], message);
        }
    }

    /// Checks that the devices of a row can give what its strategy and its protocol ask for.
    fn devices_serve(&mut self, index: usize, row: &StrategyRow) {
        let (strategy, devices, number) = (&row.kind, row.device.typetag_name(), index.to_string());
        let path = ["strategies", number.as_str()];
        if row.device.training().is_none() && row.data_access > DataAccess::Surrogate {
            let message = format!(
                "the strategy \"{strategy}\" needs {} data, but the devices \"{devices}\" keep their samples where this \
                 process cannot read them; accepted: a strategy whose data access is none or surrogate",
                row.data_access
            );
            self.wrong(&path, message);
        }
        if let Some(statistic) = row.config.statistics().first().filter(|_| !row.device.sends_statistics()) {
            let message = format!(
                "the strategy \"{strategy}\" asks devices for the statistic \"{}\" of their samples, but the devices \
                 \"{devices}\" send models only; accepted: a strategy that asks for no statistics",
                statistic.name()
            );
            self.wrong(&path, message);
        }
        if row.device.start() == DeviceStart::Initial && row.protocol.kind != ProtocolKind::Dcl {
            let message = format!(
                "the devices \"{devices}\" answer once, from the initial model, but under the protocol \"{}\" devices take \
                 the newest model; accepted: kind = \"dcl\"",
                row.protocol.kind.name()
            );
            let own = [&path[..], &["protocol", "kind"]].concat();
            self.wrong(&own, message);
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
