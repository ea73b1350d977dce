//! Model files as another framework writes them: a perceptron with one hidden layer, with its own tensor names, and the table of
//! these names.

use std::fs;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use tempfile::TempDir;

/// The table of names.
pub const NAMES: &str = r#"transposed = ["layers.0.weight", "head.weight"]
ignored = ["steps"]
[names]
"hidden.weight" = "layers.0.weight"
"hidden.bias" = "layers.0.bias"
"out.weight" = "head.weight"
"out.bias" = "head.bias"
"#;

/// The arguments that describe the files, without the classes.
pub const SAID: [&str; 6] =
    ["--names", "names.toml", "--backbone", "{ kind = \"mlp\", layers = [8] }", "--input", "1x28x28"];

/// A folder with the table of names, a base without a classifier, and two experts of two and three classes.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("names.toml"), NAMES).unwrap();
    write(&folder.path().join("base.safetensors"), 0, 0);
    write(&folder.path().join("a.safetensors"), 1, 2);
    write(&folder.path().join("b.safetensors"), 2, 3);
    folder
}

/// Writes a perceptron on 784 inputs; each `seed` gives other values.
pub fn write(path: &Path, seed: usize, classes: usize) {
    write_with(path, seed, classes, |_, values| values);
}

/// The same with values that are changed, tensor by tensor.
pub fn write_with(path: &Path, seed: usize, classes: usize, change: impl Fn(&str, Vec<f32>) -> Vec<f32>) {
    let mut tensors = vec![("hidden.weight", vec![8, 784]), ("hidden.bias", vec![8])];
    if classes > 0 {
        tensors.extend([("out.weight", vec![classes, 8]), ("out.bias", vec![classes])]);
    }
    let info = |(name, shape): &(&str, Vec<usize>)| TensorInfo {
        name: (*name).to_owned(),
        dtype: Dtype::F32,
        shape: shape.clone(),
    };
    let mut infos: Vec<_> = tensors.iter().map(info).collect();
    infos.push(TensorInfo { name: "steps".to_owned(), dtype: Dtype::I64, shape: vec![] });
    let mut writer = Writer::create(path, infos.clone(), &WriteOptions::default()).unwrap();
    for (number, info) in infos.iter().enumerate() {
        let values = match info.dtype {
            Dtype::I64 => Values::Integers(vec![100 + seed as i64]),
            _ => {
                let value = |index: usize| ((number + 31 * index + 17 * seed) % 97) as f32 / 970.0 - 0.05;
                Values::Floats(change(&info.name, (0..info.elements()).map(value).collect()))
            }
        };
        writer.write(&info.name, &values).unwrap();
    }
    writer.finish().unwrap();
}

/// The floats of a tensor in a file.
pub fn floats(path: &Path, name: &str) -> Vec<f32> {
    Checkpoint::open(path).unwrap().read(name).unwrap().floats().unwrap().to_vec()
}
