//! Checkpoints as PyTorch would save them, built tensor by tensor: a narrow ResNet-18 with a 3×3 stem under
//! torchvision's names, and a perceptron under custom names.

#![allow(dead_code, missing_docs, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_backbone_resnet::SlimResNet18Config;
use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use alluvium_interchange::{
    Arrangement, Consolidation, Destination, ForeignModel, InterchangeError, Names, Reading, carry_out,
};
use alluvium_model::Silent;
use alluvium_strategy::{StrategyConfig, SurrogateConfig};
use burn::tensor::Device;

/// The tensors of a file by name.
pub type StateDict = BTreeMap<String, (TensorInfo, Values)>;

/// The channels of the ResNet's stages.
pub const CHANNELS: [usize; 4] = [2, 4, 8, 16];

/// `model.state_dict()` of a ResNet-18 of width 2 on one channel. Its classifier has `classes` rows; `None`: no
/// classifier. Each `seed` gives other values, and running variances above 0.
pub fn resnet(seed: usize, classes: Option<usize>) -> StateDict {
    let mut tensors = StateDict::new();
    let mut conv = |name: &str, outputs: usize, inputs: usize, size: usize| {
        put(&mut tensors, seed, &format!("{name}.weight"), &[outputs, inputs, size, size]);
    };
    conv("conv1", CHANNELS[0], 1, 3);
    let mut norms = vec![("bn1".to_owned(), CHANNELS[0])];
    let mut inputs = CHANNELS[0];
    for (stage, channels) in CHANNELS.into_iter().enumerate() {
        for block in 0..2 {
            let at = format!("layer{}.{block}", stage + 1);
            conv(&format!("{at}.conv1"), channels, inputs, 3);
            conv(&format!("{at}.conv2"), channels, channels, 3);
            norms.extend([1, 2].map(|number| (format!("{at}.bn{number}"), channels)));
            if block == 0 && stage > 0 {
                conv(&format!("{at}.downsample.0"), channels, inputs, 1);
                norms.push((format!("{at}.downsample.1"), channels));
            }
            inputs = channels;
        }
    }
    for (name, channels) in norms {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            put(&mut tensors, seed, &format!("{name}.{part}"), &[channels]);
        }
        count(&mut tensors, &format!("{name}.num_batches_tracked"), 10 + seed as i64);
    }
    if let Some(classes) = classes {
        put(&mut tensors, seed, "fc.weight", &[classes, CHANNELS[3]]);
        put(&mut tensors, seed, "fc.bias", &[classes]);
    }
    tensors
}

/// A perceptron of six inputs, four latents and a classifier, stored as `torch.nn.Linear` does: `[outputs, inputs]`.
pub fn perceptron(seed: usize, classes: usize) -> StateDict {
    let mut tensors = StateDict::new();
    for (name, shape) in [
        ("hidden.weight", vec![4, 6]),
        ("hidden.bias", vec![4]),
        ("out.weight", vec![classes, 4]),
        ("out.bias", vec![classes]),
    ] {
        put(&mut tensors, seed, name, &shape);
    }
    tensors
}

/// Makes a tensor 64 bits wide, with values that 32 bits cannot hold.
pub fn widen(tensors: &mut StateDict, name: &str) {
    let (info, values) = tensors.get_mut(name).unwrap();
    let Values::Floats(floats) = values else { unreachable!() };
    let wide = floats.iter().map(|value| f64::from(*value) * (1.0 + 3e-10)).collect();
    (info.dtype, *values) = (Dtype::F64, Values::Doubles(wide));
}

/// The table of the perceptron's names.
pub const PERCEPTRON_NAMES: &str = r#"
transposed = ["layers.0.weight", "head.weight"]
[names]
"hidden.weight" = "layers.0.weight"
"hidden.bias" = "layers.0.bias"
"out.weight" = "head.weight"
"out.bias" = "head.bias"
"#;

fn put(tensors: &mut StateDict, seed: usize, name: &str, shape: &[usize]) {
    let start: usize = name.bytes().map(usize::from).sum::<usize>() + 131 * seed;
    let value = |place: usize| ((start + 37 * place) % 101) as f32 / 101.0 - 0.5;
    let shift = if name.ends_with("running_var") { 1.0 } else { 0.0 };
    let values = (0..shape.iter().product()).map(|place| value(place) + shift).collect();
    let info = TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() };
    tensors.insert(name.to_owned(), (info, Values::Floats(values)));
}

fn count(tensors: &mut StateDict, name: &str, value: i64) {
    let info = TensorInfo { name: name.to_owned(), dtype: Dtype::I64, shape: vec![] };
    tensors.insert(name.to_owned(), (info, Values::Integers(vec![value])));
}

/// Writes a file without metadata.
pub fn save(path: &Path, tensors: &StateDict) -> PathBuf {
    save_with(path, tensors, BTreeMap::new())
}

pub fn save_with(path: &Path, tensors: &StateDict, metadata: BTreeMap<String, String>) -> PathBuf {
    let options = WriteOptions { metadata, ..WriteOptions::default() };
    let mut writer = Writer::create(path, tensors.values().map(|(info, _)| info.clone()).collect(), &options).unwrap();
    for (info, values) in tensors.values() {
        writer.write(&info.name, values).unwrap();
    }
    writer.finish().unwrap();
    path.to_owned()
}

/// The floats of a tensor of a state dict.
pub fn floats<'a>(tensors: &'a StateDict, name: &str) -> &'a [f32] {
    match &tensors[name].1 {
        Values::Floats(values) => values,
        other => panic!("{name} holds {other:?}"),
    }
}

/// Everything in a file.
pub fn load(path: &Path) -> StateDict {
    let checkpoint = Checkpoint::open(path).unwrap();
    let read = |info: &TensorInfo| (info.name.clone(), (info.clone(), checkpoint.read(&info.name).unwrap().values));
    checkpoint.tensors().map(read).collect()
}

/// How to read the ResNet's files.
pub fn slim() -> Reading {
    Reading {
        backbone: Some(Arc::new(SlimResNet18Config { width: 2 })),
        input: Some([1, 8, 8].into()),
        ..Reading::default()
    }
}

/// How to read the perceptron's files. Writes the table of names into the folder.
pub fn mlp(folder: &Path) -> Reading {
    let table = folder.join("names.toml");
    fs::write(&table, PERCEPTRON_NAMES).unwrap();
    Reading {
        names: Some(Names::open(table.to_str().unwrap()).unwrap()),
        backbone: Some(Arc::new(MlpConfig { layers: vec![4] })),
        input: Some([1, 2, 3].into()),
        ..Reading::default()
    }
}

pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub fn open(path: &Path, reading: &Reading) -> Result<ForeignModel, InterchangeError> {
    ForeignModel::open(path, reading, &Device::flex())
}

/// Opens a file, and names its classes.
pub fn named(path: &Path, reading: &Reading, classes: &str) -> ForeignModel {
    open(path, &Reading { classes: Some(words(classes)), ..reading.clone() }).unwrap()
}

/// Consolidates into a file.
pub fn consolidate(
    previous: &ForeignModel,
    experts: &[ForeignModel],
    strategy: &dyn StrategyConfig,
    surrogate: Option<&dyn SurrogateConfig>,
    to: &Path,
) -> Result<Vec<PathBuf>, InterchangeError> {
    let classes: Vec<_> = experts.iter().map(ForeignModel::classes).collect();
    let arrangement = Arrangement::new(previous.heads(), &classes).unwrap();
    let kind = strategy.typetag_name();
    let arrangement = &arrangement;
    let consolidation =
        Consolidation { previous, experts, arrangement, strategy: (kind, strategy), surrogate, seed: 3 };
    let inputs = [previous].into_iter().chain(experts).flat_map(|model| model.checkpoint().files()).collect();
    let to = Destination { path: to.to_owned(), shard_bytes: None, inputs };
    let backend = serde_json::json!({ "kind": "flex" });
    carry_out(&consolidation, &to, ("1.2.3", backend), &Device::flex(), &Silent)
}
