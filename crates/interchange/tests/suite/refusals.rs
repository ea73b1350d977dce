//! Errors are reported before anything is written, and name the tensor as its file does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_backbone_resnet::SlimResNet18Config;
use alluvium_checkpoint::{Dtype, TensorInfo, Values};
use alluvium_interchange::{
    Arrangement, Consolidation, Inspection, InterchangeError, MANIFEST, Names, Normalisation, PROVENANCE, Reading,
};
use alluvium_strategy::{StrategyConfig, SurrogateConfig};
use alluvium_strategy_ensemble::EnsembleConfig;
use alluvium_strategy_naive::Naive;
use alluvium_strategy_pld::{Data, PldConfig};
use alluvium_surrogate_noise::NoiseConfig;
use burn::tensor::Device;

use crate::files::{
    self, StateDict, consolidate, floats, load, mlp, named, open, perceptron, resnet, save, save_with, slim, widen,
    words,
};

/// The error for a changed ResNet.
#[track_caller]
fn refused(change: impl FnOnce(&mut StateDict), reading: &Reading) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = resnet(1, Some(2));
    change(&mut tensors);
    let path = save(&folder.path().join("m.safetensors"), &tensors);
    let error = open(&path, reading).unwrap_err();
    assert!(error.is_refusal());
    let error = error.to_string();
    assert!(error.contains("m.safetensors: "), "{error}");
    error
}

#[test]
fn tensors_that_are_missing_too_many_or_of_another_shape_are_named() {
    let error = refused(|tensors| _ = tensors.remove("layer3.1.conv2.weight"), &slim());
    assert!(error.contains("`layer3.1.conv2.weight` is missing; slim-resnet18 (width = 2) needs"), "{error}");

    let extra = |tensors: &mut StateDict| {
        let (mut info, values) = tensors["conv1.weight"].clone();
        info.name = "attention.weight".to_owned();
        tensors.insert(info.name.clone(), (info, values));
    };
    let error = refused(extra, &slim());
    assert!(error.contains("no built-in table of names") && error.contains("`attention.weight`"), "{error}");

    let third = |tensors: &mut StateDict| {
        let (mut info, values) = tensors["layer1.0.conv1.weight"].clone();
        info.name = "layer1.0.conv3.weight".to_owned();
        tensors.insert(info.name.clone(), (info, values));
    };
    let error = refused(third, &slim());
    assert!(error.contains("`layer1.0.conv3.weight` is not part of slim-resnet18"), "{error}");

    let narrow = |tensors: &mut StateDict| {
        let (info, values) = tensors.get_mut("bn1.running_mean").unwrap();
        (info.shape, *values) = (vec![1], Values::Floats(vec![0.0]));
    };
    let error = refused(narrow, &slim());
    assert!(error.contains("`bn1.running_mean` has the shape [1]") && error.contains("needs [2]"), "{error}");

    let integers = |tensors: &mut StateDict| {
        let (info, values) = tensors.get_mut("bn1.bias").unwrap();
        (info.dtype, *values) = (Dtype::I64, Values::Integers(vec![1, 2]));
    };
    let error = refused(integers, &slim());
    assert!(error.contains("`bn1.bias` holds I64; accepted for weights: floats"), "{error}");
}

#[test]
fn a_classifier_is_whole_and_on_the_backbone_s_latents() {
    let error = refused(|tensors| _ = tensors.remove("fc.bias"), &slim());
    assert!(error.contains("`fc.bias` is missing, but `fc.weight` is present"), "{error}");
    let turned = |tensors: &mut StateDict| tensors.get_mut("fc.weight").unwrap().0.shape.reverse();
    let error = refused(turned, &slim());
    // [2, 16] became [16, 2]: 16 rows of two latents.
    assert!(error.contains("`fc.weight` has the shape [16, 2]") && error.contains("needs [16, 16]"), "{error}");
    let short = |tensors: &mut StateDict| {
        let (info, values) = tensors.get_mut("fc.bias").unwrap();
        (info.shape, *values) = (vec![1], Values::Floats(vec![0.0]));
    };
    let error = refused(short, &slim());
    assert!(error.contains("`fc.bias` has the shape [1]") && error.contains("needs [2]"), "{error}");
}

#[test]
fn another_architecture_is_refused() {
    let error = refused(|_| (), &Reading { backbone: Some(Arc::new(SlimResNet18Config { width: 3 })), ..slim() });
    assert!(error.contains("slim-resnet18 (width = 3) for inputs of 1×8×8 needs [3,"), "{error}");
    let error = refused(|_| (), &Reading { backbone: Some(Arc::new(MlpConfig { layers: vec![4] })), ..slim() });
    assert!(error.contains("`layers.0.") && error.contains("does not map it"), "{error}");
    let error = refused(|_| (), &Reading::default());
    assert!(error.contains("kind = \"slim-resnet18\", width = 2"), "{error}");
    let error = refused(|_| (), &Reading { input: Some([3, 8, 8].into()), ..slim() });
    assert!(
        error.contains("`conv1.weight` has the shape [2, 1, 3, 3]") && error.contains("needs [2, 3, 3, 3]"),
        "{error}"
    );
}

#[test]
fn a_file_of_a_few_bytes_cannot_ask_for_a_network_of_gigabytes() {
    // 64 layers of 65 536 outputs would have 275 billion weights. Shapes are compared before weights are drawn.
    let backbone = MlpConfig { layers: vec![65_536; 64] };
    let error = refused(|_| (), &Reading { backbone: Some(Arc::new(backbone)), ..slim() });
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn a_manifest_that_contradicts_the_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"backbone":{"kind":"slim-resnet18","width":2},"input":[1,8,8],
        "normalisation":{"mean":[0.5],"std":[0.5]},"heads":[{"name":"head-1","classes":["cat","dog"]}]}"#;
    let with = |manifest: &str, reading: &Reading| {
        let metadata = BTreeMap::from([(MANIFEST.to_owned(), manifest.to_owned())]);
        open(&save_with(&folder.path().join("m.safetensors"), &resnet(1, Some(2)), metadata), reading)
    };
    assert_eq!(with(good, &Reading::default()).unwrap().classes(), words("cat dog"));
    let cases = [
        (r#""cat","dog""#, r#""cat""#, "`fc.weight` has 2 rows, but its own manifest names 1 classes"),
        (r#""width":2"#, r#""width":4"#, "has the shape [2"),
        (r#""width":2"#, r#""width":100000000"#, "out of range"),
        ("slim-resnet18", "vgg", "unknown backbone kind \"vgg\""),
        ("[1,8,8]", "[3,8,8]", "each of 3 channels"),
        (
            r#"[1,8,8],
        "normalisation":{"mean":[0.5],"std":[0.5]}"#,
            r#"[3,8,8],"normalisation":{"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}"#,
            "`conv1.weight` has the shape [2, 1, 3, 3]",
        ),
        ("[1,8,8]", "[1,100000000,8]", "cannot be used"),
        (r#""mean":[0.5]"#, r#""mean":[0.5,0.5]"#, "each of 1 channels"),
        (r#""std":[0.5]"#, r#""std":[0.0]"#, "above 0"),
    ];
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from}");
        let error = with(&good.replace(from, to), &Reading::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let said = [
        (
            Reading { backbone: Some(Arc::new(SlimResNet18Config { width: 4 })), ..Reading::default() },
            "leave out --backbone",
        ),
        (Reading { input: Some([1, 9, 9].into()), ..Reading::default() }, "leave out --input"),
        (Reading { classes: Some(words("a b")), ..Reading::default() }, "leave out --classes"),
        (
            Reading { normalisation: Some(Normalisation { mean: vec![0.4], std: vec![0.5] }), ..Reading::default() },
            "leave out --mean",
        ),
    ];
    for (reading, expected) in said {
        let error = with(good, &reading).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn provenance_that_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = BTreeMap::from([(PROVENANCE.to_owned(), "{\"version\": 3}".to_owned())]);
    let path = save_with(&folder.path().join("m.safetensors"), &resnet(1, Some(2)), metadata);
    let error = open(&path, &slim()).unwrap_err().to_string();
    assert!(error.contains(PROVENANCE), "{error}");
}

#[test]
fn classes_are_named_as_often_as_there_are_rows() {
    let error = refused(|_| (), &Reading { classes: Some(words("a b c")), ..slim() });
    assert!(error.contains("`fc.weight` has 2 rows, but --classes names 3 classes"), "{error}");
    let error = refused(|_| (), &Reading { classes: Some(words("a a")), ..slim() });
    assert!(error.contains("`a` is named twice"), "{error}");
    let without = |tensors: &mut StateDict| tensors.retain(|name, _| !name.starts_with("fc."));
    let error = refused(without, &Reading { classes: Some(words("a b")), ..slim() });
    assert!(error.contains("has no classifier, but classes are named"), "{error}");
}

#[test]
fn a_model_of_a_run_directory_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = BTreeMap::from([("alluvium".to_owned(), "{}".to_owned())]);
    let path = save_with(&folder.path().join("m.safetensors"), &resnet(1, Some(2)), metadata);
    let error = open(&path, &slim()).unwrap_err().to_string();
    assert!(error.contains("run directory"), "{error}");
}

/// Inspects a ResNet with one more text in its metadata.
fn inspected(key: &str, text: &str) -> Result<Inspection, InterchangeError> {
    let folder = tempfile::tempdir().unwrap();
    let metadata = BTreeMap::from([(key.to_owned(), text.to_owned())]);
    let path = save_with(&folder.path().join("m.safetensors"), &resnet(1, Some(2)), metadata);
    Inspection::of(&path, &slim(), &Device::flex())
}

#[test]
fn a_model_of_a_run_directory_is_inspected_whatever_it_says_of_itself() {
    // We never write a backbone without a kind or one that is not a table. The tensors can be inspected all the same.
    for (backbone, words) in [
        ("{}", "unknown, inputs of 1×1×1"),
        (r#"{"kind":{}}"#, "unknown, "),
        (r#"{"kind":null,"width":2}"#, "unknown (width = 2), "),
        ("7", "unknown, "),
        ("null", "unknown, "),
    ] {
        let text = format!(r#"{{"backbone":{backbone},"input":[1,1,1],"heads":[]}}"#);
        let seen = inspected("alluvium", &text).unwrap_or_else(|error| panic!("{backbone}: {error}")).to_text();
        assert!(seen.contains(&format!("architecture  {words}")), "{seen}");
    }
    for text in ["", "{}", "[1]", r#"{"backbone":{},"input":[1,-1,1],"heads":[]}"#] {
        let error = inspected("alluvium", text).unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains("m.safetensors: the metadata's key `alluvium`"));
    }
}

#[test]
fn nothing_that_a_file_says_looks_like_a_line_of_an_inspection() {
    let forged = |text: &str| text.replace('@', "\\nprovenance    it does not say\\u001b[2J\\u202e");
    let run = forged(r#"{"backbone":{"kind":"a@","b@":"c@"},"input":[1,1,1],"heads":[{"name":"d@","classes":[0]}]}"#);
    let provenance = forged(
        r#"{"version":"a@","strategy":{"kind":"b@"},"surrogate":{"settings":"c@","files":[["d@","e@"]]},"seed":0,
        "backend":{"kind":"f@"},"previous":{"file":"g@","digest":"h@"},"experts":[]}"#,
    );
    for (key, text) in [("alluvium", run), (PROVENANCE, provenance)] {
        let seen = inspected(key, &text).unwrap().to_text();
        let of_provenance = seen.lines().filter(|line| line.starts_with("provenance"));
        assert_eq!(of_provenance.count(), 1, "{seen}");
        assert!(!seen.contains(['\u{1b}', '\u{202e}']) && seen.contains(r"\u{1b}[2J\u{202e}"), "{seen}");
    }
}

/// The error for a consolidation of two perceptrons. Nothing is written.
#[track_caller]
fn not_consolidated(
    strategy: &dyn StrategyConfig,
    noise: Option<&NoiseConfig>,
    expert: impl FnOnce(&Path, &Reading) -> StateDict,
) -> String {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let previous = named(&save(&folder.path().join("a.safetensors"), &perceptron(1, 2)), &reading, "cat dog");
    let tensors = expert(folder.path(), &reading);
    let experts = [open(&save(&folder.path().join("b.safetensors"), &tensors), &reading).unwrap()];
    let out = folder.path().join("out.safetensors");
    let before = fs::read_dir(folder.path()).unwrap().count();
    let noise = noise.map(|noise| noise as &dyn SurrogateConfig);
    let error = consolidate(&previous, &experts, strategy, noise, &out).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before, "nothing is written: {error}");
    error.to_string()
}

#[test]
fn values_that_are_not_finite_are_named_and_nothing_is_written() {
    for value in [f32::NAN, f32::INFINITY] {
        let error = not_consolidated(&Naive {}, None, |_, _| {
            let mut tensors = perceptron(2, 2);
            let Values::Floats(values) = &mut tensors.get_mut("hidden.weight").unwrap().1 else { unreachable!() };
            values[5] = value;
            tensors
        });
        assert!(
            error.contains("b.safetensors") && error.contains("`hidden.weight` holds a value that is not finite"),
            "{error}"
        );
        assert!(error.contains("at index 5"), "{error}");
    }
}

#[test]
fn what_trains_rounds_no_weight_and_names_the_one_of_64_bits() {
    let noise: NoiseConfig = serde_json::from_str(r#"{ "samples": 16 }"#).unwrap();
    let wide = |_: &Path, _: &Reading| {
        let mut tensors = perceptron(2, 2);
        widen(&mut tensors, "out.weight");
        tensors
    };
    let error = not_consolidated(&PldConfig::default(), Some(&noise), wide);
    assert!(error.contains("b.safetensors: the tensor `out.weight` holds F64"), "{error}");
    assert!(error.contains("\"pld\" trains in 32 bits; accepted: F32"), "{error}");
}

#[test]
fn a_negative_variance_is_named_whichever_way_the_models_go() {
    let folder = tempfile::tempdir().unwrap();
    let previous = named(&save(&folder.path().join("a.safetensors"), &resnet(1, Some(2))), &slim(), "cat dog");
    let mut tensors = resnet(2, Some(2));
    let Values::Floats(values) = &mut tensors.get_mut("layer2.0.bn1.running_var").unwrap().1 else { unreachable!() };
    values[3] = -0.25;
    let experts = [named(&save(&folder.path().join("b.safetensors"), &tensors), &slim(), "car bus")];
    let noise: NoiseConfig = serde_json::from_str(r#"{ "samples": 16 }"#).unwrap();
    let mut learned = PldConfig::default();
    learned.distillation.steps = 1;
    let out = folder.path().join("out.safetensors");
    let ways: [(&dyn StrategyConfig, Option<&dyn SurrogateConfig>); 2] = [(&Naive {}, None), (&learned, Some(&noise))];
    for (strategy, surrogate) in ways {
        let error = consolidate(&previous, &experts, strategy, surrogate, &out).unwrap_err();
        assert!(error.is_refusal() && !out.exists());
        let error = error.to_string();
        let says = "b.safetensors: the tensor `layer2.0.bn1.running_var` holds a negative variance (-0.25 at index 3)";
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn floats_that_the_table_leaves_out_are_as_finite_as_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut reading = mlp(folder.path());
    let table = folder.path().join("more.toml");
    fs::write(&table, format!("ignored = [\"scale\"]{}", files::PERCEPTRON_NAMES)).unwrap();
    reading.names = Some(Names::open(table.to_str().unwrap()).unwrap());
    let with_scale = |seed: usize, value: f32| {
        let mut tensors = perceptron(seed, 2);
        let info = TensorInfo { name: "scale".to_owned(), dtype: Dtype::F32, shape: vec![2] };
        tensors.insert(info.name.clone(), (info, Values::Floats(vec![1.5, value])));
        tensors
    };
    let noise: NoiseConfig = serde_json::from_str(r#"{ "samples": 16 }"#).unwrap();
    let mut learned = PldConfig::default();
    learned.distillation.steps = 1;
    // In pieces, and as whole models. The expert's value is never read.
    let ways: [(&dyn StrategyConfig, Option<&dyn SurrogateConfig>); 2] = [(&Naive {}, None), (&learned, Some(&noise))];
    for (strategy, surrogate) in ways {
        for value in [2.5, f32::NAN] {
            let a = save(&folder.path().join("a.safetensors"), &with_scale(1, value));
            let b = save(&folder.path().join("b.safetensors"), &with_scale(2, f32::INFINITY));
            let (previous, experts) = (named(&a, &reading, "cat dog"), [named(&b, &reading, "car bus")]);
            let out = folder.path().join(format!("{}-{value}.safetensors", strategy.typetag_name()));
            let done = consolidate(&previous, &experts, strategy, surrogate, &out);
            if value.is_nan() {
                let error = done.unwrap_err().to_string();
                let says = "a.safetensors: the tensor `scale` holds a value that is not finite (NaN at index 1)";
                assert!(error.contains(says) && !out.exists(), "{error}");
            } else {
                assert_eq!(floats(&load(&done.unwrap()[0]), "scale"), [1.5, 2.5]);
            }
        }
    }
}

#[test]
fn surrogate_data_are_looked_for_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let previous = open(&save(&folder.path().join("a.safetensors"), &perceptron(1, 2)), &reading).unwrap();
    let experts = [open(&save(&folder.path().join("b.safetensors"), &perceptron(2, 2)), &reading).unwrap()];
    let arrangement = Arrangement::new(previous.heads(), &[experts[0].classes()]).unwrap();
    let of =
        |samples: usize| -> NoiseConfig { serde_json::from_value(serde_json::json!({ "samples": samples })).unwrap() };
    let check = |noise: &NoiseConfig| {
        let consolidation = Consolidation {
            previous: &previous,
            experts: &experts,
            arrangement: &arrangement,
            strategy: ("pld", &PldConfig::default()),
            surrogate: Some(noise),
            seed: 0,
        };
        consolidation.check()
    };
    check(&of(16)).unwrap();
    // Six values of four bytes each.
    let error = check(&of(1 << 30)).unwrap_err().to_string();
    assert!(error.contains("take 25.8 GB: 1073741824 inputs of 1×2×3"), "{error}");
}

#[test]
fn an_expert_without_a_classifier_is_refused() {
    let error = not_consolidated(&Naive {}, None, |_, _| {
        let mut tensors = perceptron(2, 2);
        tensors.retain(|name, _| name.starts_with("hidden"));
        tensors
    });
    assert!(error.contains("b.safetensors: has no classifier"), "{error}");
}

#[test]
fn strategies_that_need_what_checkpoints_do_not_carry_are_refused() {
    let other = |_: &Path, _: &Reading| perceptron(2, 2);
    let noise: NoiseConfig = serde_json::from_str(r#"{ "samples": 16 }"#).unwrap();
    let error = not_consolidated(&PldConfig::default(), None, other);
    assert!(error.contains("needs surrogate data"), "{error}");
    let error = not_consolidated(&Naive {}, Some(&noise), other);
    assert!(error.contains("uses no surrogate data"), "{error}");
    let of_devices = PldConfig { data: Data::CurrentTask, ..PldConfig::default() };
    let error = not_consolidated(&of_devices, Some(&noise), other);
    assert!(error.contains("current-task") && error.contains("no checkpoint holds"), "{error}");
    let error = not_consolidated(&EnsembleConfig::default(), None, other);
    assert!(error.contains("\"ensemble\" makes a model whose architecture is not mlp"), "{error}");
}

#[test]
fn models_of_two_kinds_are_not_consolidated() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let previous = named(&save(&folder.path().join("a.safetensors"), &perceptron(1, 2)), &reading, "cat dog");
    let expert =
        |reading: &Reading| [named(&save(&folder.path().join("b.safetensors"), &perceptron(2, 2)), reading, "a b")];
    let out = folder.path().join("out.safetensors");
    let refused =
        |reading: Reading| consolidate(&previous, &expert(&reading), &Naive {}, None, &out).unwrap_err().to_string();
    let error = refused(Reading { input: Some([1, 3, 2].into()), ..reading.clone() });
    assert!(error.contains("b.safetensors: has inputs of 1×3×2, but") && error.contains("1×2×3"), "{error}");
    let normalisation = Some(Normalisation { mean: vec![0.25], std: vec![0.5] });
    let error = refused(Reading { normalisation, ..reading.clone() });
    assert!(error.contains("[0.25] and [0.5]"), "{error}");
    let other = Reading { backbone: Some(Arc::new(SlimResNet18Config { width: 2 })), ..slim() };
    let expert = [named(&save(&folder.path().join("c.safetensors"), &resnet(2, Some(2))), &other, "a b")];
    let error = consolidate(&previous, &expert, &Naive {}, None, &out).unwrap_err().to_string();
    assert!(error.contains("has the backbone slim-resnet18 (width = 2)") && error.contains("mlp"), "{error}");
}

#[test]
fn numbered_classes_of_two_files_of_one_name_are_not_taken_for_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let paths = ["x", "y"].map(|inner| {
        fs::create_dir(folder.path().join(inner)).unwrap();
        save(&folder.path().join(inner).join("model.safetensors"), &perceptron(1, 2))
    });
    let [previous, expert] = paths.each_ref().map(|path| open(path, &reading).unwrap());
    assert!(previous.is_numbered());
    let out = folder.path().join("out.safetensors");
    let error = consolidate(&previous, &[expert], &Naive {}, None, &out).unwrap_err().to_string();
    assert!(error.contains("--classes") && error.contains("\"model:0\""), "{error}");
}

#[test]
fn an_input_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let a = save(&folder.path().join("a.safetensors"), &perceptron(1, 2));
    let experts = [open(&save(&folder.path().join("b.safetensors"), &perceptron(2, 2)), &reading).unwrap()];
    let before = fs::read(&a).unwrap();
    let error = consolidate(&open(&a, &reading).unwrap(), &experts, &Naive {}, None, &a).unwrap_err();
    assert!(error.to_string().contains("is being read"), "{error}");
    assert_eq!(fs::read(&a).unwrap(), before);
}

#[test]
fn what_is_stopped_while_it_is_written_leaves_nothing() {
    use std::cell::Cell;
    use std::sync::Mutex;

    use alluvium_interchange::{Destination, Watcher, carry_out};
    use alluvium_model::Progress;

    /// Stops the work when it is asked for the second time.
    #[derive(Default)]
    struct ImpatientWatcher {
        asked: Mutex<Cell<usize>>,
        writing: Mutex<Vec<bool>>,
    }

    impl Progress for ImpatientWatcher {
        fn step(&self, _done: usize, _steps: usize) {}
    }

    impl Watcher for ImpatientWatcher {
        fn writing(&self, now: bool) {
            self.writing.lock().unwrap().push(now);
        }

        fn stopped(&self) -> bool {
            let asked = self.asked.lock().unwrap();
            asked.set(asked.get() + 1);
            asked.get() > 2
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let reading = mlp(folder.path());
    let previous = open(&save(&folder.path().join("a.safetensors"), &perceptron(1, 2)), &reading).unwrap();
    let experts = [open(&save(&folder.path().join("b.safetensors"), &perceptron(2, 2)), &reading).unwrap()];
    let arrangement = Arrangement::new(previous.heads(), &[experts[0].classes()]).unwrap();
    let consolidation = Consolidation {
        previous: &previous,
        experts: &experts,
        arrangement: &arrangement,
        strategy: ("naive", &Naive {}),
        surrogate: None,
        seed: 0,
    };
    let path = folder.path().join("out.safetensors");
    let to = Destination { path, shard_bytes: None, inputs: vec![] };
    let before = fs::read_dir(folder.path()).unwrap().count();
    let watcher = ImpatientWatcher::default();
    let origin = ("0", serde_json::Value::Null);
    let error = carry_out(&consolidation, &to, origin, &Device::flex(), &watcher).unwrap_err();
    assert!(matches!(error, InterchangeError::Stopped) && !error.is_refusal());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    assert_eq!(*watcher.writing.lock().unwrap(), [true, false]);
}
