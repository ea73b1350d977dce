//! Files that contradict themselves or each other: what is read from them, and what is refused.

use std::fs;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};

use crate::by_hand;
use crate::consolidate::{json, refused};
use crate::perceptron::{SAID, floats, folder, write};
use crate::tiny::{files_below, succeeds};

/// A file by `torch.save` of one storage of floats, with that pickle.
fn torch_save(path: &Path, pickle: &[u8], floats: &[f32]) {
    let values: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path, by_hand::archive_of(pickle, &values)).unwrap();
}

fn fixture(folder: &Path, name: &str) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../checkpoint/tests/fixtures");
    fs::copy(Path::new(fixtures).join(name), folder.join(name)).unwrap();
}

#[test]
fn files_of_pytorch_give_what_pytorch_reads() {
    let folder = folder();
    let path = folder.path();
    for (name, tensor, expected) in
        [("neg.pt", "w", -1.0), ("conjimag.pt", "w", 0.207_485_57), ("multistep.pt", "bias", 0.044_042_27)]
    {
        fixture(path, name);
        let files = ["consolidate", "--tensorwise", "--previous", name, "--expert", name, "--strategy", "naive"];
        succeeds(path, &[&files[..], &["--out", "o.safetensors", "--overwrite"]].concat());
        assert_eq!(floats(&path.join("o.safetensors"), tensor)[0], expected, "{name}");
    }
    fixture(path, "emptysd.pt");
    fs::write(path.join("none.safetensors"), by_hand::flat("{}", b"")).unwrap();
    let stream = ["--stream", "{ kind = \"split-glyphs\", tasks = 2, classes_per_task = 2 }"];
    for name in ["emptysd.pt", "none.safetensors"] {
        let says = [name, "holds no tensors"];
        let files = ["consolidate", "--tensorwise", "--previous", name, "--expert", name, "--strategy", "naive"];
        refused(path, &[&files[..], &["--out", "no.safetensors"]].concat(), &says);
        refused(path, &["inspect", name], &says);
        refused(path, &[&["evaluate", name], &stream[..]].concat(), &says);
    }
}

#[test]
fn another_state_dict_is_taken_where_it_is_asked_for() {
    let folder = folder();
    let path = folder.path();
    let dict = |index: u8| {
        by_hand::inner_dict(&[(
            "w",
            by_hand::tensor_of("FloatStorage", "0", b"K\x02", &[b'K', index], b"K\x01\x85", b"K\x01\x85"),
        )])
    };
    let pickle = by_hand::dict_of(&[("state_dict", dict(0)), ("state_dict_ema", dict(1))]);
    torch_save(&path.join("m.pt"), &pickle, &[1.0, 2.0]);
    let consolidated = |files: [&str; 2], more: &[&str]| {
        let files = ["consolidate", "--tensorwise", "--previous", files[0], "--expert", files[1]];
        let how = ["--strategy", "naive", "--out", "o.safetensors", "--overwrite"];
        let printed = succeeds(path, &[&files[..], &how, more].concat());
        (printed, floats(&path.join("o.safetensors"), "w")[0])
    };
    let (printed, value) = consolidated(["m.pt", "m.pt"], &[]);
    assert_eq!(value, 1.0);
    assert!(
        printed.contains("m.pt: its state dict `state_dict` is taken") && printed.contains("`state_dict_ema`"),
        "{printed}"
    );
    assert_eq!(consolidated(["m.pt", "m.pt"], &["--state-dict", "state_dict_ema"]).1, 2.0);
    fs::copy(path.join("m.pt"), path.join("n.pt")).unwrap();
    assert_eq!(consolidated(["m.pt", "n.pt"], &["--state-dict", "n.pt=state_dict_ema"]).1, 2.0);
    let found = json(&succeeds(path, &["inspect", "o.safetensors", "--json"]));
    let keys = ["previous", "experts"].map(|role| found["provenance"][role].to_string());
    assert!(
        keys[0].contains("\"state_dict\":\"state_dict\"") && keys[1].contains("\"state_dict\":\"state_dict_ema\""),
        "{keys:?}"
    );

    let found = json(&succeeds(path, &["inspect", "m.pt", "--json", "--state-dict", "state_dict_ema"]));
    assert_eq!(found["state_dict"], serde_json::json!({ "key": "state_dict_ema", "others": ["state_dict"] }));
    let page = succeeds(path, &["inspect", "m.pt"]);
    assert!(page.contains("its state dict `state_dict` is taken"), "{page}");
    refused(
        path,
        &["inspect", "m.pt", "--state-dict", "ema"],
        &["no state dict `ema`", "`state_dict`, `state_dict_ema`"],
    );
    refused(path, &["inspect", "a.safetensors", "--state-dict", "ema"], &["a.safetensors", "is safetensors"]);
    let files = ["consolidate", "--tensorwise", "--previous", "a.safetensors", "--expert", "a.safetensors"];
    let how = ["--strategy", "naive", "--out", "no.safetensors"];
    refused(path, &[&files[..], &how, &["--state-dict", "ema"]].concat(), &["none of the files holds several"]);
    refused(path, &[&files[..], &how, &["--state-dict", "a.safetensors=ema"]].concat(), &["is safetensors"]);
    let twice = ["--state-dict", "ema", "--state-dict", "other"];
    refused(path, &[&files[..], &how, &twice].concat(), &["a key for all files was given before"]);
}

#[test]
fn adapters_are_consolidated_as_the_updates_that_they_stand_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path();
    let save = |name: &str, tensors: &[(&str, &[usize], &[f32])]| {
        let info = |(name, shape, _): &(&str, &[usize], &[f32])| TensorInfo {
            name: (*name).to_owned(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
        };
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut writer = Writer::create(&file, tensors.iter().map(info).collect(), &WriteOptions::default()).unwrap();
        tensors.iter().for_each(|(name, _, values)| writer.write(name, &Values::Floats(values.to_vec())).unwrap());
        writer.finish().unwrap();
    };
    // Of rank 1, with the scale 2: a adds 2·(1, 0)ᵀ(1, 2), b adds 2·(0, 3)ᵀ(4, 0).
    let factors = |down: &'static [f32], up: &'static [f32]| {
        [("base_model.model.q.lora_A.weight", &[1, 2][..], down), ("base_model.model.q.lora_B.weight", &[2, 1][..], up)]
    };
    save("a/adapter_model.safetensors", &factors(&[1.0, 2.0], &[1.0, 0.0]));
    save("b/adapter_model.safetensors", &factors(&[4.0, 0.0], &[0.0, 3.0]));
    save("base.safetensors", &[("q.weight", &[2, 2], &[100.0; 4]), ("bias", &[1], &[5.0])]);
    let mean = |previous: &str, more: &[&str]| {
        let how = ["--tensorwise", "--strategy", "weight-averaging", "--out", "o.safetensors", "--overwrite"];
        [&["consolidate", "--previous", previous][..], &how, more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| succeeds(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let says = |arguments: Vec<String>, says: &[&str]| {
        refused(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), says);
    };
    let both = ["--expert", "a", "--expert", "b", "--initial-only"];
    says(
        mean("base.safetensors", &both),
        &["`base_model.model.q.lora_A.weight`", "whose scale is not stated", "adapter_config.json"],
    );
    for folder in ["a", "b"] {
        fs::write(
            path.join(folder).join("adapter_config.json"),
            "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 2}",
        )
        .unwrap();
    }
    // Into the base: the mean of 100 + 2 4 / 0 0 and 100 + 0 0 / 24 0. The product of mean factors would be
    // 2·(0.5, 1.5)ᵀ(2.5, 1) = 2.5 1 / 7.5 3.
    let printed = run(mean("base.safetensors", &both));
    assert!(printed.contains("the previous model with its updates"), "{printed}");
    assert_eq!(floats(&path.join("o.safetensors"), "q.weight"), [101.0, 102.0, 112.0, 100.0]);
    assert_eq!(floats(&path.join("o.safetensors"), "bias"), [5.0]);
    // Into an adapter: updates.
    let printed = run(mean("a", &["--expert", "b"]));
    assert!(printed.contains("these tensors are updates, not weights"), "{printed}");
    assert_eq!(floats(&path.join("o.safetensors"), "base_model.model.q.weight"), [1.0, 2.0, 12.0, 0.0]);
    let written = Checkpoint::open(path.join("o.safetensors")).unwrap();
    assert!(written.metadata()["alluvium.updates"].contains("add each one to the base model"));
    // What does not go together.
    says(
        mean("a", &["--expert", "base.safetensors"]),
        &["base.safetensors: is a whole model, but a is a low-rank adapter"],
    );
    save("other.safetensors", &[("k.weight", &[2, 2], &[1.0; 4])]);
    says(
        mean("other.safetensors", &both),
        &["changes a weight that the base model does not have", "other.safetensors"],
    );
    let whole = ["consolidate", "--previous", "a", "--expert", "b", "--strategy", "naive", "--out", "no.safetensors"];
    refused(path, &whole, &["is a factor of a low-rank adapter", "--tensorwise"]);
}

#[test]
fn names_of_classes_are_read_from_any_text_and_stand_once() {
    let folder = folder();
    let path = folder.path();
    let inspected = |list: &[u8]| {
        fs::write(path.join("names.txt"), list).unwrap();
        ["inspect", "a.safetensors", "--json", "--classes", "a.safetensors=@names.txt"]
            .into_iter()
            .chain(SAID)
            .collect::<Vec<_>>()
    };
    for list in [&b"\xef\xbb\xbfcat\r\ndog\r\n"[..], b"cat\ndog", b"\xef\xbb\xbfcat\ndog\n"] {
        let found = json(&succeeds(path, &inspected(list)));
        assert_eq!(found["model"]["heads"][0]["classes"], serde_json::json!(["cat", "dog"]));
    }
    refused(path, &inspected(b"\xff\xfec\0a\0t\0"), &["names.txt", "UTF-16", "accepted: text in UTF-8"]);
    refused(path, &inspected(b"K\xe4se\nBrot"), &["names.txt", "line 1 holds the byte 0xe4"]);
    // Twice the same, in a list, on the command line, and in what a file says of itself.
    let how = ["--strategy", "naive", "--out", "no.safetensors"];
    fs::write(path.join("names.txt"), "\u{feff}cat\ncat\n").unwrap();
    for classes in ["a.safetensors=@names.txt", "a.safetensors=cat, cat"] {
        let one = ["consolidate", "--previous", "base.safetensors", "--expert", "a.safetensors", "--classes", classes];
        refused(path, &[&one[..], &SAID, &how].concat(), &["a.safetensors", "`cat` is named twice"]);
    }
    let manifest = r#"{"backbone":{"kind":"mlp"},"input":[1,28,28],"normalisation":{"mean":[0.5],"std":[0.5]},"heads":[{"name":"h","classes":["cat","cat"]}]}"#;
    let info = TensorInfo { name: "w".to_owned(), dtype: Dtype::F32, shape: vec![1] };
    let options = WriteOptions {
        metadata: [("alluvium.model".to_owned(), manifest.to_owned())].into(),
        ..WriteOptions::default()
    };
    let mut writer = Writer::create(path.join("m.safetensors"), vec![info], &options).unwrap();
    writer.write("w", &Values::Floats(vec![0.0])).unwrap();
    writer.finish().unwrap();
    let one = ["consolidate", "--previous", "m.safetensors", "--expert", "a.safetensors"];
    refused(path, &[&one[..], &SAID, &how].concat(), &["m.safetensors", "`cat` is named twice"]);
}

#[test]
fn a_model_in_several_files_leaves_nothing_to_the_next_one_of_its_name() {
    let folder = folder();
    let path = folder.path();
    write(&path.join("c.safetensors"), 3, 3);
    let copy = |expert: &str, more: &[&str]| {
        let files = ["consolidate", "--tensorwise", "--previous", "b.safetensors", "--expert", expert];
        let how = ["--strategy", "naive", "--out", "m.safetensors"];
        [&files[..], &how, more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| succeeds(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let there = || {
        let files = files_below(path);
        let mut names: Vec<_> = files
            .iter()
            .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
            .filter(|name| name.starts_with("m"))
            .collect();
        names.sort();
        names
    };
    let says = |expert: &str| floats(&path.join(expert), "out.bias");
    let parts = ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors", "m.safetensors.index.json"];
    run(copy("b.safetensors", &["--shard-size", "0.0000252"]));
    assert_eq!(there(), parts);
    assert_eq!(floats(&path.join(parts[2]), "out.bias"), says("b.safetensors"));
    run(copy("c.safetensors", &["--overwrite"]));
    assert_eq!(there(), ["m.safetensors"]);
    assert_eq!(floats(&path.join("m.safetensors"), "out.bias"), says("c.safetensors"));
    run(copy("b.safetensors", &["--shard-size", "0.0000252", "--overwrite"]));
    assert_eq!(there(), parts);
    run(copy("c.safetensors", &["--shard-size", "0.0000252", "--overwrite"]));
    assert_eq!(floats(&path.join(parts[2]), "out.bias"), says("c.safetensors"));
}
