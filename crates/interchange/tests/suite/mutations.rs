//! The metadata of a sound file, cut off and changed at every byte, and with each of its values replaced. The result is
//! a model or an error, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values};
use alluvium_interchange::{Inspection, Kind, MANIFEST, PROVENANCE, Reading};
use alluvium_strategy_slerp::SlerpConfig;
use burn::tensor::Device;
use serde_json::{Value, json};

use crate::files::{self, StateDict, consolidate, mlp, named, open, perceptron, save};

/// The key of a model in a run directory, and of an expert's manifest there.
const RUN_MODEL: &str = "alluvium";
const RUN_EXPERT: &str = "alluvium.manifest";

/// A safetensors file whose metadata can be replaced.
struct SoundFile {
    /// The path that changed files are written to.
    path: PathBuf,
    header: Value,
    data: Vec<u8>,
}

impl SoundFile {
    fn of(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let path = path.with_file_name("changed.safetensors");
        SoundFile { path, header: serde_json::from_slice(header).unwrap(), data: data.to_vec() }
    }

    fn metadata(&self, key: &str) -> String {
        self.header["__metadata__"][key].as_str().unwrap().to_owned()
    }

    /// Inspects the file with another text under this key. The tensors stay the same.
    fn inspected(&self, key: &str, text: &str, reading: &Reading) -> Option<Inspection> {
        let mut header = self.header.clone();
        header["__metadata__"][key] = text.into();
        let header = header.to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &self.data].concat();
        fs::write(&self.path, bytes).unwrap();
        let seen = Inspection::of(&self.path, reading, &Device::flex()).ok()?;
        assert!(!seen.to_text().is_empty() && serde_json::to_string(&seen).is_ok());
        Some(seen)
    }
}

/// The text cut off at each byte, and changed there.
fn changed(text: &str) -> Vec<String> {
    let cuts = text.char_indices().map(|(place, _)| text[..place].to_owned());
    let changes = (0..text.len()).flat_map(|place| [0x01, 0x02, 0x10, 0x40].map(|change| (place, change)));
    let changes = changes.filter_map(|(place, change)| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] ^= change;
        String::from_utf8(bytes).ok()
    });
    cuts.chain(changes).collect()
}

/// The value with itself and each of its parts replaced by others, and with each key removed.
fn replaced(value: &Value) -> Vec<Value> {
    let others = [json!(null), json!({}), json!([]), json!(0), json!(-1), json!(u64::MAX), json!(1e300), json!("")];
    let mut all = others.to_vec();
    match value {
        Value::Object(table) => {
            for (key, own) in table {
                let with = |own: Value| {
                    let mut table = table.clone();
                    table.insert(key.clone(), own);
                    Value::Object(table)
                };
                all.extend(replaced(own).into_iter().map(with));
                let rest = table.iter().filter(|(other, _)| *other != key);
                all.push(Value::Object(rest.map(|(key, own)| (key.clone(), own.clone())).collect()));
            }
        }
        Value::Array(items) => {
            for (place, own) in items.iter().enumerate() {
                let with = |own: Value| {
                    let mut items = items.clone();
                    items[place] = own;
                    Value::Array(items)
                };
                all.extend(replaced(own).into_iter().map(with));
            }
        }
        _ => {}
    }
    all
}

/// Tries all changes of the text under one key.
fn bend(sound: &SoundFile, key: &str, reading: &Reading) {
    let text = sound.metadata(key);
    let whole: Value = serde_json::from_str(&text).unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let texts = changed(&text).into_iter().chain(replaced(&whole).into_iter().map(|own| own.to_string())).chain([deep]);
    let seen = texts.filter(|text| sound.inspected(key, text, reading).is_some()).count();
    assert!(seen > 0, "some changes of `{key}` leave a model that can be read");
}

#[test]
fn manifests_and_provenance_may_say_anything() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let [previous, expert] = [("a", 1), ("b", 2)].map(|(name, seed)| {
        named(&save(&folder.path().join(format!("{name}.safetensors")), &perceptron(seed, 2)), &reading, name_of(name))
    });
    let out = folder.path().join("out.safetensors");
    consolidate(&previous, &[expert], &SlerpConfig::default(), None, &out).unwrap();
    let again = folder.path().join("again.safetensors");
    let third = [named(&save(&folder.path().join("c.safetensors"), &perceptron(3, 1)), &reading, "e")];
    consolidate(&open(&out, &reading).unwrap(), &third, &SlerpConfig::default(), None, &again).unwrap();

    let sound = SoundFile::of(&again);
    // The table of names is not built in. Everything else is in the file.
    let reading = Reading { names: reading.names, ..Reading::default() };
    let seen = sound.inspected(MANIFEST, &sound.metadata(MANIFEST), &reading).unwrap();
    assert!(matches!(seen.model, Kind::Foreign { .. }) && seen.provenance.is_some(), "it is sound: {seen:?}");
    bend(&sound, MANIFEST, &reading);
    bend(&sound, PROVENANCE, &reading);
}

/// Two classes for each file.
fn name_of(file: &str) -> &'static str {
    if file == "a" { "a b" } else { "c d" }
}

#[test]
fn models_of_a_run_directory_may_say_anything() {
    let folder = tempfile::tempdir().unwrap();
    let info = TensorInfo { name: "backbone.w".to_owned(), dtype: Dtype::F32, shape: vec![2] };
    let tensors = StateDict::from([(info.name.clone(), (info, Values::Floats(vec![1.0, 2.0])))]);
    let model = r#"{"backbone":{"kind":"mlp","layers":[4]},"input":[1,2,3],"heads":[{"name":"a","classes":[0,1]}]}"#;
    let manifest = r#"{"task":0,"task_name":"a","samples":5,"steps":7,"parent":"00","digest":"11"}"#;
    let metadata = [(RUN_MODEL, model), (RUN_EXPERT, manifest)].map(|(key, text)| (key.to_owned(), text.to_owned()));
    let path = files::save_with(&folder.path().join("m.safetensors"), &tensors, metadata.into());
    assert!(Checkpoint::open(&path).unwrap().metadata().contains_key(RUN_MODEL));

    let sound = SoundFile::of(&path);
    let seen = sound.inspected(RUN_MODEL, model, &Reading::default()).unwrap();
    assert!(matches!(seen.model, Kind::Run { expert: Some(_), .. }), "it is sound: {seen:?}");
    bend(&sound, RUN_MODEL, &Reading::default());
    bend(&sound, RUN_EXPERT, &Reading::default());
}
