//! Devices that send only what changed: the same numbers as with whole models, fewer bytes, and stages that are found again.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::{
    DeviceReport, DirectoryOptions, OpenCentre, OpenCentreOptions, Outcome, RunDirectory, RunOptions, Unobserved, run,
};
use alluvium_model::{Digest, Weights};
use alluvium_results::{Accuracy, Cell};
use tempfile::TempDir;

use crate::doubles::COMPARISON;
use crate::open::{announced, answer, last_central, tasks};
use crate::run::numbers;

const CHANGES: &str = "sends = \"changes\"";
const LORA: &str = "lora = { rank = 1, alpha = 2.0 }";

/// The comparison with these lines in its table `[device]`.
fn variants(device: &str) -> Vec<Variant> {
    let text = COMPARISON.replace("epochs = 1", &format!("epochs = 1\n{device}"));
    let source = ConfigSource::BuiltIn { name: "doubles.toml", text: &text };
    read_all(source, None, None).unwrap_or_else(|error| panic!("{error}"))
}

fn run_in(folder: &Path, device: &str) -> Outcome {
    let variants = variants(device);
    let directory = RunDirectory::open(folder, &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome
}

fn cell(outcome: &Outcome) -> &Cell {
    &outcome.results.rows[0].cells[0]
}

fn accuracies(outcome: &Outcome) -> (Vec<f64>, &Accuracy) {
    (cell(outcome).expert_accuracy.clone(), &cell(outcome).accuracy)
}

/// The folders of all stages.
fn stages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let mut stages: Vec<_> = entries.filter(|entry| entry.join("record.json").exists()).collect();
    stages.sort();
    stages
}

/// The folders of the stages of this name.
fn named(folder: &Path, what: &str) -> Vec<PathBuf> {
    let text = format!("\"what\": \"{what}\"");
    let mut stages = stages(folder);
    stages.retain(|stage| fs::read_to_string(stage.join("record.json")).unwrap().contains(&text));
    assert!(!stages.is_empty(), "no stage is called {what}");
    stages
}

/// The size of the largest expert in a run directory.
fn largest_expert(folder: &Path) -> u64 {
    let size = |stage: PathBuf| fs::metadata(stage.join("expert.safetensors")).map(|file| file.len()).unwrap_or(0);
    stages(folder).into_iter().map(size).max().unwrap()
}

#[test]
fn the_numbers_are_those_of_whole_models() {
    let [whole, changes] = [(); 2].map(|()| TempDir::new().unwrap());
    let (sent, received) = (run_in(whole.path(), ""), run_in(changes.path(), CHANGES));
    assert_eq!(accuracies(&sent), accuracies(&received));
    assert_eq!(last_central(whole.path()), last_central(changes.path()));
    let largest = cell(&received).bytes_up.iter().max().copied();
    assert_eq!(largest, Some(largest_expert(changes.path())), "what is counted is what is stored");
}

#[test]
fn tensors_that_do_not_change_are_not_sent_and_not_counted() {
    let [whole, changes] = [(); 2].map(|()| TempDir::new().unwrap());
    let still = "learning_rate = 0.0";
    let (sent, received) = (run_in(whole.path(), still), run_in(changes.path(), &format!("{still}\n{CHANGES}")));
    assert_eq!(accuracies(&sent), accuracies(&received));
    // The backbone has a weight of 4 × 4 and a bias of 4, with four bytes each. Each device adds a head.
    for (device, (all, new)) in cell(&sent).bytes_up.iter().zip(&cell(&received).bytes_up).enumerate() {
        assert!(new + 4 * (16 + 4) <= *all, "device {device} sends {new} bytes instead of {all}");
    }
    // The settings are handed out as text: they are longer by the difference of the words "changes" and "model".
    let longer = |(one, other): (&u64, &u64)| other - one;
    let longer: Vec<_> = cell(&sent).bytes_down.iter().zip(&cell(&received).bytes_down).map(longer).collect();
    assert_eq!(longer, [2, 2]);
    assert!(largest_expert(changes.path()) + 80 <= largest_expert(whole.path()));
}

#[test]
fn a_run_goes_on_whatever_part_of_its_cache_is_lost() {
    for sent in [CHANGES, LORA] {
        let folder = TempDir::new().unwrap();
        let whole = run_in(folder.path(), sent);
        assert_eq!(run_in(folder.path(), sent).stages.computed, 0, "everything is stored");
        for lost in 0..stages(folder.path()).len() {
            fs::remove_dir_all(&stages(folder.path())[lost]).unwrap();
            let again = run_in(folder.path(), sent);
            assert_eq!(again.stages.computed, 1, "{:?}", again.repairs);
            assert_eq!(numbers(&again.results), numbers(&whole.results));
        }
        // Without the consolidations, the experts are read again: the second one with the parent that is computed again.
        for stage in named(folder.path(), "consolidation") {
            fs::remove_dir_all(stage).unwrap();
        }
        let again = run_in(folder.path(), sent);
        assert_eq!((again.stages.computed, numbers(&again.results)), (2, numbers(&whole.results)));
    }
}

#[test]
fn factors_are_sent_in_place_of_a_weight() {
    let [whole, factors] = [(); 2].map(|()| TempDir::new().unwrap());
    let (sent, received) = (run_in(whole.path(), ""), run_in(factors.path(), LORA));
    assert_ne!(accuracies(&sent).0, vec![0.0; 2]);
    assert_eq!(cell(&received).bytes_up.iter().max().copied(), Some(largest_expert(factors.path())));
    for stage in named(factors.path(), "adaptation") {
        let Ok(bytes) = fs::read(stage.join("expert.safetensors")) else { continue };
        let names = Weights::from_safetensors(&bytes).unwrap().0;
        let names: Vec<_> = names.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect();
        let of = |part: &str| names.iter().find(|(name, _)| name.ends_with(part)).map(|(_, shape)| shape.clone());
        assert_eq!((of("weight.left"), of("weight.right")), (Some(vec![4, 1]), Some(vec![1, 4])), "{names:?}");
        assert!(!names.iter().any(|(name, _)| name.starts_with("backbone.")), "{names:?}");
    }
}

#[test]
fn a_difference_whose_parent_is_lost_waits_until_the_parent_is_computed_again() {
    let folder = TempDir::new().unwrap();
    let whole = run_in(folder.path(), CHANGES);
    // The last consolidation needs the second expert, and the expert needs the first central model, whose file is lost.
    let consolidations = named(folder.path(), "consolidation");
    let is_last = |stage: &PathBuf| fs::read_to_string(stage.join("record.json")).unwrap().contains("\"index\": 1");
    let (last, first): (Vec<_>, Vec<_>) = consolidations.into_iter().partition(is_last);
    fs::remove_dir_all(&last[0]).unwrap();
    fs::remove_file(first[0].join("central.safetensors")).unwrap();
    let again = run_in(folder.path(), CHANGES);
    assert_eq!((again.stages.computed, again.repairs.len()), (2, 1), "{:?}", again.repairs);
    assert_eq!(numbers(&again.results), numbers(&whole.results));
}

fn open(folder: &Path) -> OpenCentre {
    let variant = variants(CHANGES).remove(0);
    OpenCentre::open(folder, variant, &OpenCentreOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn central(centre: &mut OpenCentre) -> Digest {
    centre.central().unwrap().digest()
}

#[test]
fn an_open_centre_keeps_what_was_sent_and_reads_it_with_the_model_that_it_handed_out() {
    let [folder, compared] = [(); 2].map(|()| TempDir::new().unwrap());
    run_in(compared.path(), "");
    let tasks = tasks();
    let mut centre = open(folder.path());
    for task in &tasks {
        let visit = centre.hand_out(&announced(task)).unwrap();
        let expert = answer(task, &visit.hand_out);
        assert!(expert.is_difference());
        // The process is killed, and the models that it had handed out are lost.
        drop(centre);
        for stage in stages(folder.path()) {
            _ = fs::remove_file(stage.join("central.safetensors"));
        }
        centre = open(folder.path());
        let other = answer(&tasks[0], &visit.hand_out);
        centre.receive(visit.number, expert, DeviceReport::default()).unwrap();
        assert!(centre.receive(visit.number, other, DeviceReport::default()).is_err());
    }
    let digest = central(&mut centre);
    assert_eq!(digest, last_central(compared.path()));
    drop(centre);
    for stage in named(folder.path(), "consolidation") {
        fs::remove_dir_all(stage).unwrap();
    }
    let mut centre = open(folder.path());
    assert_eq!(central(&mut centre), digest);
    let bytes_up = centre.close().unwrap().results.rows[0].cells[0].bytes_up.clone();
    assert_eq!(bytes_up.iter().max().copied(), Some(largest_expert(folder.path())));
}
