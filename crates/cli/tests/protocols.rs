//! What crosses between devices and centre, over random streams and protocols: what the results state is what the centre
//! itself saw come and go, and what it was not granted it never sees.
//!
//! The observer on the centre's side is a strategy. It weighs every expert that it is given, and knows from the digest of an
//! expert's parent which model its device had taken. It knows nothing of the boundary, which counts for the results.

mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use alluvium_cli as _;
use alluvium_experiment::{DirectoryOptions, RunDirectory, RunOptions, Unobserved, read_all};
use alluvium_model::{Digest, Expert, ModelState, Random, Seed};
use alluvium_registry::{Family, describe};
use alluvium_report::summary_csv;
use alluvium_results::{Cell, Metric, Results};
use alluvium_strategy::{Context, DataAccess, Strategy, StrategyConfig, StrategyError};
use rand::RngExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Keeps the newest expert, and notes all that it sees under the name of its case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WitnessConfig {
    case: String,
    wants: DataAccess,
}

describe!(Family::Strategy, "witness", WitnessConfig, paper: "");

#[typetag::serde(name = "witness")]
impl StrategyConfig for WitnessConfig {
    fn data_access(&self) -> DataAccess {
        self.wants
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Witness { case: self.case.clone() }))
    }
}

#[derive(Debug)]
struct Witness {
    case: String,
}

/// What a witness saw.
#[derive(Debug, Default)]
struct Seen {
    /// The size of each central model, by the digest of its weights.
    centres: BTreeMap<Digest, u64>,
    /// Of each expert: its task, its size, and the digest of the model that its device took.
    experts: Vec<(usize, u64, Digest)>,
    /// How many experts came together, each time.
    rounds: Vec<usize>,
    /// Consolidations in which samples of a device could be reached.
    with_samples: usize,
}

static SEEN: Mutex<BTreeMap<String, Seen>> = Mutex::new(BTreeMap::new());

fn size(model: &ModelState) -> u64 {
    model.to_bytes().unwrap().len() as u64
}

impl Strategy for Witness {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.consolidate_round(previous, &[expert], context)
    }

    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut all = SEEN.lock().unwrap();
        let seen = all.entry(self.case.clone()).or_default();
        seen.centres.insert(previous.digest(), size(previous));
        seen.rounds.push(experts.len());
        seen.with_samples += usize::from(context.current_task().is_ok() || context.all_tasks().is_ok());
        let mut central = previous.clone();
        for expert in experts {
            let bytes = expert.to_bytes().unwrap().len() as u64;
            seen.experts.push((expert.manifest.task, bytes, expert.manifest.parent.clone()));
            central = central.with_backbone_weights(expert.model.backbone_weights());
            central.set_head(expert.head().clone(), expert.model.head_weights(expert.head()));
        }
        seen.centres.insert(central.digest(), size(&central));
        Ok(central)
    }
}

/// A comparison of one row, of a random stream under a random protocol.
struct Case {
    name: String,
    devices: usize,
    protocol: &'static str,
    text: String,
}

fn case(number: usize, random: &mut Random) -> Case {
    let devices = random.random_range(1..=5);
    let (classes, samples) = (random.random_range(2..=3), random.random_range(4..=12));
    let stream = match random.random_range(0..3) {
        0 => String::new(),
        1 => "shift = \"label-skew\"\nconcentration = 0.5\n".to_owned(),
        _ => "shared_classes = 1\n".to_owned(),
    };
    let (protocol, options) = match number % 3 {
        0 => {
            let arrival = ["in-order", "reversed", "shuffled"][random.random_range(0..3)];
            let never_return = [0.0, 0.4, 1.0][random.random_range(0..3)];
            let concurrency = random.random_range(1..=3);
            ("dcl", format!(", arrival = \"{arrival}\", never_return = {never_return}, concurrency = {concurrency}"))
        }
        1 => {
            let fraction = [0.3, 0.5, 1.0][random.random_range(0..3)];
            ("federated", format!(", rounds = {}, client_fraction = {fraction}", random.random_range(1..=3)))
        }
        _ => ("centralised", String::new()),
    };
    let wants = if protocol == "centralised" { "current-task" } else { "none" };
    let (name, seed) = (format!("case-{number}"), random.random_range(0..1000));
    let text = format!(
        r#"
name = "{name}"
protocol = {{ kind = "{protocol}"{options} }}
seeds = [{seed}]
references = []

[backend]
kind = "flex"

[stream]
kind = "split-glyphs"
tasks = {devices}
classes_per_task = {classes}
train_samples_per_class = {samples}
{stream}
[backbone]
kind = "mlp"
layers = [{}]

[device]
epochs = 1

[[strategies]]
kind = "witness"
case = "{name}"
wants = "{wants}"
"#,
        random.random_range(2..=9)
    );
    Case { name, devices, protocol, text }
}

/// Runs the comparison.
fn run(folder: &Path, name: &str, text: &str) -> Results {
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    let variants = read_all(&file, None, None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let options = DirectoryOptions { fresh: true, cache: None, cache_bytes: u64::MAX };
    let directory = RunDirectory::open(&folder.join(name), &variants, &options).unwrap();
    let run = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "" };
    let outcome = variants[0].experiment.run(&run).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}\n{text}", outcome.failures);
    outcome.results
}

/// What each device took, sent and met, as the witness counts it. `None` for what a device took that never came back.
fn counted(seen: &Seen, devices: usize) -> (Vec<Option<u64>>, Vec<u64>, Vec<u64>) {
    let (mut down, mut up, mut contacts) = (vec![None; devices], vec![0; devices], vec![1; devices]);
    for (task, bytes, parent) in &seen.experts {
        let taken = seen.centres.get(parent).unwrap_or_else(|| panic!("a device took a model that was never central"));
        if down[*task].is_none() {
            contacts[*task] = 0;
        }
        *down[*task].get_or_insert(0) += taken;
        up[*task] += bytes;
        contacts[*task] += 2;
    }
    (down, up, contacts)
}

fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len() as f64
}

/// The mean of a metric in the text of `summary.csv`.
fn stated(summary: &str, metric: Metric) -> f64 {
    let line = summary.lines().find(|line| line.split(',').nth(1) == Some(metric.name())).expect("a line");
    line.split(',').nth(2).unwrap().parse().unwrap()
}

fn agrees(case: &Case, cell: &Cell, summary: &str, seen: &Seen) {
    let (down, up, contacts) = counted(seen, case.devices);
    if case.protocol == "centralised" {
        assert_eq!((&cell.bytes_down, &cell.bytes_up), (&vec![0; case.devices], &vec![0; case.devices]));
        assert_eq!(cell.contacts, vec![0; case.devices]);
        return;
    }
    assert_eq!(cell.bytes_up, up, "{}", case.text);
    for (device, taken) in down.iter().enumerate() {
        let stated = cell.bytes_down[device];
        match (taken, case.protocol) {
            (Some(taken), _) => {
                assert_eq!((stated, cell.contacts[device]), (*taken, contacts[device]), "{}", case.text);
            }
            // It took one of the central models, and that was all; a client that was never drawn did not even that.
            (None, "dcl") => {
                assert!(
                    seen.centres.values().any(|bytes| *bytes == stated),
                    "{stated}: {:?}\n{}",
                    seen.centres,
                    case.text
                );
                assert_eq!(cell.contacts[device], 1, "{}", case.text);
            }
            (None, _) => assert_eq!((stated, cell.contacts[device]), (0, 0), "{}", case.text),
        }
    }
    let moved: u64 = cell.bytes_down.iter().chain(&cell.bytes_up).sum();
    let lost_after_the_last = *cell.moved_bytes.last().unwrap() <= moved;
    assert!(lost_after_the_last && cell.moved_bytes.is_sorted(), "{:?} of {moved}", cell.moved_bytes);
    for (metric, values) in
        [(Metric::BytesDown, &cell.bytes_down), (Metric::BytesUp, &cell.bytes_up), (Metric::Contacts, &cell.contacts)]
    {
        // The file has bytes as whole numbers, and counts with three decimals.
        assert!((stated(summary, metric) - mean(values)).abs() <= 0.5, "{metric}: {summary}");
    }
}

#[test]
fn bytes_and_contacts_are_those_that_the_centre_saw() {
    let folder = TempDir::new().unwrap();
    let mut random = Seed::new(7).of("protocols").random();
    let mut lost = 0;
    for number in 0..24 {
        let case = case(number, &mut random);
        let results = run(folder.path(), &case.name, &case.text);
        let cell = &results.rows[0].cells[0];
        let summary = summary_csv(&results).unwrap();
        let all = SEEN.lock().unwrap();
        let seen = &all[&case.name];
        agrees(&case, cell, &summary, seen);
        lost += cell.contacts.iter().filter(|contacts| **contacts == 1).count();
        match case.protocol {
            "dcl" => {
                assert!(seen.rounds.iter().all(|experts| *experts == 1), "{}", case.text);
                assert!(cell.contacts.iter().all(|contacts| *contacts <= 2), "{}", case.text);
                assert_eq!(seen.with_samples, 0, "{}", case.text);
            }
            "federated" => assert_eq!(seen.with_samples, 0, "{}", case.text),
            // The counter does count: here samples are granted.
            _ => assert_eq!(seen.with_samples, case.devices, "{}", case.text),
        }
    }
    assert!(lost > 0, "no device was lost: the cases say nothing about those");
}

#[test]
fn samples_that_are_asked_for_under_dcl_are_refused_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    let case = case(0, &mut Seed::new(1).random());
    assert_eq!(case.protocol, "dcl");
    for wants in ["current-task", "all-tasks"] {
        let text = case.text.replace("wants = \"none\"", &format!("wants = \"{wants}\""));
        let file = folder.path().join("greedy.toml");
        fs::write(&file, text).unwrap();
        let error = read_all(&file, None, None).unwrap_err().to_string();
        assert!(error.contains("\"dcl\" grants surrogate data only"), "{error}");
    }
}

/// The digest of each row's last central model.
fn central_models(out: &Path) -> BTreeMap<String, serde_json::Value> {
    let entries = fs::read_dir(out.join("cache")).unwrap().map(|entry| entry.unwrap().path().join("record.json"));
    let records = entries.filter_map(|file| fs::read_to_string(file).ok());
    let records = records.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    let consolidations = records.filter(|record| record["inputs"]["stage"]["what"] == "consolidation");
    let kind = |record: &serde_json::Value| record["inputs"]["stage"]["strategy"]["kind"].as_str().unwrap().to_owned();
    consolidations.map(|record| (kind(&record), record["record"]["central"].clone())).collect()
}

/// McMahan et al., arXiv 1602.05629: with one client that holds all data, E local epochs and one round, federated averaging is
/// stochastic gradient descent on those data.
#[test]
fn one_client_in_one_round_is_centralised_training_bit_for_bit() {
    let folder = TempDir::new().unwrap();
    let (tables, _) = tiny::TINY.split_once("[[strategies]]").unwrap();
    let tables = tables.replace("tasks = 3\nclasses_per_task = 2", "tasks = 1\nclasses_per_task = 6");
    let tables = tables.replace("seeds = [0, 1]\nbaseline = \"naive\"", "seeds = [3]");
    let text = format!(
        "{tables}
[[strategies]]
kind = \"fedavg\"
protocol = {{ kind = \"federated\", rounds = 1 }}

[[strategies]]
kind = \"finetune\"
protocol = {{ kind = \"centralised\" }}
"
    );
    let results = run(folder.path(), "one", &text);
    let centres = central_models(&folder.path().join("one"));
    assert_eq!(centres.len(), 2, "{centres:?}");
    assert_eq!(centres["fedavg"], centres["finetune"], "architecture, heads and every bit of the weights");
    assert_eq!((results.rows[0].cells[0].contacts[0], results.rows[1].cells[0].contacts[0]), (2, 0));
}
