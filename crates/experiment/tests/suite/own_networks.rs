//! Devices with networks of their own: what is counted, what they start from, and that a run and an open centre give the same.

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_device::Terms;
use alluvium_experiment::{
    DeviceReport, DirectoryOptions, OpenCentre, OpenCentreOptions, RunDirectory, RunOptions, Unobserved, run,
};
use alluvium_model::Seed;
use alluvium_results::{Cell, Results};
use serde_json::json;
use tempfile::TempDir;

use crate::doubles::COMPARISON;
use crate::open::{announced, answer, compared, last_central};
use crate::run::numbers;

/// Four devices and a strategy that takes experts of any backbone.
fn variant(own: &str) -> Variant {
    let text = COMPARISON
        .replace("tasks = 2", "tasks = 4")
        .replace("kind = \"blend\"", "kind = \"gather\"")
        .replace("[device]", &format!("{own}\n[device]"));
    let source = ConfigSource::BuiltIn { name: "doubles.toml", text: &text };
    read_all(source, None, None).unwrap_or_else(|error| panic!("{error}")).remove(0)
}

fn own(keys: &str) -> String {
    format!("[own_networks]\nbackbone = {{ kind = \"_conformance-narrow\" }}\n{keys}\n")
}

const EVERY_SECOND: &str = "every = 2";
const DISTILLED: &str = "every = 2\nstart = \"distilled\"";

fn results(own: &str) -> Results {
    compared(TempDir::new().unwrap().path(), variant(own))
}

fn cell(results: &Results) -> &Cell {
    &results.row("gather").unwrap().cells[0]
}

/// The bytes of what goes to a device beside the model.
fn beside(variant: &Variant, device: usize) -> u64 {
    let experiment = &variant.experiment;
    let settings = serde_json::to_value(&experiment.device).unwrap();
    let backbone = experiment.own_network_of(device).map(|_| json!({"kind": "_conformance-narrow"}));
    let seed = Seed::new(0).at("device", device);
    let terms = Terms { device, visit: 0, seed, settings, statistics: vec![], beside: Default::default(), backbone };
    terms.bytes().unwrap()
}

/// The central models' sizes, by their number of heads.
fn central_sizes(equal: &Cell) -> Vec<u64> {
    let variant = variant("");
    (0..4).map(|device| equal.bytes_down[device] - beside(&variant, device)).collect()
}

#[test]
fn what_a_device_with_its_own_network_gets_and_sends_is_counted() {
    let (equal, drawn, distilled) = (results(""), results(&own(EVERY_SECOND)), results(&own(DISTILLED)));
    let sizes = central_sizes(cell(&equal));
    for (results, keys, taken) in [(&drawn, EVERY_SECOND, [0, 0]), (&distilled, DISTILLED, [sizes[1], sizes[3]])] {
        let variant = variant(&own(keys));
        // Devices 2 and 4 take no weights, or the central model to learn from.
        let expected = [sizes[0], taken[0], sizes[2], taken[1]];
        let expected: Vec<_> = (0..4).map(|device| expected[device] + beside(&variant, device)).collect();
        assert_eq!(cell(results).bytes_down, expected, "{keys}");
        for (device, (own, like)) in cell(results).bytes_up.iter().zip(&cell(&equal).bytes_up).enumerate() {
            // Three latents in place of four save four rows of the layer with their bias, and two weights of the head.
            let narrower = u64::from(device % 2 == 1) * 4 * (4 + 1 + 2);
            assert!(
                (*like - narrower).abs_diff(*own) < 16,
                "{keys}, {device}: {own}, {like}: header aside, as counted"
            );
        }
        assert_eq!(cell(results).contacts, [2; 4]);
    }
    assert!(
        drawn.notes.iter().any(|note| note.contains("devices 2, 4 (\"_conformance-narrow\")")),
        "{:?}",
        drawn.notes
    );
    assert_eq!(drawn.config["own_networks"]["start"], "own");
}

#[test]
fn a_network_that_starts_from_its_own_weights_gains_nothing_and_a_distilled_one_is_another() {
    let (drawn, distilled) = (results(&own(EVERY_SECOND)), results(&own(DISTILLED)));
    for device in [1, 3] {
        let cell = cell(&drawn);
        assert_eq!(cell.expert_accuracy[device], cell.alone_accuracy[device], "the same adaptation as alone");
    }
    // The devices are alone as before: nobody distils there.
    assert_eq!(cell(&drawn).alone_accuracy, cell(&distilled).alone_accuracy);
    let similarity = |results: &Results| cell(results).latent_similarity.clone();
    assert_eq!(similarity(&drawn).len(), 4, "latents of different sizes are compared, too");
    let (one, other) = (similarity(&drawn), similarity(&distilled));
    assert_eq!((one[0], one[2]), (other[0], other[2]));
    assert!(one[1] != other[1] && one[3] != other[3], "{one:?}, {other:?}");
}

#[test]
fn while_the_centre_has_learned_nothing_there_is_nothing_to_distil() {
    let [drawn, distilled] =
        ["own", "distilled"].map(|start| results(&own(&format!("devices = [1]\nstart = \"{start}\""))));
    let first = |results: &Results| {
        let cell = cell(results);
        (cell.bytes_down[0], cell.expert_accuracy[0], cell.latent_similarity[0])
    };
    assert_eq!(first(&drawn), first(&distilled));
    // The next device takes a central model of the centre's own backbone.
    assert_eq!(cell(&drawn).bytes_down[1], cell(&results("")).bytes_down[1]);
}

#[test]
fn no_device_of_its_own_is_as_without_the_table() {
    let (without, none) = (results(""), results(&own("every = 0")));
    assert_eq!(numbers(&without), numbers(&none));
    assert!(none.notes.is_empty(), "{:?}", none.notes);
}

#[test]
fn a_run_is_continued_with_the_same_numbers() {
    for keys in [EVERY_SECOND, DISTILLED] {
        let folder = TempDir::new().unwrap();
        let whole = compared(folder.path(), variant(&own(keys)));
        // Every second stage is lost.
        let cache = std::fs::read_dir(folder.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
        let mut stages: Vec<_> = cache.filter(|entry| entry.join("record.json").exists()).collect();
        stages.sort();
        stages.iter().step_by(2).for_each(|stage| std::fs::remove_dir_all(stage).unwrap());
        let variants = [variant(&own(keys))];
        let directory = RunDirectory::open(folder.path(), &variants, &DirectoryOptions::default()).unwrap();
        let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
        let outcome = run(&variants[0].experiment, &options).unwrap();
        assert!(outcome.stages.computed > 0 && outcome.stages.reused > 0, "{:?}", outcome.stages);
        assert_eq!(numbers(&outcome.results), numbers(&whole), "{keys}");
    }
}

#[test]
fn an_open_centre_hands_out_the_same_and_ends_with_the_same_model() {
    for keys in [EVERY_SECOND, DISTILLED] {
        let [folder, whole] = [(); 2].map(|()| TempDir::new().unwrap());
        compared(whole.path(), variant(&own(keys)));
        let open = || OpenCentre::open(folder.path(), variant(&own(keys)), &OpenCentreOptions::default()).unwrap();
        let stream = variant("").experiment.stream.build(Seed::new(0)).unwrap();
        let mut centre = open();
        for index in 0..4 {
            let task = stream.task(index).unwrap();
            let visit = centre.hand_out(&announced(&task)).unwrap();
            // The process is killed, and finds the visit again.
            drop(centre);
            centre = open();
            let again = centre.under_way().unwrap().remove(0);
            let digests = |taken: &alluvium_device::HandOut| {
                (taken.model.digest(), taken.teacher.as_ref().map(|teacher| teacher.digest()))
            };
            assert_eq!(digests(&again.hand_out), digests(&visit.hand_out));
            let (has_own, learns) = (index % 2 == 1, index % 2 == 1 && keys == DISTILLED);
            assert_eq!((again.hand_out.terms.backbone.is_some(), again.hand_out.teacher.is_some()), (has_own, learns));
            centre.receive(again.number, answer(&task, &again.hand_out), DeviceReport::default()).unwrap();
        }
        let central = centre.central().unwrap();
        assert_eq!(central.digest(), last_central(whole.path()), "{keys}");
    }
}
