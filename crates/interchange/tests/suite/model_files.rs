//! Model files as models of a stream: heads with the stream's class numbers, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_checkpoint::{Dtype, TensorInfo, Values as Stored, WriteOptions, Writer};
use alluvium_interchange::{Inspection, InterchangeError, MANIFEST, ModelFile, Reading};
use alluvium_model::{Digest, Expert, HeadSpec, Manifest, ModelState, Seed, Values};
use burn::tensor::Device;

use crate::files::{self, StateDict, floats, mlp, perceptron, resnet, save, save_with, slim, words};

fn open(path: &Path, reading: &Reading) -> Result<ModelFile, InterchangeError> {
    ModelFile::open(path, reading, &Device::flex())
}

fn with_classes(reading: &Reading, classes: &str) -> Reading {
    Reading { classes: Some(words(classes)), ..reading.clone() }
}

/// How to read a perceptron under our own names: no table of names.
fn own() -> Reading {
    Reading {
        backbone: Some(Arc::new(MlpConfig { layers: vec![1] })),
        input: Some([1, 1, 2].into()),
        ..Reading::default()
    }
}

/// A perceptron of two inputs and one latent with two heads, `a` of two classes and `b` of one.
fn two_heads() -> ModelState {
    let backbone = Arc::new(MlpConfig { layers: vec![1] });
    let mut model = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(0), &Device::flex()).unwrap();
    for (name, classes, values) in [("a", vec![0, 1], vec![1.0, 2.0]), ("b", vec![2], vec![3.0])] {
        let bias = values.iter().map(|value| value * 10.0).collect();
        let weights = [
            ("weight".to_owned(), Values::new(vec![1, classes.len()], values)),
            ("bias".to_owned(), Values::new(vec![classes.len()], bias)),
        ];
        model.set_head(HeadSpec { name: name.to_owned(), classes }, weights.into_iter().collect());
    }
    model
}

fn written(folder: &Path, model: &ModelState) -> PathBuf {
    let path = folder.join("central.safetensors");
    fs::write(&path, model.to_bytes().unwrap()).unwrap();
    path
}

fn values<'a>(model: &'a ModelState, name: &str) -> &'a [f32] {
    model.weights.get(name).unwrap().as_f32().unwrap()
}

#[test]
fn a_network_of_pytorch_is_an_expert_with_the_streams_classes() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = resnet(1, Some(2));
    let path = save(&folder.path().join("expert.pt"), &tensors);
    let file = open(&path, &with_classes(&slim(), "fox cat")).unwrap();
    let expert = file.expert("task-3", &words("dog cat cow fox")).unwrap();
    assert_eq!(expert.heads, [HeadSpec { name: "task-3".to_owned(), classes: vec![3, 1] }]);
    // PyTorch stores [classes, latents], we store [latents, classes].
    let theirs = floats(&tensors, "fc.weight");
    let ours: Vec<f32> = (0..16).flat_map(|latent| [theirs[latent], theirs[16 + latent]]).collect();
    assert_eq!(values(&expert, "heads.task-3.weight"), ours);
    assert_eq!(values(&expert, "heads.task-3.bias"), floats(&tensors, "fc.bias"));
    for (name, theirs) in [
        ("backbone.stem.norm.running_mean", "bn1.running_mean"),
        ("backbone.stem.norm.running_var", "bn1.running_var"),
        ("backbone.stages.1.0.second.conv.weight", "layer2.0.conv2.weight"),
    ] {
        assert_eq!(values(&expert, name), floats(&tensors, theirs), "{name}");
    }
    // What a device would send has the same form.
    let manifest = Manifest {
        task: 0,
        task_name: "three".to_owned(),
        samples: 1,
        steps: 0,
        parent: Digest::of(b""),
        digest: expert.digest(),
        statistics: BTreeMap::new(),
    };
    Expert::new(expert, manifest).unwrap();
}

#[test]
fn the_difference_of_an_expert_is_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let parent = two_heads();
    let mut model = parent.with_heads(|head| head.name == "a");
    model.weights.insert("heads.a.bias", Values::new(vec![2], vec![0.5; 2]));
    let manifest = Manifest {
        task: 0,
        task_name: "a".to_owned(),
        samples: 1,
        steps: 0,
        parent: parent.digest(),
        digest: model.digest(),
        statistics: BTreeMap::new(),
    };
    let expert = Expert::difference(&parent, model, BTreeMap::new(), manifest).unwrap();
    let path = folder.path().join("expert.safetensors");
    fs::write(&path, expert.to_bytes().unwrap()).unwrap();
    let error = open(&path, &own()).unwrap_err().to_string();
    assert!(error.contains("expert.safetensors") && error.contains("only the difference"), "{error}");
    let seen = Inspection::of(&path, &own(), &Device::flex()).unwrap();
    assert!(seen.to_text().contains("only what changed in an expert"), "{}", seen.to_text());
}

#[test]
fn several_files_and_a_folder_are_one_model_with_one_digest() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = perceptron(1, 3);
    let one = save(&folder.path().join("m.safetensors"), &tensors);
    let parts = folder.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let options = WriteOptions { shard_bytes: Some(100), ..WriteOptions::default() };
    let infos = tensors.values().map(|(info, _)| info.clone()).collect();
    let mut writer = Writer::create(parts.join("m.safetensors"), infos, &options).unwrap();
    tensors.values().for_each(|(info, values)| writer.write(&info.name, values).unwrap());
    assert!(writer.finish().unwrap().len() > 2);
    let reading = with_classes(&mlp(folder.path()), "a b c");
    let [one, parts] = [one, parts].map(|path| open(&path, &reading).unwrap());
    assert_eq!(one.digest().unwrap(), parts.digest().unwrap());
    let stream = words("c b a");
    assert_eq!(one.expert("x", &stream).unwrap().digest(), parts.expert("x", &stream).unwrap().digest());
    assert_eq!(one.check_expert(&stream).unwrap(), [2, 1, 0]);
}

#[test]
fn a_model_of_a_run_directory_keeps_its_heads_or_joins_them() {
    let folder = tempfile::tempdir().unwrap();
    let model = two_heads();
    let path = written(folder.path(), &model);
    // Neither backbone nor input is needed: the file states both.
    let file = open(&path, &with_classes(&Reading::default(), "x y z")).unwrap();
    let stream = words("z y x");
    let kept = file.model(&stream).unwrap();
    let heads: Vec<_> = kept.heads.iter().map(|head| (head.name.as_str(), head.classes.as_slice())).collect();
    assert_eq!(heads, [("a", &[2, 1][..]), ("b", &[0])]);
    assert_eq!(kept.weights, model.weights);
    let expert = file.expert("task-1", &stream).unwrap();
    assert_eq!(expert.heads[0].classes, [2, 1, 0]);
    assert_eq!(values(&expert, "heads.task-1.weight"), [1.0, 2.0, 3.0]);
    assert_eq!(values(&expert, "heads.task-1.bias"), [10.0, 20.0, 30.0]);
    assert_eq!(expert.heads.len(), 1);
    let without = open(&path, &Reading { backbone_only: true, ..own() }).unwrap().model(&[]).unwrap();
    assert!(without.heads.is_empty() && without.backbone_weights() == model.backbone_weights());
}

#[test]
fn our_names_need_no_description() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = |(name, shape, values): (&str, Vec<usize>, Vec<f32>)| {
        (name.to_owned(), (TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape }, Stored::Floats(values)))
    };
    let tensors: StateDict = [
        ("backbone.layers.0.weight", vec![2, 1], vec![1.0, -1.0]),
        ("backbone.layers.0.bias", vec![1], vec![0.5]),
        ("heads.any.weight", vec![1, 2], vec![4.0, 5.0]),
        ("heads.any.bias", vec![2], vec![6.0, 7.0]),
    ]
    .map(tensor)
    .into();
    let path = save(&folder.path().join("expert.safetensors"), &tensors);
    let expert = open(&path, &with_classes(&own(), "x y")).unwrap().expert("task-2", &words("y x")).unwrap();
    assert_eq!(expert.heads[0].classes, [1, 0]);
    assert_eq!(values(&expert, "backbone.layers.0.weight"), [1.0, -1.0]);
    assert_eq!(values(&expert, "heads.task-2.weight"), [4.0, 5.0]);
    let error = open(&path, &Reading::default()).unwrap_err().to_string();
    assert!(error.contains("does not state its backbone"), "{error}");
}

/// The error for a file.
#[track_caller]
fn refused(path: &Path, reading: &Reading, stream: &str) -> String {
    let expert = open(path, reading).and_then(|file| file.expert("x", &words(stream)));
    let error = expert.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    let error = error.to_string();
    assert!(error.starts_with(&path.display().to_string()) && error.contains("accepted"), "{error}");
    error
}

#[test]
fn classes_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = written(folder.path(), &two_heads());
    let foreign = save(&folder.path().join("m.pt"), &perceptron(1, 3));
    let mlp = mlp(folder.path());
    let none = Reading::default();
    for (path, reading) in [(&own, &none), (&foreign, &mlp)] {
        let error = refused(path, reading, "a b c");
        assert!(error.contains("does not name the classes of its classifier of"), "{error}");
        let error = refused(path, &with_classes(reading, "a b"), "a b c");
        assert!(error.contains("`classes` names 2: `a`, `b`; accepted: 3 names"), "{error}");
        let error = refused(path, &with_classes(reading, "a b cat"), "a b c");
        assert!(
            error.contains("has the class `cat`, which the stream does not have; accepted: `a`, `b`, `c`"),
            "{error}"
        );
    }
    let error = refused(&foreign, &with_classes(&mlp, "a b a"), "a b c");
    assert!(error.contains("`a` is named twice"), "{error}");
    let error = refused(&own, &with_classes(&none, "a b a"), "a b c");
    assert!(error.contains("two rows for the class `a`; accepted for an expert"), "{error}");
    let bare = save(&folder.path().join("bare.pt"), &resnet(1, None));
    assert!(refused(&bare, &slim(), "a").contains("has no classifier; accepted for an expert"));
    assert!(refused(&bare, &with_classes(&slim(), "a"), "a").contains("has no classifier, but `classes` names `a`"));
}

#[test]
fn another_architecture_is_named_with_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &two_heads());
    let wide = Reading { backbone: Some(Arc::new(MlpConfig { layers: vec![3] })), ..own() };
    let error = refused(&path, &with_classes(&wide, "a b c"), "a b c");
    assert!(error.contains("is a mlp (layers = [1]), but mlp (layers = [3]) is needed"), "{error}");
    let other = Reading { input: Some([1, 1, 3].into()), ..own() };
    let error = refused(&path, &with_classes(&other, "a b c"), "a b c");
    assert!(error.contains("takes inputs of 1×1×2, but 1×1×3 is needed"), "{error}");
    let names = Reading { names: mlp(folder.path()).names, ..own() };
    assert!(refused(&path, &names, "a").contains("is a model of a run directory, which needs no table of names"));

    let mut broken = two_heads();
    broken.weights.insert("backbone.layers.0.weight", Values::new(vec![1, 2], vec![0.0; 2]));
    let path = written(folder.path(), &broken);
    let error = open(&path, &own()).unwrap_err().to_string();
    assert!(
        error.contains("`backbone.layers.0.weight` has the shape [1, 2]; mlp (layers = [1]) for inputs of"),
        "{error}"
    );
    let mut broken = two_heads();
    broken.weights.insert("heads.b.weight", Values::new(vec![2, 1], vec![0.0; 2]));
    let error = open(&written(folder.path(), &broken), &own()).unwrap_err().to_string();
    assert!(error.contains("`heads.b.weight` has the shape [2, 1]; a head of 1 classes on 1 latents"), "{error}");
    let mut broken = two_heads();
    broken.weights.insert("backbone.layers.9.bias", Values::new(vec![1], vec![0.0]));
    let error = open(&written(folder.path(), &broken), &own()).unwrap_err().to_string();
    assert!(error.contains("`backbone.layers.9.bias` is not part of mlp"), "{error}");
}

#[test]
fn a_manifest_that_disagrees_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let save = |normalisation: &str| {
        let text = format!(
            r#"{{"backbone":{{"kind":"mlp","layers":[4]}},"input":[1,2,3],"normalisation":{normalisation},
            "heads":[{{"name":"head-1","classes":["a","b"]}},{{"name":"head-2","classes":["c"]}}]}}"#
        );
        let manifest = BTreeMap::from([(MANIFEST.to_owned(), text)]);
        save_with(&folder.path().join("m.safetensors"), &perceptron(1, 3), manifest)
    };
    let mlp = files::mlp(folder.path());
    let path = save(r#"{"mean":[0.5],"std":[0.5]}"#);
    let heads = open(&path, &mlp).unwrap().heads(&words("c b a")).unwrap();
    assert_eq!(heads.iter().map(|head| head.classes.clone()).collect::<Vec<_>>(), [vec![2, 1], vec![0]]);
    let error = refused(&path, &with_classes(&mlp, "a c b"), "a b c");
    assert!(error.contains("states the classes `a`, `b`, `c`, but `classes` names `a`, `c`, `b`; accepted"), "{error}");
    let path = save(r#"{"mean":[0.25],"std":[0.5]}"#);
    let error = refused(&path, &mlp, "a b c");
    assert!(
        error.contains("mean ([0.25]) and standard deviation ([0.5]); accepted: a model of inputs in −1…1"),
        "{error}"
    );
}
