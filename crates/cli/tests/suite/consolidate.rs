//! `alluvium consolidate`, `inspect` and `evaluate` as a user runs them, on files of other frameworks.

use std::fs;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use serde_json::Value;

use crate::perceptron::{SAID, floats, folder, write, write_with};
use crate::tiny::{self, alluvium, files_below, succeeds, text};

const EXPERTS: [&str; 10] = [
    "consolidate",
    "--previous",
    "base.safetensors",
    "--expert",
    "a.safetensors",
    "--expert",
    "b.safetensors",
    "--classes",
    "a.safetensors=A,B",
    "--classes=b.safetensors=C,D,E",
];

/// The arguments of a consolidation of both experts. `more` gives the strategy and the destination.
fn both<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&EXPERTS[..], &SAID, more].concat()
}

pub fn json(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn two_experts_become_one_file_that_says_what_it_is() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let before = files_below(folder.path());
    let how = ["--strategy", "weight-averaging", "--out", "merged.safetensors"];
    let planned = succeeds(folder.path(), &both(&[&how[..], &["--dry-run"]].concat()));
    assert_eq!(files_below(folder.path()), before, "a dry run writes nothing");
    for part in
        ["mlp (layers = [8]), inputs of 1×28×28", "2 classes (A, B), new as head-1", "5 tensors", "5 rows", "dry run"]
    {
        assert!(planned.contains(part), "`{part}` is not in:\n{planned}");
    }

    let printed = succeeds(folder.path(), &both(&how));
    assert!(printed.ends_with("Written: merged.safetensors\n"), "{printed}");
    let [a, b] = ["a.safetensors", "b.safetensors"].map(at);
    let merged = at("merged.safetensors");
    let pairs = floats(&a, "hidden.weight").into_iter().zip(floats(&b, "hidden.weight"));
    for (value, (a, b)) in floats(&merged, "hidden.weight").into_iter().zip(pairs) {
        assert!((value - (a + b) / 2.0).abs() < 1e-6);
    }
    assert_eq!(floats(&merged, "out.bias"), [floats(&a, "out.bias"), floats(&b, "out.bias")].concat());
    let steps = Checkpoint::open(&merged).unwrap().read("steps").unwrap();
    assert_eq!(steps.values, Values::Integers(vec![100]), "what the table leaves out is the previous model's");

    let found = json(&succeeds(folder.path(), &["inspect", "merged.safetensors", "--names", "names.toml", "--json"]));
    assert_eq!(found["model"]["kind"], "foreign");
    assert_eq!(found["model"]["heads"][1]["classes"], serde_json::json!(["C", "D", "E"]));
    assert_eq!(found["dtypes"], serde_json::json!({ "F32": 4, "I64": 1 }));
    // 8·784 + 8 + 5·8 + 5
    assert_eq!(found["parameters"], 6325);
    assert_eq!(found["provenance"]["strategy"], serde_json::json!({ "kind": "weight-averaging" }));
    assert_eq!(found["provenance"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["provenance"]["experts"][0]["digest"], Checkpoint::open(&a).unwrap().digest().unwrap());
    let page = succeeds(folder.path(), &["inspect", "merged.safetensors", "--names", "names.toml"]);
    for part in ["head-2", "C, D, E", "weight-averaging, seed 0, on flex", "expert b.safetensors"] {
        assert!(page.contains(part), "`{part}` is not in:\n{page}");
    }
}

#[test]
fn every_strategy_without_data_and_pld_from_a_photo_give_a_file() {
    let folder = folder();
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/surrogates/single-image/data/coffee.png");
    fs::copy(photo, folder.path().join("photo.png")).unwrap();
    fs::write(
        folder.path().join("pld.toml"),
        "[[strategies]]\nkind = \"pld\"\nname = \"mine\"\nsteps = 3\nbatch_size = 8\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("data.toml"),
        "[surrogate]\nkind = \"single-image\"\nimage = \"photo.png\"\npatches = 20\n",
    )
    .unwrap();
    let without = ["naive", "weight-averaging", "task-arithmetic", "ties", "dare", "magmax", "slerp", "opcm", "fedavg"];
    let learned = [vec!["pld.toml", "--surrogate", "data.toml"], vec!["pld.toml", "--surrogate", "photo.png"]];
    let jobs = without.iter().map(|kind| vec![*kind]).chain(learned);
    for (number, job) in jobs.enumerate() {
        let out = format!("out-{number}.safetensors");
        succeeds(folder.path(), &both(&[&["--strategy"], &job[..], &["--out", &out]].concat()));
        assert_eq!(floats(&folder.path().join(&out), "out.bias").len(), 5, "{job:?}");
        let found = json(&succeeds(folder.path(), &["inspect", &out, "--names", "names.toml", "--json"]));
        let surrogate = &found["provenance"]["surrogate"];
        if job.len() == 1 {
            assert!(surrogate.is_null());
        } else {
            assert_eq!(surrogate["settings"]["image"], "photo.png");
            assert_eq!(surrogate["files"][0][1].as_str().unwrap().len(), 64);
        }
    }
}

#[test]
fn an_unknown_network_is_consolidated_tensor_by_tensor() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write(&at("c.safetensors"), 3, 3);
    let files = ["consolidate", "--tensorwise", "--previous", "b.safetensors", "--expert", "c.safetensors"];
    let consolidate = |more: &[&str]| succeeds(folder.path(), &[&files[..], more].concat());

    let how = ["--strategy", "weight-averaging", "--out", "mean.safetensors"];
    let before = files_below(folder.path());
    let planned = consolidate(&[&how[..], &["--dry-run"]].concat());
    assert_eq!(files_below(folder.path()), before, "a dry run writes nothing");
    assert!(planned.contains("b.safetensors: counts as a first expert"), "{planned}");
    assert!(planned.contains("mean.safetensors: 5 tensors"), "{planned}");
    consolidate(&how);
    for name in ["hidden.weight", "hidden.bias", "out.weight", "out.bias"] {
        let pairs = floats(&at("b.safetensors"), name).into_iter().zip(floats(&at("c.safetensors"), name));
        for (value, (b, c)) in floats(&at("mean.safetensors"), name).into_iter().zip(pairs) {
            assert!((value - (b + c) / 2.0).abs() < 1e-6, "{name}");
        }
    }
    let steps = Checkpoint::open(at("mean.safetensors")).unwrap().read("steps").unwrap();
    assert_eq!(steps.values, Values::Integers(vec![103]), "integers are the last expert's");

    // A mean over experts does not include the model that they started from.
    consolidate(&["--strategy", "weight-averaging", "--initial-only", "--out", "of-one.safetensors"]);
    assert_eq!(floats(&at("of-one.safetensors"), "out.weight"), floats(&at("c.safetensors"), "out.weight"));
    let found = json(&succeeds(folder.path(), &["inspect", "of-one.safetensors", "--json"]));
    assert_eq!(found["provenance"]["previous"]["initial_only"], true);
    let said = succeeds(folder.path(), &["inspect", "of-one.safetensors"]);
    let digest = found["provenance"]["previous"]["digest"].as_str().unwrap();
    assert!(said.contains(&format!("previous b.safetensors {digest} (what the experts started from)")), "{said}");
    assert_eq!(found["provenance"]["strategy"]["kind"], "weight-averaging");

    for (more, expected) in [
        (&["--strategy", "{ kind = \"pld\" }"][..], "needs the whole network"),
        (&["--strategy", "naive", "--expert", "a.safetensors"], "`out.bias`"),
        (&["--strategy", "naive", "--expert", "base.safetensors"], "`out.bias`"),
        (&["--strategy", "naive", "--names", "names.toml"], "cannot be used with"),
    ] {
        let refused = alluvium(folder.path(), &[&files[..], more, &["--out", "no.safetensors"]].concat());
        let said = text(&refused.stderr);
        assert!(refused.status.code() == Some(2) && said.contains(expected), "{more:?}: {said}");
        assert!(!at("no.safetensors").exists());
    }
}

/// Writes a file of one tensor, `w`.
fn write_one(path: &Path, dtype: Dtype, values: Values) {
    let info = TensorInfo { name: "w".to_owned(), dtype, shape: vec![values.len()] };
    let mut writer = Writer::create(path, vec![info], &WriteOptions::default()).unwrap();
    writer.write("w", &values).unwrap();
    writer.finish().unwrap();
}

#[test]
fn tensors_of_64_bits_keep_them() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let doubles = |values: &[f64]| Values::Doubles(values.to_vec());
    write_one(&at("base.safetensors"), Dtype::F64, doubles(&[1.000_000_000_1, 1e-300, 1e300]));
    write_one(&at("expert.safetensors"), Dtype::F64, doubles(&[1.000_000_000_3, 3e-300, 3e300]));
    let files = ["consolidate", "--tensorwise", "--previous", "base.safetensors", "--expert", "expert.safetensors"];
    // The expert's; the mean of both.
    for (strategy, expected) in
        [("naive", [1.000_000_000_3, 3e-300, 3e300]), ("weight-averaging", [1.000_000_000_2, 2e-300, 2e300])]
    {
        succeeds(
            folder.path(),
            &[&files[..], &["--strategy", strategy, "--out", "out.safetensors", "--overwrite"]].concat(),
        );
        let found = Checkpoint::open(at("out.safetensors")).unwrap().read("w").unwrap();
        for (found, expected) in found.doubles().unwrap().iter().zip(expected) {
            let off = (found / expected - 1.0).abs();
            assert!(off < 1e-15 && (strategy != "naive" || off == 0.0), "{strategy}: {found:e}, expected {expected:e}");
        }
    }
}

#[test]
fn of_files_task_vectors_are_taken_from_what_the_experts_started_from() {
    let folder = folder();
    for value in [0.0, 2.0, 4.0] {
        let path = folder.path().join(format!("m{value}.safetensors"));
        write_one(&path, Dtype::F32, Values::Floats(vec![value, 10.0 * value, -value]));
    }
    let consolidate = |order: [&str; 2], table: &str, more: &[&str]| {
        let files = ["consolidate", "--tensorwise", "--previous", "m0.safetensors"];
        let experts = ["--expert", order[0], "--expert", order[1]];
        let to = ["--strategy", table, "--out", "out.safetensors", "--overwrite"];
        let printed = succeeds(folder.path(), &[&files[..], &experts, &to, more].concat());
        (floats(&folder.path().join("out.safetensors"), "w"), printed)
    };
    let [forth, back] = [["m2.safetensors", "m4.safetensors"], ["m4.safetensors", "m2.safetensors"]];
    let half = r#"{ kind = "task-arithmetic", scaling = 0.5 }"#;
    for order in [forth, back] {
        // 0 + 0.5·2 + 0.5·4
        let (found, printed) = consolidate(order, half, &["--initial-only"]);
        assert_eq!(found, [3.0, 30.0, -3.0], "{order:?}");
        assert!(printed.contains(r#""relative_to":"initial""#), "the plan says what was chosen: {printed}");
    }
    let inspected = json(&succeeds(folder.path(), &["inspect", "out.safetensors", "--json"]));
    assert_eq!(inspected["provenance"]["strategy"]["relative_to"], "initial");
    // The given option is used: 0 + 0.5·2 = 1, 1 + 0.5·(4 − 1) = 2.5.
    let set = r#"{ kind = "task-arithmetic", scaling = 0.5, relative_to = "previous" }"#;
    assert_eq!(consolidate(forth, set, &["--initial-only"]).0, [2.5, 25.0, -2.5]);
    // A previous model that counts as a first expert is treated as in a stream.
    let (found, printed) = consolidate(forth, half, &[]);
    assert_eq!(found, [2.5, 25.0, -2.5]);
    assert!(printed.contains(r#""relative_to":"previous""#), "{printed}");
}

#[test]
fn a_model_that_is_too_large_for_one_file_goes_into_several_and_is_read_again() {
    let folder = folder();
    // The hidden layer and the output's bias have (8·784 + 8 + 5)·4 = 25 140 bytes, the output's weight has 5·8·4 = 160.
    let how = ["--strategy", "slerp", "--out", "parts.safetensors", "--shard-size", "0.0000252"];
    let printed = succeeds(folder.path(), &both(&how));
    assert!(printed.contains("parts-00001-of-00002.safetensors, ") && printed.contains("parts.safetensors.index.json"));
    let index = "parts.safetensors.index.json";
    let found = json(&succeeds(folder.path(), &["inspect", index, "--names", "names.toml", "--json"]));
    assert_eq!((&found["files"], &found["model"]["kind"]), (&3.into(), &"foreign".into()));
    refused(folder.path(), &both(&how), &["index.json: exists already", "--overwrite"]);
    // A part is refused like the index, even one of another model.
    fs::rename(folder.path().join(index), folder.path().join("kept")).unwrap();
    refused(folder.path(), &both(&how), &["parts-00001-of-00002.safetensors: exists already"]);
    fs::rename(folder.path().join("kept"), folder.path().join(index)).unwrap();
    let input = ["--expert", index, "--overwrite", "--tensorwise"];
    let parts = ["consolidate", "--previous", index];
    let says = ["parts.safetensors.index.json: is one of the models"];
    refused(folder.path(), &[&parts[..], &input, &["--shard-size", "0.000001"], &how[..4]].concat(), &says);
    // One file instead of several would leave the old parts behind, so it needs --overwrite, which removes them.
    refused(folder.path(), &both(&how[..4]), &["index.json: exists already", "--overwrite"]);
    let alone = ["consolidate", "--tensorwise", "--previous", "parts-00001-of-00002.safetensors", "--expert", index];
    refused(
        folder.path(),
        &[&alone[..], &how[..2], &["--out", "o.safetensors"]].concat(),
        &["is one part of 2", index],
    );

    let on = ["consolidate", "--previous", index, "--expert", "a.safetensors", "--names", "names.toml"];
    let how = ["--strategy", "naive", "--out", "next.safetensors", "--classes", "a.safetensors=B,A"];
    let printed = succeeds(folder.path(), &[&on[..], &how].concat());
    assert!(printed.contains("2 classes (B, A), the same as head-1"), "{printed}");
}

#[test]
fn a_file_is_judged_on_a_stream_by_the_names_of_its_classes() {
    let folder = folder();
    // The first row has the largest bias, so the model always answers with its first class.
    let first = |name: &str, values: Vec<f32>| match name {
        "out.weight" => vec![0.0; values.len()],
        "out.bias" => (0..values.len()).map(|row| -(row as f32)).collect(),
        _ => values,
    };
    write_with(&folder.path().join("m.safetensors"), 1, 3, first);
    let stream = r#"{ kind = "split-glyphs", tasks = 2, classes_per_task = 2, class_order = ["a", "b", "c", "d"] }"#;
    let said = ["--names", "names.toml", "--backbone", "{ kind = \"mlp\", layers = [8] }"];
    let evaluate = ["evaluate", "m.safetensors", "--stream", stream, "--classes", "m.safetensors=b,d,Q"];
    let found = json(&succeeds(folder.path(), &[&evaluate[..], &said, &["--json"]].concat()));
    let tasks = found["scores"]["tasks"].as_array().unwrap();
    // It knows b of the classes a and b, and d of c and d. The test set has the same number of glyphs of each class.
    let of = |task: &Value| ["known_classes", "task_aware", "task_agnostic"].map(|key| task[key].as_f64().unwrap());
    assert_eq!(of(&tasks[0]), [1.0, 0.5, 0.5]);
    assert_eq!(of(&tasks[1]), [1.0, 0.5, 0.0]);
    assert_eq!(found["scores"]["accuracy"], 0.25);
    assert_eq!(found["digest"].as_str().unwrap().len(), 64);

    let table = "name = \"x\"\n[stream]\nkind = \"split-glyphs\"\ntasks = 2\nclasses_per_task = 2\n";
    let order = "class_order = [\"a\", \"b\", \"c\", \"d\"]\n";
    fs::write(folder.path().join("stream.toml"), [table, order].concat()).unwrap();
    let evaluate = ["evaluate", "m.safetensors", "--stream", "stream.toml", "--classes", "m.safetensors=b,d,Q"];
    let table = succeeds(folder.path(), &[&evaluate[..], &said].concat());
    assert!(table.contains("1/2") && table.contains("50.00") && table.contains("25.00 %"), "{table}");

    assert!(!table.contains("64 bits"), "{table}");

    // The same numbers in 64 bits get the same scores, and the output says that they run in 32 bits.
    let narrow = Checkpoint::open(folder.path().join("m.safetensors")).unwrap();
    let widen = |info: &TensorInfo| {
        let values = match narrow.read(&info.name).unwrap().values {
            Values::Floats(values) => Values::Doubles(values.into_iter().map(f64::from).collect()),
            other => other,
        };
        let dtype = if info.dtype.is_float() { Dtype::F64 } else { info.dtype };
        (TensorInfo { dtype, ..info.clone() }, values)
    };
    let wide: Vec<_> = narrow.tensors().map(widen).collect();
    let infos = wide.iter().map(|(info, _)| info.clone()).collect();
    let mut writer = Writer::create(folder.path().join("wide.safetensors"), infos, &WriteOptions::default()).unwrap();
    while let Some(next) = writer.peek().cloned() {
        let (_, values) = wide.iter().find(|(info, _)| *info == next).unwrap();
        writer.write(&next.name, values).unwrap();
    }
    writer.finish().unwrap();
    let evaluate = ["evaluate", "wide.safetensors", "--stream", "stream.toml", "--classes", "wide.safetensors=b,d,Q"];
    let rounded = succeeds(folder.path(), &[&evaluate[..], &said].concat());
    assert!(rounded.starts_with(&table) && rounded.contains("64 bits; they were rounded to 32"), "{rounded}");

    let evaluate = ["evaluate", "m.safetensors", "--stream", stream, "--classes", "m.safetensors=xx,yy,z z"];
    let refused = alluvium(folder.path(), &[&evaluate[..], &said].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("knows no class of the stream"), "{}", text(&refused.stderr));
}

#[test]
fn models_of_run_directories_can_be_inspected() {
    let folder = tiny::folder();
    succeeds(folder.path(), &["compare", "tiny.toml", "--seeds", "0", "--out", "out"]);
    let files = files_below(&folder.path().join("out"));
    let of = |name: &str| files.iter().find(|file| file.ends_with(name)).unwrap().to_str().unwrap().to_owned();
    let (central, expert) = (of("central.safetensors"), of("expert.safetensors"));
    let found = json(&succeeds(folder.path(), &["inspect", &central, "--json"]));
    assert_eq!((&found["model"]["kind"], &found["model"]["backbone"]["kind"]), (&"run".into(), &"mlp".into()));
    let page = succeeds(folder.path(), &["inspect", &expert]);
    assert!(page.contains("an expert of a run directory") && page.contains("2 in 1 head"), "{page}");
}

#[test]
fn what_is_not_known_is_inspected_all_the_same() {
    let folder = folder();
    let page = succeeds(folder.path(), &["inspect", "a.safetensors"]);
    assert!(
        page.contains("not known: a.safetensors: no built-in table of names") && page.contains("`hidden.bias`"),
        "{page}"
    );
    fs::write(folder.path().join("text.safetensors"), "hello").unwrap();
    let refused = alluvium(folder.path(), &["inspect", "text.safetensors"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

/// Checks that the arguments are refused with these words and exit code 2, and that nothing is written.
#[track_caller]
pub fn refused(folder: &Path, arguments: &[&str], says: &[&str]) {
    let before = files_below(folder);
    let output = alluvium(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(files_below(folder), before, "{arguments:?} wrote something");
    for part in says {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn what_cannot_be_consolidated_is_refused_and_nothing_is_written() {
    let folder = folder();
    let path = folder.path();
    let strategies: [(&str, &[&str]); 8] = [
        ("weight-avg", &["--strategy", "unknown strategy kind \"weight-avg\"", "did you mean \"weight-averaging\"?"]),
        ("{ kind = \"ties\", density = 2.0 }", &["`density` = 2.0 is out of range"]),
        ("{ kind = \"ties\"", &["--strategy", "is not a table"]),
        ("missing.toml", &["missing.toml", "cannot be read"]),
        ("ewc", &["\"ewc\" needs samples of devices"]),
        ("fisher-merging", &["asks devices for the statistic \"fisher", "no checkpoint holds"]),
        ("pld", &["\"pld\" needs surrogate data", "--surrogate"]),
        ("ensemble", &["\"ensemble\" makes a model whose architecture is not mlp"]),
    ];
    for (strategy, says) in strategies {
        refused(path, &both(&["--strategy", strategy, "--out", "o.safetensors"]), says);
    }
    fs::write(path.join("two.toml"), "[[strategies]]\nkind = \"naive\"\n[[strategies]]\nkind = \"slerp\"\n").unwrap();
    refused(path, &both(&["--strategy", "two.toml", "--out", "o.safetensors"]), &["two.toml: has 2 strategies"]);
    fs::write(path.join("wrong.toml"), "kind = \"slerp\"\nexpert_weight = 3.0\n").unwrap();
    refused(
        path,
        &both(&["--strategy", "wrong.toml", "--out", "o.safetensors"]),
        &["wrong.toml:2:1", "`expert_weight`"],
    );

    let naive = |out: &'static str| both(&["--strategy", "naive", "--out", out]);
    refused(path, &naive("o.pt"), &["ends in .safetensors"]);
    refused(path, &naive("a.safetensors"), &["exists already", "--overwrite"]);
    refused(path, &naive("no/o.safetensors"), &["the folder does not exist"]);
    refused(path, &[&naive("a.safetensors")[..], &["--overwrite"]].concat(), &["is one of the models"]);
    refused(path, &[&naive("o.safetensors")[..], &["--surrogate", "noise"]].concat(), &["uses no surrogate data"]);
    refused(
        path,
        &[&naive("o.safetensors")[..], &["--classes", "c.safetensors=a"]].concat(),
        &["does not begin with one of the files"],
    );
    refused(path, &[&naive("o.safetensors")[..], &["--classes", "a.safetensors=X,Y"]].concat(), &["twice"]);
    refused(path, &[&naive("o.safetensors")[..], &["--expert", "none.safetensors"]].concat(), &["none.safetensors"]);

    let broken = |name: &str, values: Vec<f32>| match name {
        "hidden.bias" => vec![f32::NAN; values.len()],
        _ => values,
    };
    write_with(&path.join("c.safetensors"), 3, 2, broken);
    let more = ["--expert", "c.safetensors"];
    let says = ["c.safetensors: the tensor `hidden.bias` holds a value that is not finite"];
    refused(path, &[&naive("o.safetensors")[..], &more].concat(), &says);
}

#[cfg(unix)]
#[test]
fn links_are_followed_where_models_are_read_and_not_where_one_is_written() {
    use std::os::unix::fs::symlink;

    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("inner")).unwrap();
    fs::rename(path.join("b.safetensors"), path.join("inner/b.safetensors")).unwrap();
    symlink("inner", path.join("b.safetensors")).unwrap();
    succeeds(path, &both(&["--strategy", "naive", "--out", "o.safetensors"]));
    symlink("nowhere", path.join("p-00002-of-00007.safetensors")).unwrap();
    let several = ["--strategy", "naive", "--out", "p.safetensors", "--shard-size", "0.000001", "--overwrite"];
    refused(path, &both(&several), &["p-00002-of-00007.safetensors: is a symbolic link"]);
    symlink("nowhere", path.join("dangling.safetensors")).unwrap();
    symlink("o.safetensors", path.join("link.safetensors")).unwrap();
    for out in ["dangling.safetensors", "link.safetensors"] {
        refused(path, &both(&["--strategy", "naive", "--out", out, "--overwrite"]), &[out, "symbolic link"]);
    }
    let dangling = ["consolidate", "--previous", "dangling.safetensors", "--expert", "a.safetensors"];
    let more = ["--strategy", "naive", "--out", "p.safetensors"];
    refused(path, &[&dangling[..], &SAID, &more].concat(), &["dangling.safetensors", "cannot be read"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing() {
    use std::process::Stdio;

    let folder = folder();
    write(&folder.path().join("base.safetensors"), 0, 1);
    let before = files_below(folder.path());
    let strategy = "{ kind = \"pld\", steps = 1_000_000 }";
    let more = ["--strategy", strategy, "--surrogate", "{ kind = \"noise\", samples = 64 }", "--out", "o.safetensors"];
    let mut child =
        tiny::command(folder.path(), &both(&more)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program watches for signals before it prints the plan. The work that follows takes far longer than this test.
    let mut plan = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("o.safetensors: ") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut plan, &mut line).unwrap() > 0, "no plan was printed");
    }
    let output = tiny::interrupt(child);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing was written"), "{}", text(&output.stderr));
    assert_eq!(files_below(folder.path()), before);
}
