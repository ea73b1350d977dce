//! Consolidating files into a file: the numbers, the names and the metadata.

use std::collections::BTreeSet;
use std::fs;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values};
use alluvium_interchange::{
    Arrangement, Consolidation, ForeignModel, MANIFEST, Manifest, PROVENANCE, Provenance, Reading,
};
use alluvium_model::{Digest, Silent};
use alluvium_strategy::{RunDescription, StrategyConfig, Surrogate, SurrogateError};
use alluvium_strategy_naive::Naive;
use alluvium_strategy_pld::PldConfig;
use alluvium_strategy_slerp::SlerpConfig;
use alluvium_strategy_task_arithmetic::TaskArithmeticConfig;
use alluvium_strategy_ties::TiesConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;
use alluvium_surrogate_noise::NoiseConfig;
use burn::tensor::Device;

use crate::files::{
    self, StateDict, consolidate, floats, load, mlp, named, open, perceptron, resnet, save, slim, widen, words,
};

/// Asserts that every value of a tensor is a function of both experts' values.
#[track_caller]
fn assert_values(out: &StateDict, name: &str, of: [&StateDict; 2], expected: impl Fn(f64, f64) -> f64) {
    let [a, b] = of.map(|tensors| floats(tensors, name));
    for (place, value) in floats(out, name).iter().enumerate() {
        let expected = expected(f64::from(a[place]), f64::from(b[place]));
        assert!((f64::from(*value) - expected).abs() < 1e-6, "{name}[{place}] = {value}, not {expected}");
    }
}

#[test]
fn two_experts_of_a_base_average_to_their_mean_under_the_names_that_they_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (base, a, b) = (resnet(0, None), resnet(1, Some(3)), resnet(2, Some(2)));
    let previous = open(&save(&at("base.safetensors"), &base), &slim()).unwrap();
    let experts = [
        named(&save(&at("a.safetensors"), &a), &slim(), "cat dog cow"),
        named(&save(&at("b.safetensors"), &b), &slim(), "car bus"),
    ];
    let out = at("out.safetensors");
    let files = consolidate(&previous, &experts, &WeightAveraging::default(), None, &out).unwrap();
    assert_eq!(files, std::slice::from_ref(&out));

    let written = load(&out);
    let names = |tensors: &StateDict| tensors.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&written), names(&a), "load_state_dict(strict=True) wants exactly these");
    for (name, (info, values)) in &written {
        match name.as_str() {
            "fc.weight" => {
                assert_eq!(info.shape, [5, files::CHANNELS[3]]);
                assert_eq!(floats(&written, name), [floats(&a, name), floats(&b, name)].concat());
            }
            "fc.bias" => assert_eq!(floats(&written, name), [floats(&a, name), floats(&b, name)].concat()),
            counter if counter.ends_with("num_batches_tracked") => assert_eq!(values, &Values::Integers(vec![10])),
            _ => {
                assert_eq!(info, &base[name].0);
                assert_values(&written, name, [&a, &b], |a, b| (a + b) / 2.0);
            }
        }
    }

    // The file describes itself, so it can be read without further options.
    let read = open(&out, &Reading::default()).unwrap();
    assert_eq!(read.classes(), words("cat dog cow car bus"));
    assert_eq!((read.heads().len(), read.input(), read.is_numbered()), (2, [1, 8, 8].into(), false));
}

#[test]
fn a_previous_model_with_classes_counts_as_the_first_expert() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (resnet(1, Some(2)), resnet(2, Some(2)));
    let previous = named(&save(&folder.path().join("a.safetensors"), &a), &slim(), "cat dog");
    let experts = [named(&save(&folder.path().join("b.safetensors"), &b), &slim(), "car bus")];
    let out = folder.path().join("out.safetensors");
    consolidate(&previous, &experts, &WeightAveraging::default(), None, &out).unwrap();
    let written = load(&out);
    for name in ["conv1.weight", "layer4.1.bn2.running_var", "layer2.0.downsample.0.weight"] {
        assert_values(&written, name, [&a, &b], |a, b| (a + b) / 2.0);
    }
    assert_eq!(floats(&written, "fc.bias"), [floats(&a, "fc.bias"), floats(&b, "fc.bias")].concat());

    // With its classifier left behind, the previous model is only the start of the experts.
    let backbone_only = Reading { backbone_only: true, ..slim() };
    let previous = open(&folder.path().join("a.safetensors"), &backbone_only).unwrap();
    consolidate(&previous, &experts, &WeightAveraging::default(), None, &out).unwrap();
    let written = load(&out);
    assert_eq!(written["conv1.weight"].1, b["conv1.weight"].1);
    assert_eq!(written["fc.weight"].0.shape, [2, files::CHANNELS[3]]);
}

#[test]
fn a_head_that_returns_is_one_head_whatever_the_order_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (perceptron(1, 2), perceptron(2, 2));
    let reading = mlp(folder.path());
    let previous = named(&save(&folder.path().join("a.safetensors"), &a), &reading, "cat dog");
    let experts = [named(&save(&folder.path().join("b.safetensors"), &b), &reading, "dog cat")];
    let out = folder.path().join("out.safetensors");
    consolidate(&previous, &experts, &Naive {}, None, &out).unwrap();
    let written = load(&out);
    // `naive` takes the newest expert's head, whose second row is the first one's class. A row of `out.weight` has 4 values.
    let weight = floats(&b, "out.weight");
    assert_eq!(floats(&written, "out.weight"), [&weight[4..], &weight[..4]].concat());
    assert_eq!(floats(&written, "out.bias"), [floats(&b, "out.bias")[1], floats(&b, "out.bias")[0]]);
    assert_eq!(written["hidden.weight"].1, b["hidden.weight"].1, "transposed on the way in and on the way out");
    assert_eq!(open(&out, &reading).unwrap().classes(), words("cat dog"));
}

#[test]
fn types_are_those_of_the_previous_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = perceptron(1, 2);
    for (info, _) in a.values_mut() {
        info.dtype = Dtype::Bf16;
    }
    let b = perceptron(2, 2);
    let reading = mlp(folder.path());
    let previous = named(&save(&folder.path().join("a.safetensors"), &a), &reading, "cat dog");
    let experts = [named(&save(&folder.path().join("b.safetensors"), &b), &reading, "car bus")];
    let out = folder.path().join("out.safetensors");
    consolidate(&previous, &experts, &WeightAveraging::default(), None, &out).unwrap();
    let written = load(&out);
    assert!(written.values().all(|(info, _)| info.dtype == Dtype::Bf16));
    let a = load(&folder.path().join("a.safetensors"));
    for name in ["hidden.weight", "hidden.bias"] {
        let pairs = floats(&a, name).iter().zip(floats(&b, name));
        for (value, (a, b)) in floats(&written, name).iter().zip(pairs) {
            assert_eq!(value.to_bits() & 0xffff, 0, "{name}: {value} has no more bits than a bfloat16");
            // Computed in 32 bits and rounded once, at the end: to 8 bits, so by at most 2⁻⁸ of the mean.
            let mean = (a + b) / 2.0;
            assert!((value - mean).abs() <= mean.abs() / 256.0 + 1e-6, "{name}: {value}, and the mean is {mean}");
        }
    }
    // Rows that only one model has: the previous model's are unchanged, the expert's are rounded.
    let rows = floats(&written, "out.weight");
    assert_eq!(rows[..8], *floats(&a, "out.weight"));
    let rounded = |value: &f32| {
        let bits = value.to_bits();
        f32::from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000)
    };
    assert_eq!(rows[8..], floats(&b, "out.weight").iter().map(rounded).collect::<Vec<_>>());
}

#[test]
fn names_that_all_begin_with_the_same_are_written_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The names as torch.nn.parallel.DistributedDataParallel changes them.
    let wrapped = |tensors: StateDict| -> StateDict {
        let wrap = |(name, (info, values)): (String, (TensorInfo, Values))| {
            let name = format!("module.{name}");
            (name.clone(), (TensorInfo { name, ..info }, values))
        };
        tensors.into_iter().map(wrap).collect()
    };
    let (base, a, b) = (resnet(0, None), resnet(1, Some(3)), resnet(2, Some(2)));
    save(&at("base.safetensors"), &wrapped(base.clone()));
    save(&at("a.safetensors"), &wrapped(a.clone()));
    let experts = || {
        [
            named(&at("a.safetensors"), &slim(), "cat dog cow"),
            named(&save(&at("b.safetensors"), &b), &slim(), "car bus"),
        ]
    };
    let previous = open(&at("base.safetensors"), &slim()).unwrap();
    assert_eq!((previous.names().kind(), previous.names().prefix()), (Some("torchvision-resnet"), "module."));
    assert_eq!(previous.names().to_string(), "torchvision-resnet behind `module.`");
    let out = at("out.safetensors");
    consolidate(&previous, &experts(), &WeightAveraging::default(), None, &out).unwrap();
    let written = load(&out);
    let names = |tensors: &StateDict| tensors.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&written), names(&wrapped(a.clone())));
    let plain: StateDict =
        written.into_iter().map(|(name, own)| (name.strip_prefix("module.").unwrap().to_owned(), own)).collect();
    for name in ["conv1.weight", "layer4.1.bn2.running_var"] {
        assert_values(&plain, name, [&a, &b], |a, b| (a + b) / 2.0);
    }
    assert_eq!(floats(&plain, "fc.weight"), [floats(&a, "fc.weight"), floats(&b, "fc.weight")].concat());
    // The file names its table, and is read behind the prefix again.
    assert_eq!(open(&out, &Reading::default()).unwrap().names().prefix(), "module.");

    // If the previous model has no classifier, the classifier would get the first expert's names.
    let previous = open(&save(&at("plain.safetensors"), &base), &slim()).unwrap();
    let error =
        consolidate(&previous, &experts(), &WeightAveraging::default(), None, &at("no.safetensors")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("a.safetensors: has names that begin with `module.`"), "{error}");
    assert!(!at("no.safetensors").exists());
}

#[test]
fn a_learned_strategy_consolidates_too_and_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let previous = named(&save(&folder.path().join("a.safetensors"), &perceptron(1, 2)), &reading, "cat dog");
    let experts = [named(&save(&folder.path().join("b.safetensors"), &perceptron(2, 3)), &reading, "car bus van")];
    let mut strategy = PldConfig::default();
    strategy.distillation.steps = 3;
    let noise: NoiseConfig = serde_json::from_str(r#"{ "samples": 16 }"#).unwrap();
    let written = ["one", "two"].map(|name| {
        let out = folder.path().join(format!("{name}.safetensors"));
        consolidate(&previous, &experts, &strategy, Some(&noise), &out).unwrap();
        (fs::read(&out).unwrap(), load(&out))
    });
    assert!(written[0].0 == written[1].0, "the same bytes");
    let out = &written[0].1;
    assert_eq!(out["out.weight"].0.shape, [5, 4]);
    let expert = perceptron(2, 3);
    assert_ne!(floats(out, "hidden.weight"), floats(&expert, "hidden.weight"), "the student starts there and learns");
}

#[test]
fn the_file_says_where_it_comes_from_generation_by_generation() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("somewhere");
    fs::create_dir(&inner).unwrap();
    let reading = mlp(folder.path());
    let paths = ["a", "b", "c"].map(|name| inner.join(format!("{name}.safetensors")));
    for (seed, path) in paths.iter().enumerate() {
        save(path, &perceptron(seed, 2));
    }
    let models = paths.each_ref().map(|path| open(path, &reading).unwrap());
    let [a, b, c] = models;
    let [first, second] = ["first", "second"].map(|name| folder.path().join(format!("{name}.safetensors")));
    consolidate(&a, &[b], &SlerpConfig { expert_weight: 0.25 }, None, &first).unwrap();
    let middle = open(&first, &reading).unwrap();
    consolidate(&middle, &[c], &Naive {}, None, &second).unwrap();

    let metadata = Checkpoint::open(&second).unwrap().metadata().clone();
    assert_eq!(metadata["format"], "pt");
    let manifest: Manifest = serde_json::from_str(&metadata[MANIFEST]).unwrap();
    let heads: Vec<_> = manifest.heads.iter().map(|head| (head.name.as_str(), head.classes.join(" "))).collect();
    let expected = [("head-1", "a:0 a:1"), ("head-2", "b:0 b:1"), ("head-3", "c:0 c:1")];
    assert_eq!(heads, expected.map(|(name, classes)| (name, classes.to_owned())));
    assert_eq!((manifest.input, manifest.names), ([1, 2, 3].into(), None));
    assert_eq!(manifest.backbone, serde_json::json!({ "kind": "mlp", "layers": [4] }));

    let newest: Provenance = serde_json::from_str(&metadata[PROVENANCE]).unwrap();
    let digest = |path| Checkpoint::open(path).unwrap().digest().unwrap();
    assert_eq!((newest.version.as_str(), newest.seed, &newest.strategy["kind"]), ("1.2.3", 3, &"naive".into()));
    assert_eq!((newest.previous.file.as_str(), &newest.previous.digest), ("first.safetensors", &digest(&first)));
    assert_eq!((newest.experts[0].file.as_str(), &newest.experts[0].digest), ("c.safetensors", &digest(&paths[2])));
    let older = newest.previous.provenance.unwrap();
    assert_eq!(older.strategy, serde_json::json!({ "kind": "slerp", "expert_weight": 0.25 }));
    assert_eq!((&older.previous.digest, &older.experts[0].digest), (&digest(&paths[0]), &digest(&paths[1])));
    assert!(!metadata[PROVENANCE].contains("somewhere"), "folders are private");
}

#[test]
fn surrogate_data_are_noted_with_their_files_digests() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.bin");
    fs::write(&photo, b"a picture").unwrap();

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Photo {
        image: std::path::PathBuf,
    }

    #[typetag::serde(name = "photo-for-a-test")]
    impl alluvium_strategy::SurrogateConfig for Photo {
        fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
            unreachable!("only its note is taken")
        }

        fn files(&self) -> Vec<std::path::PathBuf> {
            vec![self.image.clone()]
        }
    }

    let note = alluvium_interchange::SurrogateNote::of(&Photo { image: photo }).unwrap();
    assert_eq!(note.settings, serde_json::json!({ "kind": "photo-for-a-test", "image": "photo.bin" }));
    assert_eq!(note.files, [("photo.bin".to_owned(), Digest::of(b"a picture").as_str().to_owned())]);
}

#[test]
fn in_pieces_and_whole_models_come_to_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (base, a, b) = (resnet(0, Some(2)), resnet(1, Some(3)), resnet(2, Some(2)));
    save(&at("base.safetensors"), &base);
    // The second expert has the previous model's classes, in another order.
    let experts = [
        named(&save(&at("a.safetensors"), &a), &slim(), "cow sheep goat"),
        named(&save(&at("b.safetensors"), &b), &slim(), "dog cat"),
    ];
    let classes: Vec<_> = experts.iter().map(ForeignModel::classes).collect();
    let strategies: [&dyn StrategyConfig; 5] = [
        &WeightAveraging::default(),
        &SlerpConfig::default(),
        &TiesConfig::default(),
        &Naive {},
        &TaskArithmeticConfig::default(),
    ];
    // With the previous model's classifier, and without it.
    for backbone_only in [false, true] {
        let previous = named(&at("base.safetensors"), &Reading { backbone_only, ..slim() }, "cat dog");
        let arrangement = Arrangement::new(previous.heads(), &classes).unwrap();
        assert_eq!((arrangement.heads.len(), arrangement.previous), (2, usize::from(!backbone_only)));
        for strategy in strategies {
            let kind = strategy.typetag_name();
            assert!(strategy.piecewise(&RunDescription::default()).is_some(), "{kind} goes in pieces");
            let consolidation = Consolidation {
                previous: &previous,
                experts: &experts,
                arrangement: &arrangement,
                strategy: (kind, strategy),
                surrogate: None,
                seed: 3,
            };
            let whole = consolidation.run(&Device::flex(), &Silent).unwrap();
            let out = at(&format!("{kind}-{backbone_only}.safetensors"));
            consolidate(&previous, &experts, strategy, None, &out).unwrap();
            let pieces = load(&out);
            for (theirs, ours) in [
                ("conv1.weight", "backbone.stem.conv.weight"),
                ("layer4.1.bn2.running_var", "backbone.stages.3.1.second.norm.running_var"),
            ] {
                let expected = whole.weights.get(ours).unwrap_or_else(|| panic!("{ours} is not there"));
                assert_eq!(floats(&pieces, theirs), expected.as_f32().unwrap(), "{kind}: {theirs}");
            }
            let biases: Vec<f32> = whole
                .heads
                .iter()
                .flat_map(|head| {
                    whole.weights.get(&format!("{}.bias", head.prefix())).unwrap().as_f32().unwrap().to_vec()
                })
                .collect();
            assert_eq!(floats(&pieces, "fc.bias"), biases, "{kind}, {backbone_only}: heads");
        }
    }
}

#[test]
fn weights_of_64_bits_keep_them_in_pieces_and_in_whole_models() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let reading = mlp(folder.path());
    let [base, a, b] = [0, 1, 2].map(|seed| {
        let mut tensors = perceptron(seed, 2);
        for name in ["hidden.weight", "hidden.bias", "out.weight", "out.bias"] {
            widen(&mut tensors, name);
        }
        tensors
    });
    save(&at("base.safetensors"), &base);
    let previous = open(&at("base.safetensors"), &Reading { backbone_only: true, ..reading.clone() }).unwrap();
    let experts = [
        named(&save(&at("a.safetensors"), &a), &reading, "cat dog"),
        named(&save(&at("b.safetensors"), &b), &reading, "dog cat"),
    ];
    let classes: Vec<_> = experts.iter().map(ForeignModel::classes).collect();
    let arrangement = Arrangement::new(previous.heads(), &classes).unwrap();
    let doubles = |tensors: &StateDict, name: &str| match &tensors[name].1 {
        Values::Doubles(values) => values.clone(),
        other => panic!("{name} holds {other:?}"),
    };
    let strategies: [&dyn StrategyConfig; 3] =
        [&WeightAveraging::default(), &TaskArithmeticConfig { scaling: 0.5, relative_to: None }, &Naive {}];
    for strategy in strategies {
        let kind = strategy.typetag_name();
        let consolidation = Consolidation {
            previous: &previous,
            experts: &experts,
            arrangement: &arrangement,
            strategy: (kind, strategy),
            surrogate: None,
            seed: 3,
        };
        let whole = consolidation.run(&Device::flex(), &Silent).unwrap();
        let out = at(&format!("{kind}.safetensors"));
        consolidate(&previous, &experts, strategy, None, &out).unwrap();
        let pieces = load(&out);
        let head = format!("{}.bias", whole.heads[0].prefix());
        for (theirs, ours) in [("hidden.bias", "backbone.layers.0.bias"), ("out.bias", &head)] {
            let found = doubles(&pieces, theirs);
            let expected = whole.weights.get(ours).unwrap_or_else(|| panic!("{ours} is not there"));
            assert_eq!(found, expected.as_f64().unwrap(), "{kind}: {theirs}");
        }
        // Worked out in 64 bits: the mean of both experts, which equals the base plus half of both changes; or the last
        // expert.
        let [base, a, b] = [&base, &a, &b].map(|tensors| doubles(tensors, "hidden.bias"));
        for (place, found) in doubles(&pieces, "hidden.bias").into_iter().enumerate() {
            let expected = match kind {
                "weight-averaging" => (a[place] + b[place]) / 2.0,
                "task-arithmetic" => base[place] + 0.5 * (a[place] - base[place]) + 0.5 * (b[place] - base[place]),
                _ => b[place],
            };
            assert!((found - expected).abs() < 1e-15, "{kind}: {found}, expected {expected}");
        }
    }
}
