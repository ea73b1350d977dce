//! The memory of a consolidation whose previous model leaves its classifier behind does not grow with the models.
//!
//! This test is a binary of its own. Its allocator would also count what other tests of the same process allocate.

mod files;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use alluvium_interchange::{Names, Reading};
use alluvium_strategy::StrategyConfig;
use alluvium_strategy_ties::TiesConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;
use peak_alloc::PeakAlloc;

use files::{consolidate, floats, load, named, open};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The outputs of each layer: 724² weights are 2 MB.
const OUTPUTS: usize = 724;
const LAYERS: usize = 30;

/// As in the test of `alluvium-merge`: a piece of half a megabyte for each of three models, at most 24 times more for
/// intermediate results, and the tables of surveys. Digests are computed before that, from 4 MB at a time.
const CONSTANT: usize = (4 << 17) * (3 + 24) + (4 << 20);

const TABLE: &str = r#"
transposed = ["layers.{n}.weight", "head.weight"]
[names]
"hidden.{n}.weight" = "layers.{n}.weight"
"hidden.{n}.bias" = "layers.{n}.bias"
"out.weight" = "head.weight"
"out.bias" = "head.bias"
"#;

fn write(path: &Path, seed: usize, classes: usize) {
    let mut shapes = vec![];
    for layer in 0..LAYERS {
        shapes.push((format!("hidden.{layer}.weight"), vec![OUTPUTS, OUTPUTS]));
        shapes.push((format!("hidden.{layer}.bias"), vec![OUTPUTS]));
    }
    shapes.push(("out.weight".to_owned(), vec![classes, OUTPUTS]));
    shapes.push(("out.bias".to_owned(), vec![classes]));
    let info = |(name, shape)| TensorInfo { name, dtype: Dtype::F32, shape };
    let infos: Vec<_> = shapes.into_iter().map(info).collect();
    let mut writer = Writer::create(path, infos.clone(), &WriteOptions::default()).unwrap();
    for info in infos {
        let value = |place: usize| ((place * 7919 + seed * 131) % 10_007) as f32 / 10_007.0 - 0.5;
        writer.write(&info.name, &Values::Floats((0..info.elements()).map(value).collect())).unwrap();
    }
    writer.finish().unwrap();
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("names.toml"), TABLE).unwrap();
    let files = ["base.safetensors", "a.safetensors", "b.safetensors"].map(at);
    for (seed, (file, classes)) in files.iter().zip([4, 2, 3]).enumerate() {
        write(file, seed, classes);
    }
    let reading = Reading {
        names: Some(Names::open(at("names.toml").to_str().unwrap()).unwrap()),
        backbone: Some(Arc::new(MlpConfig { layers: vec![OUTPUTS; LAYERS] })),
        input: Some([1, 1, OUTPUTS].into()),
        ..Reading::default()
    };
    let strategies: [&dyn StrategyConfig; 2] = [&WeightAveraging::default(), &TiesConfig::default()];
    for strategy in strategies {
        let kind = strategy.typetag_name();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let previous = open(&files[0], &Reading { backbone_only: true, ..reading.clone() }).unwrap();
        let experts = [named(&files[1], &reading, "cat dog"), named(&files[2], &reading, "car bus van")];
        let out = at(&format!("{kind}.safetensors"));
        consolidate(&previous, &experts, strategy, None, &out).unwrap();
        let peak = MEMORY.peak_usage() - before;
        let (largest, whole) = (4 * OUTPUTS * OUTPUTS, 4 * OUTPUTS * OUTPUTS * LAYERS);
        assert!(2 * largest + CONSTANT < whole / 2, "not even half of one model is in memory");
        assert!(peak < 2 * largest + CONSTANT, "{kind} took {peak} bytes");
        assert_eq!(Checkpoint::open(&out).unwrap().tensor("out.bias").unwrap().shape, [5]);
    }
    let [a, b, mean] = [&files[1], &files[2], &at("weight-averaging.safetensors")].map(|file| load(file));
    let biases = floats(&a, "hidden.7.bias").iter().zip(floats(&b, "hidden.7.bias"));
    for (value, (a, b)) in floats(&mean, "hidden.7.bias").iter().zip(biases) {
        assert!((value - (a + b) / 2.0).abs() < 1e-6, "the previous model does not count in the mean");
    }
}

#[test]
fn a_classifier_that_is_left_behind_brings_no_model_into_memory() {
    // More threads would hold more pieces at a time, up to sixteen.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(measure);
}
