//! Tests of devices that are programs: a script that adapts, fails, hangs, or lies.

#![cfg(unix)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use alluvium_device::conformance::{PixelPairConfig, check_config, pixel_pairs};
use alluvium_device::{Beside, Terms};
use alluvium_model::{BackboneConfig, Seed, Silent, Values};
use alluvium_stream::TaskStream;

use super::*;
use crate::files::{DESCRIPTION, REPORT};

/// A script in Python: it moves every weight by 1 and adds a head of zeros.
const SCRIPT: &str = include_str!("../tests/device.py");

/// Whether this machine can run the script. If not, a test says so and is left out.
fn has_python() -> bool {
    let found = files::found("python3").is_some();
    if !found {
        // Not by `println!`, whose output the harness keeps to itself: `.ci/run` counts such lines.
        let _ = writeln!(std::io::stderr(), "skipped: a device in Python, because python3 is not installed");
    }
    found
}

fn config(folder: &Path, lie: &str) -> CommandConfig {
    let script = folder.join("device.py");
    fs::write(&script, SCRIPT).unwrap();
    let script = script.display().to_string();
    CommandConfig {
        program: "python3".to_owned(),
        arguments: vec![script.clone()],
        sources: vec![script],
        samples: "samples/{device}".to_owned(),
        time_limit: 60.0,
        settings: BTreeMap::from([("lie".to_owned(), lie.into())]),
    }
}

#[test]
fn conforms() {
    if !has_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    check_config(&config(folder.path(), ""));
}

/// The answer of the second device of the tests' stream.
fn answer(config: &CommandConfig) -> Result<Expert, DeviceError> {
    let stream = pixel_pairs();
    let backbone: Arc<dyn BackboneConfig> = Arc::new(PixelPairConfig {});
    let compute = burn::tensor::Device::flex();
    let outline = stream.outline(1).unwrap();
    let place = DevicePlace {
        device: 1,
        entry: 1,
        task: outline.name,
        head: outline.head,
        class_names: stream.class_names(),
        input: stream.input(),
        backbone: &backbone,
        stream: &stream,
        announced: None,
        statistics: vec![],
        origin: None,
        compute: compute.clone(),
    };
    let mut device = config.build(place)?;
    let announced = device.request()?;
    assert_eq!((announced.samples, announced.head.classes.as_slice()), (Some(7), &[2, 3][..]));
    let model = ModelState::initial(backbone.clone(), stream.input(), Seed::new(1), &compute).unwrap();
    let terms = Terms {
        device: 1,
        visit: 0,
        seed: Seed::new(2),
        settings: Value::Null,
        statistics: vec![],
        beside: Arc::new(Beside::new()),
        backbone: None,
    };
    device.take(HandOut { model: Arc::new(model), teacher: None, terms })?;
    loop {
        match device.answer(&Silent)? {
            Answer::Expert(expert) => return Ok(*expert),
            Answer::Later => std::thread::sleep(std::time::Duration::from_millis(5)),
            Answer::Never => panic!("a program that ended has an expert"),
        }
    }
}

#[test]
fn the_program_gets_the_central_model_and_its_expert_comes_back() {
    if !has_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let expert = answer(&config(folder.path(), "")).unwrap();
    let backbone: Arc<dyn BackboneConfig> = Arc::new(PixelPairConfig {});
    let compute = burn::tensor::Device::flex();
    let central = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &compute).unwrap();
    let moved = central.backbone_weights().combine(&expert.model.backbone_weights(), |before, after| after - before);
    let moved = moved.unwrap();
    assert!(moved.iter().all(|(_, tensor)| tensor.as_f32().unwrap().iter().all(|by| (by - 1.0).abs() < 1e-6)));
    assert_eq!(expert.model.head_weights(expert.head()).get("weight"), Some(&Values::new(vec![4, 2], vec![0.0; 8])));
    assert_eq!((expert.manifest.samples, expert.manifest.steps), (7, 3));
    assert_eq!(expert.manifest.parent, central.digest());
}

#[test]
fn a_program_that_fails_hangs_or_lies_is_an_error_that_names_the_device_and_the_file() {
    if !has_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let says = |lie: &str, texts: &[&str]| {
        let error = answer(&config(folder.path(), lie)).unwrap_err().to_string();
        assert!(error.contains("class 2, class 3") && error.contains("accepted: "), "{lie}: {error}");
        assert!(texts.iter().all(|text| error.contains(text)), "{lie}: {error}");
    };
    says("fails", &["`adapt`", "exit status: 3", "out of luck"]);
    says("fails to describe", &["`describe`", "exit status: 4"]);
    says("no expert", &[EXPERT, "no such file"]);
    says("no report", &[REPORT, "no such file"]);
    says("no description", &[DESCRIPTION, "no such file"]);
    says("truncated", &[EXPERT, "safetensors"]);
    says("nan", &[EXPERT, "backbone.layer.bias", "finite"]);
    says("another shape", &[EXPERT, "[3, 2]", "[4, 2]"]);
    says("another tensor", &[EXPERT, "`optimiser`"]);
    says("another parent", &[REPORT, "the parent"]);
    says("other classes", &[REPORT, "the classes class 3, class 2", "class 2, class 3, as in"]);
    says("other samples", &[REPORT, "the samples 8", "7, as in"]);
    says("another digest", &[REPORT, "the digest", "as in description.json"]);
    says("a class of nobody", &[DESCRIPTION, "\"class 9\"", "class 0, class 1"]);
    let mut hangs = config(folder.path(), "hangs");
    hangs.time_limit = 0.5;
    let error = answer(&hangs).unwrap_err().to_string();
    assert!(error.contains("killed after 0.5 s") && error.contains("`time_limit`"), "{error}");
}

#[test]
fn a_program_or_source_that_does_not_exist_is_refused_by_the_check() {
    if !has_python() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "");
    config.sources.push("no/such/script.py".to_owned());
    assert!(config.files().unwrap_err().to_string().contains("no/such/script.py"));
    config.program = String::new();
    assert!(config.files().unwrap_err().to_string().contains("`program`"));
    config.program = "no-such-program".to_owned();
    assert!(config.files().unwrap_err().to_string().contains("\"no-such-program\""));
}
