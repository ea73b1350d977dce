//! A written model reads back unchanged, and appears completely or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, Order, TensorInfo, Values, WriteOptions, Writer};
use safetensors::SafeTensors;

use crate::file_names;

fn info(name: &str, dtype: Dtype, shape: &[usize]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

fn tensors() -> Vec<(TensorInfo, Values)> {
    vec![
        (info("w", Dtype::F32, &[2, 2]), Values::Floats(vec![1.0, -2.5, 0.0, 3.0e10])),
        (info("truth", Dtype::Bool, &[3]), Values::Integers(vec![1, 0, 1])),
        (info("half", Dtype::F16, &[1]), Values::Floats(vec![0.5])),
        (info("brain", Dtype::Bf16, &[2]), Values::Floats(vec![1.0, -0.5])),
        (info("double", Dtype::F64, &[]), Values::Doubles(vec![1.000_000_000_3])),
        (info("count", Dtype::I64, &[]), Values::Integers(vec![-7])),
        (info("none", Dtype::F32, &[0, 4]), Values::Floats(vec![])),
    ]
}

fn write(path: &Path, options: &WriteOptions) -> Vec<String> {
    let all = tensors();
    let mut writer = Writer::create(path, all.iter().map(|(info, _)| info.clone()).collect(), options).unwrap();
    while let Some(next) = writer.peek().cloned() {
        let (_, values) = all.iter().find(|(info, _)| *info == next).unwrap();
        writer.write(&next.name, values).unwrap();
    }
    let files = writer.finish().unwrap();
    files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn one_file_or_several_hold_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let one = WriteOptions { metadata: metadata.clone(), ..WriteOptions::default() };
    let single = folder.path().join("model.safetensors");
    assert_eq!(write(&single, &one), ["model.safetensors"]);

    let sharded = folder.path().join("sharded");
    fs::create_dir(&sharded).unwrap();
    let several = WriteOptions { order: Order::ByName, shard_bytes: Some(16), ..one };
    // By name: brain 4, count 8, double 8, half 2, none 0, truth 3, w 16; at most 16 bytes a file.
    let files = write(&sharded.join("model.safetensors"), &several);
    assert_eq!(
        files,
        [
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model.safetensors.index.json",
        ]
    );
    assert_eq!(file_names(&sharded), files, "nothing else is left");

    let (single, sharded) = (Checkpoint::open(&single).unwrap(), Checkpoint::open(&sharded).unwrap());
    assert_eq!(single.digest().unwrap(), sharded.digest().unwrap());
    for checkpoint in [&single, &sharded] {
        assert_eq!(checkpoint.metadata(), &metadata);
        // 4·4 + 3 + 2 + 2·2 + 8 + 8 bytes; 4 + 1 + 2 + 1 floats.
        assert_eq!((checkpoint.bytes(), checkpoint.parameters()), (41, 8));
        for (info, values) in tensors() {
            let read = checkpoint.read(&info.name).unwrap();
            assert_eq!((read.dtype, &read.shape, &read.values), (info.dtype, &info.shape, &values), "{}", info.name);
        }
    }
    assert_eq!(sharded.files().len(), 4);
}

#[test]
fn the_reference_implementation_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, &WriteOptions::default());
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 7);
    let brain = file.tensor("brain").unwrap();
    // bf16: 1.0 is 0x3f80, -0.5 is 0xbf00.
    assert_eq!((brain.shape(), brain.data()), (&[2][..], &[0x80, 0x3f, 0x00, 0xbf][..]));
    assert_eq!(u64::from_le_bytes(bytes[..8].try_into().unwrap()) % 8, 0);
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = (0..20).map(|n| (format!("key-{n}"), n.to_string())).collect();
    let options = WriteOptions { metadata, ..WriteOptions::default() };
    for name in ["a", "b"] {
        write(&folder.path().join(name), &options);
    }
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), fs::read(folder.path().join("b")).unwrap());
}

#[test]
fn nothing_is_left_of_a_model_that_was_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let declared = || vec![info("a", Dtype::U8, &[2]), info("b", Dtype::U8, &[1])];
    let create = || Writer::create(&path, declared(), &WriteOptions::default()).unwrap();
    let good = Values::Integers(vec![1, 2]);

    let mut writer = create();
    let error = writer.write("b", &good).unwrap_err().to_string();
    assert!(error.contains("`b` was given, but `a` is next"), "{error}");
    let error = writer.write("a", &Values::Integers(vec![1])).unwrap_err().to_string();
    assert!(error.contains("`a` was declared with the shape [2], but has 1 values"), "{error}");
    writer.write("a", &good).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("`b` was declared, but not written"), "{error}");

    let mut writer = create();
    let error = writer.write("a", &Values::Integers(vec![1, 256])).unwrap_err().to_string();
    assert!(error.contains("`a` has the value 256 at index 1, which does not fit U8"), "{error}");
    assert!(writer.write("a", &good).is_err(), "a tensor may be incomplete");
    assert!(writer.finish().is_err());

    drop(create());
    assert!(file_names(folder.path()).is_empty(), "{:?}", file_names(folder.path()));

    let mut writer = create();
    writer.write("a", &good).unwrap();
    writer.write("b", &Values::Integers(vec![3])).unwrap();
    assert!(writer.write("c", &good).is_err());
    writer.finish().unwrap();
    assert_eq!(file_names(folder.path()), ["model.safetensors"]);
}

#[test]
fn a_name_that_cannot_be_had_takes_the_others_back() {
    let folder = tempfile::tempdir().unwrap();
    // A folder has the name of the index.
    fs::create_dir_all(folder.path().join("model.safetensors.index.json/full")).unwrap();
    let options = WriteOptions { shard_bytes: Some(1), ..WriteOptions::default() };
    let declared = vec![info("a", Dtype::U8, &[1]), info("b", Dtype::U8, &[1])];
    let mut writer = Writer::create(folder.path().join("model.safetensors"), declared, &options).unwrap();
    for name in ["a", "b"] {
        writer.write(name, &Values::Integers(vec![1])).unwrap();
    }
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("index.json: cannot be written"), "{error}");
    assert_eq!(file_names(folder.path()), ["model.safetensors.index.json"]);
}

#[test]
fn the_old_model_stays_whole_where_the_new_one_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let options = WriteOptions { shard_bytes: Some(16), ..WriteOptions::default() };
    let files = write(&path, &options);
    let contents =
        || -> Vec<Vec<u8>> { files.iter().map(|file| fs::read(folder.path().join(file)).unwrap()).collect() };
    let old = contents();
    // Another model with the same names. Its second file cannot be written, because a folder has its name now.
    let begin = || {
        let all = tensors();
        let mut writer = Writer::create(&path, all.iter().map(|(info, _)| info.clone()).collect(), &options).unwrap();
        for (info, values) in &all {
            let changed = match values {
                Values::Floats(values) => Values::Floats(values.iter().map(|value| value * 2.0).collect()),
                Values::Doubles(values) => Values::Doubles(values.iter().map(|value| value * 2.0).collect()),
                Values::Integers(values) => Values::Integers(values.iter().map(|_| 0).collect()),
            };
            writer.write(&info.name, &changed).unwrap();
        }
        writer
    };
    let writer = begin();
    let (second, elsewhere) = (folder.path().join(&files[1]), folder.path().join("elsewhere"));
    fs::rename(&second, &elsewhere).unwrap();
    fs::create_dir(&second).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains(&files[1]) && error.contains("cannot be written"), "{error}");
    fs::remove_dir(&second).unwrap();
    fs::rename(&elsewhere, &second).unwrap();
    assert_eq!(contents(), old);
    assert_eq!(file_names(folder.path()), files, "nothing else is left");

    // If all files can be written, the whole model is new.
    begin().finish().unwrap();
    assert!(contents().iter().zip(&old).take(files.len() - 1).all(|(new, old)| new != old));
    assert_eq!(file_names(folder.path()), files, "nothing else is left");
    assert_eq!(
        Checkpoint::open(folder.path()).unwrap().read("w").unwrap().floats(),
        Some(&[2.0, -5.0, 0.0, 6.0e10][..])
    );
}

#[test]
fn what_will_be_written_is_known_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for shard_bytes in [None, Some(16)] {
        let options = WriteOptions { shard_bytes, ..WriteOptions::default() };
        let planned = options.planned(&path, tensors().into_iter().map(|(info, _)| info).collect()).unwrap();
        assert!(planned.iter().all(|path| !path.exists()));
        let planned: Vec<_> =
            planned.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(write(&path, &options), planned);
    }
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, &WriteOptions::default());
    let inputs = Checkpoint::open(&path).unwrap().files();
    let other_way = folder.path().join("..").join(folder.path().file_name().unwrap()).join("model.safetensors");
    let error = Writer::create(other_way, vec![], &WriteOptions { inputs, ..WriteOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("is being read"), "{error}");
}
