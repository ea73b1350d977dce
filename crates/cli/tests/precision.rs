//! Mixed precision: a backend whose tensors have burn's number type `flex32` runs everything that one of `f32` does.
//!
//! GPUs have it; of the backends for the processor only `ndarray` takes it, and computes with 32-bit numbers all the same.

mod tiny;

use std::fs;
use std::path::Path;

use alluvium_backend::registry::{Family, describe};
use alluvium_backend::{BackendConfig, BackendError, Precision};
use alluvium_experiment::{DirectoryOptions, RunDirectory, RunOptions, Unobserved, read_all};
use alluvium_results::Results;
use burn::tensor::{Device, FloatDType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// Links the plugins of the shipped binary.
use alluvium_cli as _;

/// Runs `ndarray` in mixed precision.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mixed {}

describe!(Family::Backend, "mixed", Mixed, paper: "none");

#[typetag::serde(name = "mixed")]
impl BackendConfig for Mixed {
    #[allow(deprecated)]
    fn open(&self) -> Result<Device, BackendError> {
        let mut device = Device::ndarray();
        let wrong = |cause| BackendError { kind: "mixed".to_owned(), cause };
        Precision::Mixed.settle(&mut device).map_err(wrong)?;
        Ok(device)
    }
}

/// What a small comparison of strategies with and without gradient steps gives.
fn compare(folder: &Path, backend: &str) -> Results {
    let file = folder.join(format!("{backend}.toml"));
    let more = "[[strategies]]\nkind = \"fisher-merging\"\n\n[[strategies]]\nkind = \"ewc\"\nepochs = 1\n";
    let protocol = "kind = \"dcl\", grants = \"current-task\"";
    fs::write(&file, format!("{}\n{more}", tiny::TINY.replace("kind = \"dcl\"", protocol))).unwrap();
    let variants = read_all(&file, Some(backend), Some(vec![0])).unwrap();
    let directory = RunDirectory::open(&folder.join(backend), &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "" };
    let outcome = variants[0].experiment.run(&options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome.results
}

#[test]
fn a_comparison_in_mixed_precision_gives_what_one_in_full_precision_gives() {
    let folder = tiny::folder();
    let (mixed, full) = (compare(folder.path(), "mixed"), compare(folder.path(), "flex"));
    #[allow(deprecated)]
    let settled = Device::ndarray().settings().float_dtype;
    assert_eq!(settled, FloatDType::Flex32);
    assert_eq!(mixed.rows.len(), 6, "four strategies and two references");
    for (mixed, full) in mixed.rows.iter().zip(&full.rows) {
        // Another backend rounds differently, and training makes that larger: up to 3 of the test set's images a task.
        let (found, expected) = (&mixed.cells[0].expert_accuracy, &full.cells[0].expert_accuracy);
        assert_eq!(found.len(), expected.len(), "{}", mixed.name);
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.03),
            "{}: {found:?} {expected:?}",
            mixed.name
        );
    }
}

#[test]
fn a_device_is_settled_once() {
    // `flex` knows 32-bit numbers alone.
    let error = Precision::Mixed.settle(&mut Device::flex()).unwrap_err();
    assert!(error.contains("accepted for `precision`: full"), "{error}");
    Precision::Full.settle(&mut Device::flex()).unwrap();
    Precision::Full.settle(&mut Device::flex()).unwrap();
    #[allow(deprecated)]
    let mut device = Device::ndarray();
    Precision::Mixed.settle(&mut device).unwrap();
    Precision::Mixed.settle(&mut device).unwrap();
    let error = Precision::Full.settle(&mut device).unwrap_err();
    assert!(error.contains("settled earlier") && error.contains("Flex32"), "{error}");
}
