//! What crosses between devices and centre, over random streams and protocols. The results state what the centre itself saw
//! come and go. The centre never sees data that it was not granted. Devices that are under way together begin from one model.
//! One client in one round is centralised training.
//!
//! The observer at the centre is the strategy `witness`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use alluvium_config::{ConfigSource, Experiment, Variant, read_all};
use alluvium_device::{ClassificationLoss, Terms, train};
use alluvium_experiment::{DirectoryOptions, RunDirectory, RunOptions, Unobserved};
use alluvium_model::{Digest, HeadSpec, Model, ModelState, Random, Seed, Silent};
use alluvium_report::summary_csv;
use alluvium_results::{Cell, Metric, Results};
use alluvium_strategy::TaskDataset;
use rand::RngExt as _;
use tempfile::TempDir;

use crate::tiny;
use crate::witness::{Observations, SEEN, size, without_heads};

/// A comparison of one row, of a random stream under a random protocol.
struct Case {
    name: String,
    seed: u64,
    protocol: &'static str,
    /// How many devices are under way at a time.
    concurrency: usize,
    latent: usize,
    wants: &'static str,
    statistic: bool,
    hands_out: bool,
    text: String,
}

fn case(number: usize, random: &mut Random) -> Case {
    let tasks = random.random_range(1..=4);
    let (classes, samples) = (random.random_range(2..=3), random.random_range(4..=12));
    let stream = match random.random_range(0..5) {
        0 => String::new(),
        1 => "shift = \"label-skew\"\nconcentration = 0.5\n".to_owned(),
        2 => "shared_classes = 1\n".to_owned(),
        3 => "rounds = 2\n".to_owned(),
        _ => "size_ratio = 0.3\n".to_owned(),
    };
    let concurrency = random.random_range(1..=3);
    let (protocol, options) = match number % 3 {
        0 => {
            let arrival = ["in-order", "reversed", "shuffled"][random.random_range(0..3)];
            let never_return = [0.0, 0.4, 1.0][random.random_range(0..3)];
            ("dcl", format!(", arrival = \"{arrival}\", never_return = {never_return}, concurrency = {concurrency}"))
        }
        1 => {
            let fraction = [0.3, 0.5, 1.0][random.random_range(0..3)];
            ("federated", format!(", rounds = {}, client_fraction = {fraction}", random.random_range(1..=3)))
        }
        _ => ("centralised", String::new()),
    };
    let wants =
        if protocol == "centralised" { "current-task" } else { ["none", "surrogate"][random.random_range(0..2)] };
    let (statistic, hands_out) = (random.random_range(0..2) == 0, random.random_range(0..2) == 0);
    let (name, seed, latent) = (format!("case-{number}"), random.random_range(0..1000), random.random_range(2..=9));
    let stream =
        format!("tasks = {tasks}\nclasses_per_task = {classes}\ntrain_samples_per_class = {samples}\n{stream}");
    let witness = format!("wants = \"{wants}\"\nstatistic = {statistic}\nhands_out = {hands_out}\n");
    let device = "epochs = 1";
    let text = comparison(&name, seed, &format!("kind = \"{protocol}\"{options}"), &stream, latent, device, &witness);
    Case { name, seed, protocol, concurrency, latent, wants, statistic, hands_out, text }
}

/// A comparison whose one row is a witness.
fn comparison(
    name: &str,
    seed: u64,
    protocol: &str,
    stream: &str,
    latent: usize,
    device: &str,
    witness: &str,
) -> String {
    format!(
        r#"
name = "{name}"
protocol = {{ {protocol} }}
seeds = [{seed}]
references = []

[backend]
kind = "flex"

[stream]
kind = "split-glyphs"
{stream}

[backbone]
kind = "mlp"
layers = [{latent}]

[device]
{device}

[surrogate]
kind = "noise"
samples = 4

[[strategies]]
kind = "witness"
case = "{name}"
{witness}"#
    )
}

/// Reads the comparison.
fn read(folder: &Path, name: &str, text: &str) -> Vec<Variant> {
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    read_all(ConfigSource::File(&file), None, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Runs the comparison.
fn run(folder: &Path, name: &str, text: &str) -> (Experiment, Results) {
    let mut variants = read(folder, name, text);
    let options = DirectoryOptions { fresh: true, cache: None, cache_bytes: u64::MAX };
    let directory = RunDirectory::open(&folder.join(name), &variants, &options).unwrap();
    let run = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = alluvium_experiment::run(&variants[0].experiment, &run).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}\n{text}", outcome.failures);
    (variants.remove(0).experiment, outcome.results)
}

/// The heads of a stream's tasks.
fn heads(experiment: &Experiment, seed: u64) -> Vec<HeadSpec> {
    let stream = experiment.stream.build(Seed::new(seed)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap().head).collect()
}

/// The size of each model that a device can have taken, by the digest of its weights. It is the model that the strategy hands
/// out. Where devices are under way together, it has all heads that tasks share.
fn models_to_take(case: &Case, heads: &[HeadSpec], seen: &Observations) -> BTreeMap<Digest, u64> {
    let together = case.protocol == "federated" || case.protocol == "dcl" && case.concurrency > 1;
    let is_shared = |head: &&HeadSpec| heads.iter().filter(|other| other.name == head.name).count() > 1;
    let model = |central: &ModelState| {
        let mut model = if case.hands_out { without_heads(central) } else { central.clone() };
        for head in heads.iter().filter(is_shared).filter(|_| together) {
            model.grow_head(head, case.latent, Seed::new(case.seed));
        }
        (model.digest(), size(&model))
    };
    seen.centres.iter().map(model).collect()
}

/// The bytes that each device took and sent, and its contacts, as the witness counts them. `None` for a device that never came
/// back.
fn counted(experts: &[(usize, u64, u64)], devices: usize) -> (Vec<Option<u64>>, Vec<u64>, Vec<u64>) {
    let (mut down, mut up, mut contacts) = (vec![None; devices], vec![0; devices], vec![1; devices]);
    for (task, taken, sent) in experts {
        if down[*task].is_none() {
            contacts[*task] = 0;
        }
        *down[*task].get_or_insert(0) += taken;
        up[*task] += sent;
        contacts[*task] += 2;
    }
    (down, up, contacts)
}

/// The bytes that had moved after each consolidation: those of all experts so far, and of the models that devices under way had
/// taken.
fn moved(case: &Case, experts: &[(usize, u64, u64)], rounds: &[usize]) -> Vec<u64> {
    let mut came = 0;
    let after = |together: &usize| {
        came += together;
        let under_way = if case.protocol == "dcl" { case.concurrency - 1 } else { 0 };
        let taken = experts.iter().take(came + under_way).map(|(_, taken, _)| taken).sum::<u64>();
        taken + experts[..came].iter().map(|(_, _, sent)| sent).sum::<u64>()
    };
    rounds.iter().map(after).collect()
}

/// The sums of all selections.
fn sums(values: &[u64]) -> BTreeSet<u64> {
    values.iter().fold(BTreeSet::from([0]), |sums, value| sums.iter().flat_map(|sum| [*sum, sum + value]).collect())
}

fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len() as f64
}

/// The mean of a metric in the text of `summary.csv`.
fn stated(summary: &str, metric: Metric) -> f64 {
    let line = summary.lines().find(|line| line.split(',').nth(1) == Some(metric.name())).expect("a line");
    line.split(',').nth(2).unwrap().parse().unwrap()
}

/// The bytes of what goes beside the model to a device on one of its visits.
fn beside(experiment: &Experiment, seed: u64, device: usize, visit: usize) -> u64 {
    let first = Seed::new(seed).at("device", device);
    let seed = if visit == 0 { first } else { first.at("visit", visit) };
    let settings = serde_json::to_value(&experiment.device).unwrap();
    let statistics = experiment.strategies[0].config.statistics();
    let statistics = statistics.iter().map(|statistic| statistic.name().to_owned()).collect();
    Terms { device, visit, seed, settings, statistics, beside: Default::default(), backbone: None }.bytes().unwrap()
}

fn agrees(experiment: &Experiment, case: &Case, heads: &[HeadSpec], cell: &Cell, summary: &str, seen: &Observations) {
    let (devices, text) = (heads.len(), &case.text);
    if case.protocol == "centralised" {
        assert_eq!((&cell.bytes_down, &cell.bytes_up), (&vec![0; devices], &vec![0; devices]));
        assert_eq!((&cell.contacts, &cell.moved_bytes), (&vec![0; devices], &vec![0; devices]));
        return;
    }
    let models = models_to_take(case, heads, seen);
    let taken = |parent| *models.get(parent).unwrap_or_else(|| panic!("a device took a model of its own\n{text}"));
    let mut visits = vec![0; devices];
    let mut with_terms = |task: usize, parent| {
        visits[task] += 1;
        taken(parent) + beside(experiment, case.seed, task, visits[task] - 1)
    };
    let experts: Vec<_> =
        seen.experts.iter().map(|(task, sent, parent)| (*task, with_terms(*task, parent), *sent)).collect();
    let (down, up, contacts) = counted(&experts, devices);
    assert_eq!(cell.bytes_up, up, "{text}");
    let mut lost = vec![];
    for (device, taken) in down.iter().enumerate() {
        let stated = cell.bytes_down[device];
        match (taken, case.protocol) {
            (Some(taken), _) => {
                assert_eq!((stated, cell.contacts[device]), (*taken, contacts[device]), "{text}");
            }
            // The device only took a model. A client that was never drawn took none.
            (None, "dcl") => {
                let terms = beside(experiment, case.seed, device, 0);
                assert!(models.values().any(|bytes| *bytes + terms == stated), "{stated}: {models:?}\n{text}");
                assert_eq!(cell.contacts[device], 1, "{text}");
                lost.push(stated);
            }
            (None, _) => assert_eq!((stated, cell.contacts[device]), (0, 0), "{text}"),
        }
    }
    let moved = moved(case, &experts, &seen.rounds);
    assert_eq!(cell.moved_bytes.len(), moved.len(), "{text}");
    let (lost, mut before) = (sums(&lost), 0);
    for (stated, known) in cell.moved_bytes.iter().zip(&moved) {
        // The rest was taken by devices that never returned.
        let more = stated.checked_sub(*known).unwrap_or_else(|| panic!("{stated} of {known} bytes\n{text}"));
        assert!(lost.contains(&more) && more >= before, "{more} of {lost:?} after {before}\n{text}");
        before = more;
    }
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
    // The number of cases with lost devices, with statistics, with surrogate data, with a separate model to hand out, and with
    // heads that devices under way together share.
    let mut met = [0; 5];
    for number in 0..36 {
        let case = case(number, &mut random);
        let (experiment, results) = run(folder.path(), &case.name, &case.text);
        let heads = heads(&experiment, case.seed);
        let cell = &results.rows[0].cells[0];
        let summary = summary_csv(&results).unwrap();
        let all = SEEN.lock().unwrap();
        let seen = &all[&case.name];
        agrees(&experiment, &case, &heads, cell, &summary, seen);
        let consolidations = seen.rounds.len();
        assert_eq!(seen.with_statistics, if case.statistic { seen.experts.len() } else { 0 }, "{}", case.text);
        assert_eq!(seen.with_surrogate, if case.wants == "surrogate" { consolidations } else { 0 }, "{}", case.text);
        match case.protocol {
            "dcl" => {
                assert!(seen.rounds.iter().all(|experts| *experts == 1), "{}", case.text);
                assert!(cell.contacts.iter().all(|contacts| *contacts <= 2), "{}", case.text);
                assert_eq!(seen.with_samples, 0, "{}", case.text);
            }
            "federated" => assert_eq!(seen.with_samples, 0, "{}", case.text),
            // The counter does count: here samples are granted.
            _ => assert_eq!(seen.with_samples, heads.len(), "{}", case.text),
        }
        if case.protocol != "centralised" {
            let shares = heads[1..].iter().any(|head| *head == heads[0]) && case.protocol == "federated";
            let has = [cell.contacts.contains(&1), case.statistic, case.wants == "surrogate", case.hands_out, shares];
            met.iter_mut().zip(has).for_each(|(count, has)| *count += usize::from(has));
        }
    }
    assert!(met.iter().all(|count| *count > 0), "some of these never occur: {met:?}");
}

/// McMahan et al., arXiv 1602.05629, Algorithm 1: every client of a round begins from the same w. A device that takes steps of
/// length 0 sends what it began from.
#[test]
fn devices_that_are_under_way_together_begin_from_one_model() {
    let folder = TempDir::new().unwrap();
    let stream = "tasks = 3\nclasses_per_task = 2\ntrain_samples_per_class = 9\nshift = \"label-skew\"";
    for (name, protocol) in [
        ("round", "kind = \"federated\", rounds = 1"),
        ("overlap", "kind = \"dcl\", concurrency = 3"),
        ("in turn", "kind = \"dcl\""),
    ] {
        let device = "epochs = 1\nlearning_rate = 0.0";
        let text = comparison(name, 4, protocol, stream, 5, device, "wants = \"none\"\n");
        let (experiment, results) = run(folder.path(), name, &text);
        let all = SEEN.lock().unwrap();
        let seen = &all[name];
        assert_eq!((seen.experts.len(), seen.weights.len()), (3, 1), "{name}: the experts have the same weights");
        let down = &results.rows[0].cells[0].bytes_down;
        let (bare, with_head) = (size(&seen.centres[0]), size(seen.centres.last().unwrap()));
        assert!(bare < with_head);
        // One after another, the first device grows the head and the others take it from the centre.
        let first = if name == "in turn" { bare } else { with_head };
        let mut models = [first, with_head, with_head];
        models.iter_mut().enumerate().for_each(|(device, bytes)| *bytes += beside(&experiment, 4, device, 0));
        assert_eq!(*down, models, "{name}");
    }
}

#[test]
fn a_strategy_that_changes_its_mind_is_granted_what_it_said_at_first() {
    let folder = TempDir::new().unwrap();
    let stream = "tasks = 3\nclasses_per_task = 2\ntrain_samples_per_class = 5";
    for honest in 1..=4 {
        let name = format!("fickle-{honest}");
        let witness = format!("wants = \"none\"\nhonest = {honest}\n");
        let text = comparison(&name, 0, "kind = \"dcl\"", stream, 4, "epochs = 1", &witness);
        let (_, results) = run(folder.path(), &name, &text);
        let all = SEEN.lock().unwrap();
        let seen = &all[&name];
        assert_eq!((seen.rounds.len(), seen.with_samples, seen.with_surrogate), (3, 0, 0), "{name}");
        assert_eq!(results.rows[0].data_access, "none", "{name}");
    }
}

#[test]
fn samples_that_are_asked_for_under_dcl_are_refused_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    let stream = "tasks = 2\nclasses_per_task = 2\ntrain_samples_per_class = 5";
    for wants in ["current-task", "all-tasks"] {
        let witness = format!("wants = \"{wants}\"\n");
        let text = comparison("greedy", 0, "kind = \"dcl\"", stream, 4, "epochs = 1", &witness);
        let file = folder.path().join("greedy.toml");
        fs::write(&file, text).unwrap();
        let error = read_all(ConfigSource::File(&file), None, None).unwrap_err().to_string();
        assert!(error.contains("\"dcl\" grants surrogate data only"), "{error}");
    }
}

/// The last central model of a run with one consolidation.
fn central_model(out: &Path) -> ModelState {
    let entries =
        fs::read_dir(out.join("cache")).unwrap().map(|entry| entry.unwrap().path().join("central.safetensors"));
    let centres: Vec<_> = entries.filter_map(|file| fs::read(file).ok()).collect();
    assert_eq!(centres.len(), 1, "one consolidation");
    ModelState::from_bytes(&centres[0]).unwrap()
}

/// McMahan et al., arXiv 1602.05629: with one client that holds all data, E local epochs and one round, federated averaging is
/// stochastic gradient descent on those data.
#[test]
fn one_client_in_one_round_is_centralised_training_bit_for_bit() {
    let folder = TempDir::new().unwrap();
    let (tables, _) = tiny::TINY.split_once("[[strategies]]").unwrap();
    let tables = tables.replace("tasks = 3\nclasses_per_task = 2", "tasks = 1\nclasses_per_task = 6");
    let tables = tables.replace("seeds = [0, 1]\nbaseline = \"naive\"", "seeds = [3]");
    let row = "kind = \"fedavg\"\nprotocol = { kind = \"federated\", rounds = 1, client_fraction = 1.0 }";
    let text = format!("{tables}\n[[strategies]]\n{row}\n");
    let (experiment, results) = run(folder.path(), "one", &text);
    let averaged = central_model(&folder.path().join("one"));
    assert_eq!(results.rows[0].cells[0].contacts, [2]);

    // The same without protocol, device or strategy: a model learns all samples, on one thread as in a run.
    let centralised = || {
        let compute = experiment.backend.config.open().unwrap();
        let (root, learning) = (Seed::new(3), compute.clone().autodiff());
        let seed = root.at("device", 0);
        let stream = experiment.stream.build(root).unwrap();
        let task = stream.task(0).unwrap();
        let mut start = ModelState::initial(experiment.backbone.clone(), stream.input(), root, &compute).unwrap();
        start.grow_head(&task.head, 8, seed); // The last layer of the backbone has 8 outputs.
        let mut model = Model::load(&start, &learning).unwrap();
        let all = [TaskDataset { head: &task.head, samples: &task.train }];
        let (own, settings) = (ClassificationLoss::OwnHead, experiment.device.training().unwrap());
        let steps = train(own, &mut model, &all, settings, &learning, seed, &Silent).unwrap();
        (start, model.state(), steps)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (start, trained, steps) = pool.install(centralised);
    assert_eq!(steps, 8, "120 samples in batches of 16");
    assert_ne!(start.digest(), trained.digest());
    assert_eq!((&averaged.heads, averaged.digest()), (&trained.heads, trained.digest()), "every bit of the weights");
}
