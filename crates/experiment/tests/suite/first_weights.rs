//! A run whose central model begins with the weights of a file.

use std::fs;
use std::path::Path;

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::{DirectoryError, DirectoryOptions, Outcome, RunDirectory, RunOptions, Unobserved, run};
use alluvium_model::{HeadSpec, ModelState, Seed, Values};
use tempfile::TempDir;

use crate::doubles::COMPARISON;
use crate::run::numbers;

/// The comparison with one seed and an `[initial]` table.
fn variants(initial: &str) -> Vec<Variant> {
    let text = COMPARISON.replace("[device]", &format!("{initial}\n[device]"));
    read_all(ConfigSource::BuiltIn { name: "doubles.toml", text: &text }, None, None).unwrap_or_else(|e| panic!("{e}"))
}

fn run_in(folder: &Path, variants: &[Variant]) -> Outcome {
    let directory = RunDirectory::open(folder, variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome
}

/// The initial model of the comparison under a seed.
fn model(seed: u64) -> ModelState {
    let experiment = variants("").remove(0).experiment;
    let input = experiment.stream.build(Seed::new(0)).unwrap().input();
    ModelState::initial(experiment.backbone, input, Seed::new(seed), &burn::tensor::Device::flex()).unwrap()
}

fn table(path: &Path, keys: &str) -> String {
    format!("[initial]\nfile = \"{}\"\n{keys}", path.display())
}

#[test]
fn the_weights_of_the_file_are_the_first_weights() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("first.safetensors");
    let run_of = |name: &str, initial: &str| run_in(&folder.path().join(name), &variants(initial));
    let drawn = run_of("drawn", "");
    // The weights that the seed 0 would draw, from a file: the same numbers.
    fs::write(&path, model(0).to_bytes().unwrap()).unwrap();
    assert_eq!(numbers(&run_of("same", &table(&path, "")).results), numbers(&drawn.results));
    fs::write(&path, model(5).to_bytes().unwrap()).unwrap();
    let other = run_of("other", &table(&path, ""));
    assert_ne!(numbers(&other.results), numbers(&drawn.results));
    let digest = other.results.config["initial"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(other.results.first_weights(), Some((path.to_str().unwrap(), digest.as_str())));
    assert_eq!(drawn.results.first_weights(), None);
}

#[test]
fn a_file_that_changed_is_not_mistaken_for_the_old_one() {
    let folder = TempDir::new().unwrap();
    let (path, directory) = (folder.path().join("first.safetensors"), folder.path().join("run"));
    fs::write(&path, model(5).to_bytes().unwrap()).unwrap();
    let before = variants(&table(&path, ""));
    let first = run_in(&directory, &before);
    assert!(first.stages.computed > 0);
    assert_eq!(run_in(&directory, &variants(&table(&path, ""))).stages.computed, 0);

    fs::write(&path, model(6).to_bytes().unwrap()).unwrap();
    // Changed after the configuration was read.
    let opened = RunDirectory::open(&directory, &before, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &opened, variant: "", models: false };
    let error = run(&before[0].experiment, &options).unwrap_err().to_string();
    assert!(
        error.contains("first.safetensors: has the `digest`") && error.contains("accepted: the file whose"),
        "{error}"
    );
    drop(opened);
    // Changed between two runs.
    let changed = variants(&table(&path, ""));
    let error = RunDirectory::open(&directory, &changed, &DirectoryOptions::default()).unwrap_err();
    assert!(matches!(error, DirectoryError::OtherConfiguration { .. }), "{error}");
    assert!(error.to_string().contains("initial.digest: "), "{error}");
}

#[test]
fn a_classifier_that_is_kept_is_the_head_of_its_task() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("first.safetensors");
    let mut first = model(5);
    let latents = first.backbone.build(first.input, &burn::tensor::Device::flex()).unwrap().latent_size();
    let weights = [
        ("weight".to_owned(), Values::new(vec![latents, 2], vec![0.5; 2 * latents])),
        ("bias".to_owned(), Values::new(vec![2], vec![1.0, -1.0])),
    ];
    first.set_head(HeadSpec { name: "any".to_owned(), classes: vec![0, 1] }, weights.into_iter().collect());
    fs::write(&path, first.to_bytes().unwrap()).unwrap();
    let of = |name: &str, keys: &str| run_in(&folder.path().join(name), &variants(&table(&path, keys))).results;
    let dropped = of("dropped", "");
    let classes = dropped.tasks[0].classes.clone();
    let keys = |classes: &[String]| format!("classifier = \"keep\"\nclasses = {classes:?}");
    let kept = of("kept", &keys(&classes));
    assert_ne!(numbers(&kept), numbers(&dropped));
    // More bytes reach the first device: the head comes with the central model.
    let down = |results: &alluvium_results::Results| results.row("blend").unwrap().cells[0].bytes_down[0];
    assert!(down(&kept) > down(&dropped));

    let text = COMPARISON
        .replace("[device]", &format!("{}\n[device]", table(&path, &keys(&["nothing".to_owned(), "else".to_owned()]))));
    let error =
        read_all(ConfigSource::BuiltIn { name: "doubles.toml", text: &text }, None, None).unwrap_err().to_string();
    assert!(error.contains("has the class `nothing`, which the stream does not have; accepted: "), "{error}");
}
