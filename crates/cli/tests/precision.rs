//! A backend whose tensors have another number type than `f32` runs everything that a backend of `f32` runs. A GPU in mixed
//! precision has `flex32`. No backend for the processor computes with that, so `flex` with numbers of 64 bits stands in for it.
//!
//! This is a binary of its own, because the number type is a setting of the whole process.

#[allow(dead_code, reason = "only the comparison is needed here")]
#[path = "suite/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use alluvium_backend::{BackendConfig, BackendError, options, plugin};
use alluvium_config::{ConfigSource, read_all};
use alluvium_experiment::{DirectoryOptions, RunDirectory, RunOptions, Unobserved};
use alluvium_results::Results;
use burn::tensor::{DType, Device, FloatDType, Tensor};

// Links the plugins of the shipped binary.
use alluvium_cli as _;

/// Runs `flex` with numbers of 64 bits.
#[options]
struct Double {}

#[plugin(kind = "double", paper = "none")]
impl BackendConfig for Double {
    fn open(&self) -> Result<Device, BackendError> {
        let mut device = Device::flex();
        let settled = device.configure(FloatDType::F64);
        let cause = || format!("{settled:?}");
        match device.settings().float_dtype {
            FloatDType::F64 => Ok(device),
            _ => Err(BackendError { kind: "double".to_owned(), cause: cause() }),
        }
    }
}

/// What a small comparison of strategies with and without gradient steps gives.
fn compare(folder: &Path, backend: &str) -> Results {
    let file = folder.join(format!("{backend}.toml"));
    let more = "[[strategies]]\nkind = \"fisher-merging\"\n\n[[strategies]]\nkind = \"ewc\"\nepochs = 1\n";
    let protocol = "kind = \"dcl\", grants = \"current-task\"";
    fs::write(&file, format!("{}\n{more}", tiny::TINY.replace("kind = \"dcl\"", protocol))).unwrap();
    let variants = read_all(ConfigSource::File(&file), Some(backend), Some(vec![0])).unwrap();
    let directory = RunDirectory::open(&folder.join(backend), &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = alluvium_experiment::run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome.results
}

#[test]
fn a_comparison_in_another_number_type_gives_what_one_in_f32_gives() {
    let folder = tiny::folder();
    let (double, single) = (compare(folder.path(), "double"), compare(folder.path(), "ndarray"));
    let dtype = Tensor::<1>::zeros([1], &Device::flex()).dtype();
    assert_eq!(dtype, DType::F64, "new tensors have the type that was settled");
    assert_eq!(double.rows.len(), 6, "four strategies and two references");
    for (double, single) in double.rows.iter().zip(&single.rows) {
        // Another backend rounds differently, and training makes that larger.
        let (found, expected) = (&double.cells[0].expert_accuracy, &single.cells[0].expert_accuracy);
        assert_eq!(found.len(), expected.len(), "{}", double.name);
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.03),
            "{}: {found:?} {expected:?}",
            double.name
        );
    }
}
