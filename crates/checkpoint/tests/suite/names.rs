//! Mapping a foreign model to our names, and back to its own.

use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, NameMap, NamesError, TensorInfo, Values, WriteOptions, Writer};

fn info(name: &str, dtype: Dtype, shape: &[usize]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

/// A few tensors of a ResNet.
fn foreign(path: &Path) -> Checkpoint {
    let tensors = [
        (info("conv1.weight", Dtype::F32, &[1, 1, 1, 1]), Values::Floats(vec![0.5])),
        (info("layer1.0.bn2.weight", Dtype::F32, &[2]), Values::Floats(vec![1.0, 2.0])),
        (info("layer1.0.bn2.num_batches_tracked", Dtype::I64, &[]), Values::Integers(vec![9])),
        (info("fc.weight", Dtype::F16, &[2, 3]), Values::Floats(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
    ];
    let declared = tensors.iter().map(|(info, _)| info.clone()).collect();
    let mut writer = Writer::create(path, declared, &WriteOptions::default()).unwrap();
    for (info, values) in &tensors {
        writer.write(&info.name, values).unwrap();
    }
    writer.finish().unwrap();
    Checkpoint::open(path).unwrap()
}

#[test]
fn a_model_comes_in_under_our_names_and_goes_out_under_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = foreign(&folder.path().join("in.safetensors"));
    let map = NameMap::shipped("torchvision-resnet").unwrap();
    let mapping = map.apply(checkpoint.tensors().map(|info| info.name.as_str())).unwrap();
    let ours: Vec<_> = mapping.iter().map(|(ours, _)| ours.to_owned()).collect();
    assert_eq!(ours, ["head.weight", "stages.0.0.second.norm.gamma", "stem.conv.weight"]);
    assert_eq!(mapping.ignored(), ["layer1.0.bn2.num_batches_tracked"]);

    // 1 2 3      1 4
    // 4 5 6  →   2 5
    //            3 6
    let head = mapping.read(&checkpoint, "head.weight").unwrap();
    assert_eq!((&head.shape[..], head.floats().unwrap()), (&[3, 2][..], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0][..]));
    assert_eq!(mapping.info(&checkpoint, "head.weight").unwrap(), info("head.weight", Dtype::F16, &[3, 2]));

    let out = folder.path().join("out.safetensors");
    let declared = checkpoint.tensors().cloned().collect();
    let mut writer = Writer::create(&out, declared, &WriteOptions::default()).unwrap();
    while let Some(next) = writer.peek().cloned() {
        let tensor = match mapping.ours(&next.name) {
            Some(ours) => mapping.turned(ours, mapping.read(&checkpoint, ours).unwrap()).unwrap(),
            None => checkpoint.read(&next.name).unwrap(),
        };
        writer.write(&next.name, &tensor.values).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(Checkpoint::open(&out).unwrap().digest().unwrap(), checkpoint.digest().unwrap());
}

#[test]
fn what_does_not_fit_the_table_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = foreign(&folder.path().join("in.safetensors"));
    let names = || checkpoint.tensors().map(|info| info.name.as_str());
    let table = "ignored = [\"layer*\"]\ntransposed = [\"stem\"]\n[names]\n\"conv1.weight\" = \"stem\"\n\"fc.weight\" = \"head\"";
    let mapping = NameMap::parse(table).unwrap().apply(names()).unwrap();
    let error = mapping.read(&checkpoint, "stem").unwrap_err();
    assert!(matches!(&error, NamesError::NoMatrix { .. }), "{error}");
    assert!(error.to_string().contains("`stem` must be transposed, but has the shape [1, 1, 1, 1]"), "{error}");
    let error = mapping.read(&checkpoint, "tail").unwrap_err().to_string();
    assert!(error.contains("`tail`"), "{error}");
    let error = NameMap::parse("[names]").unwrap().apply(names()).unwrap_err().to_string();
    assert!(error.contains("does not map 4 tensors: `conv1.weight`, `fc.weight`"), "{error}");
}
