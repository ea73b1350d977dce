//! Tests of experts that exist: conformance, and files that do not fit.

use std::path::Path;
use std::sync::Arc;

use alluvium_device::conformance::{PixelPairConfig, check_config, pixel_pairs};
use alluvium_model::{BackboneConfig, HeadSpec, ModelState, Seed};
use alluvium_stream::TaskStream;

use super::*;

/// Writes a model with one head of these rows, and returns its entry.
fn expert(folder: &Path, name: &str, classes: [usize; 2]) -> ExistingExpert {
    let backbone: Arc<dyn BackboneConfig> = Arc::new(PixelPairConfig {});
    let seed = Seed::new(classes[0] as u64);
    let mut model = ModelState::initial(backbone, [1, 1, 2].into(), seed, &Compute::flex()).unwrap();
    model.grow_head(&HeadSpec { name: "rows".to_owned(), classes: classes.to_vec() }, 4, seed);
    let file = folder.join(format!("{name}.safetensors"));
    std::fs::write(&file, model.to_bytes().unwrap()).unwrap();
    let classes = classes.iter().map(|class| format!("class {class}")).collect();
    ExistingExpert { file: file.display().to_string(), classes, name: None, names: None, samples: None }
}

fn config(folder: &Path) -> CheckpointsConfig {
    CheckpointsConfig { experts: vec![expert(folder, "a", [0, 1]), expert(folder, "b", [2, 3])] }
}

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    check_config(&config(folder.path()));
}

/// What `check` says of a changed configuration.
fn refusal(change: impl Fn(&Path, &mut CheckpointsConfig)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(folder.path(), &mut config);
    let (stream, compute) = (pixel_pairs(), Compute::flex());
    let backbone: Arc<dyn BackboneConfig> = Arc::new(PixelPairConfig {});
    let classifier = alluvium_model::default_classifier();
    let run = DeviceRun {
        input: stream.input(),
        value_type: stream.value_type(),
        backbone: &backbone,
        classifier: &classifier,
        class_names: stream.class_names(),
        tasks: 2,
        compute: &compute,
    };
    config.check(&run).unwrap_err().to_string()
}

#[test]
fn a_file_that_does_not_fit_is_named_with_what_is_accepted() {
    let says = |message: String, texts: &[&str]| {
        assert!(texts.iter().all(|text| message.contains(text)), "{message}");
    };
    says(refusal(|_, config| config.experts[1].classes[1] = "class 9".to_owned()), &["b.safetensors", "class 9"]);
    says(refusal(|_, config| config.experts[1].classes.push("class 0".to_owned())), &["b.safetensors", "2", "3"]);
    says(refusal(|_, config| config.experts.clear()), &["`experts` names no expert", "[[device.experts]]"]);
    says(refusal(|_, config| config.experts[0].file = "/no/such.pt".to_owned()), &["/no/such.pt"]);
    says(
        refusal(|_, config| config.experts[1] = config.experts[0].clone()),
        &["two experts", "class 0, class 1", "`name`"],
    );
    let truncate = |folder: &Path, _: &mut CheckpointsConfig| {
        let file = folder.join("a.safetensors");
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
    };
    says(refusal(truncate), &["a.safetensors"]);
}
