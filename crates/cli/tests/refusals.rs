//! Bad input: each is refused before anything is trained, in a paragraph that names file, table and key and says what is
//! accepted, with exit code 2, no panic, and nothing half-written.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const GOOD: &str = r#"
name = "good"
protocol = { kind = "dcl" }
seeds = [0]
baseline = "naive"

[backend]
kind = "flex"

[stream]
kind = "split-glyphs"
tasks = 2
classes_per_task = 2
train_samples_per_class = 5

[backbone]
kind = "mlp"
layers = [8]

[device]
epochs = 1

[surrogate]
kind = "noise"
samples = 16

[[strategies]]
kind = "naive"

[[strategies]]
kind = "pld"
steps = 1
"#;

/// What is changed in the good file, and what the message must contain.
struct Bad {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    says: &'static [&'static str],
}

const fn bad(what: &'static str, from: &'static str, to: &'static str, says: &'static [&'static str]) -> Bad {
    Bad { what, from, to, says }
}

const BAD: &[Bad] = &[
    bad(
        "unknown strategy",
        "kind = \"naive\"",
        "kind = \"naiv\"",
        &["[[strategies]] 1", "\"naiv\"", "weight-averaging"],
    ),
    bad("unknown stream", "\"split-glyphs\"", "\"split-mnist\"", &["[stream]", "split-mnist", "split-fashion-mnist"]),
    bad("unknown backbone", "\"mlp\"", "\"vgg\"", &["[backbone]", "vgg", "small-cnn"]),
    bad("unknown backend", "\"flex\"", "\"tpu\"", &["[backend]", "tpu", "ndarray"]),
    bad("unknown surrogate", "\"noise\"", "\"nois\"", &["[surrogate]", "nois", "single-image"]),
    bad("unknown protocol", "\"dcl\"", "\"fl\"", &["protocol", "\"fl\"", "\"dcl\""]),
    bad("kind missing", "kind = \"mlp\"\n", "", &["[backbone]", "`kind`", "\"small-cnn\""]),
    bad("kind no string", "kind = \"mlp\"", "kind = 3", &["[backbone]", "`kind`"]),
    bad("unknown key at the top", "seeds = [0]", "seeds = [0]\nsede = 1", &["`sede`", "seeds"]),
    bad("unknown key of a strategy", "steps = 1", "stepz = 1", &["[[strategies]] 2", "`stepz`", "latent_weight"]),
    bad("unknown key of the device", "epochs = 1", "epoch = 1", &["`device.epoch`", "epochs"]),
    bad("unknown key of a stream", "tasks = 2", "task = 2", &["[stream]", "`task`", "classes_per_task"]),
    bad("wrong type", "epochs = 1", "epochs = \"one\"", &["`device.epochs`", "a string", "an integer"]),
    bad("a float for an integer", "tasks = 2", "tasks = 2.5", &["[stream]", "`tasks`", "an integer"]),
    bad("a table for a list", "seeds = [0]", "seeds = { a = 1 }", &["`seeds`", "a list"]),
    bad("no seeds", "seeds = [0]", "seeds = []", &["`seeds`", "at least 1"]),
    bad("negative seed", "seeds = [0]", "seeds = [-1]", &["`seeds.0`", "at least 0"]),
    bad("a seed twice", "seeds = [0]", "seeds = [1, 1]", &["`seeds`", "twice"]),
    bad("out of range: epochs", "epochs = 1", "epochs = 0", &["`device.epochs` = 0", "at least 1"]),
    bad("out of range: momentum", "epochs = 1", "momentum = 1.5", &["`device.momentum` = 1.5", "at most 0.9999"]),
    bad("not a number: nan", "epochs = 1", "learning_rate = nan", &["`device.learning_rate`", "a number"]),
    bad("out of range: λ", "steps = 1", "latent_weight = -1.0", &["`latent_weight` = -1", "at least 0"]),
    bad(
        "out of the list",
        "steps = 1",
        "start = \"middle\"",
        &["`start`", "\"previous\" or \"expert\" or \"average\""],
    ),
    bad(
        "nothing to learn",
        "steps = 1",
        "latent_weight = 0.0\noutput_weight = 0.0",
        &["`output_weight`", "greater than 0"],
    ),
    bad(
        "a name twice",
        "kind = \"pld\"",
        "kind = \"pld\"\nname = \"naive\"",
        &["[[strategies]] 2", "\"naive\" is taken"],
    ),
    bad("a reserved name", "kind = \"pld\"", "kind = \"pld\"\nname = \"joint\"", &["\"joint\" is taken"]),
    bad(
        "baseline without a row",
        "baseline = \"naive\"",
        "baseline = \"nobody\"",
        &["`baseline`", "\"nobody\"", "naive or pld"],
    ),
    bad("no surrogate", "[surrogate]\nkind = \"noise\"\nsamples = 16\n", "", &["\"pld\"", "no [surrogate] table"]),
    bad("too many classes", "tasks = 2", "tasks = 40", &["[stream]", "`classes_per_task`", "the data have 62"]),
    bad(
        "an unknown class",
        "tasks = 2",
        "tasks = 2\nclass_order = [\"A\", \"B\", \"C\", \"ß\"]",
        &["`class_order`", "\"ß\""],
    ),
    bad(
        "an empty task",
        "train_samples_per_class = 5",
        "train_samples_per_class = 0",
        &["[stream]", "`train_samples_per_class` = 0", "at least 1"],
    ),
    bad("no layers", "layers = [8]", "layers = []", &["[backbone]", "`layers`", "at least 1"]),
    bad(
        "a photo that is not there",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"no.png\"",
        &["[surrogate]", "no.png"],
    ),
    bad(
        "a photo that is none",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"text.png\"",
        &["[surrogate]", "text.png", "PNG"],
    ),
    bad(
        "a photo of 0×0",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"empty.png\"",
        &["[surrogate]", "empty.png"],
    ),
    bad(
        "a data set that is not there",
        "kind = \"split-glyphs\"",
        "kind = \"split-fashion-mnist\"\ndirectory = \"nowhere\"",
        &["[stream]", "nowhere", "dataset-fashion-mnist"],
    ),
    bad(
        "a truncated IDX file",
        "kind = \"split-glyphs\"",
        "kind = \"split-fashion-mnist\"\ndirectory = \"truncated\"",
        &["[stream]", "truncated", "train-images-idx3-ubyte"],
    ),
    bad("not TOML", "[stream]", "[stream", &["is not TOML"]),
    bad("an empty file", GOOD, "", &["`name` is missing", "`strategies` is missing"]),
];

/// A PNG of 0×0: signature and a header chunk with its true checksum.
const EMPTY_PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 0, 0, 0, 0, 0, 8, 0,
    0, 0, 0, 0x4f, 0x15, 0xb9, 0x1d,
];

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    fs::write(path.join("text.png"), "no picture").unwrap();
    fs::write(path.join("empty.png"), EMPTY_PNG).unwrap();
    fs::create_dir(path.join("truncated")).unwrap();
    for name in
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    {
        fs::write(path.join("truncated").join(name), [0, 0, 8, 3, 0, 0, 0, 9, 0, 0]).unwrap();
    }
    folder
}

/// Runs `alluvium` and gives its exit code and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
    let output = command.current_dir(folder).args(arguments).env_remove("RUST_BACKTRACE").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn is_refused(what: &str, (code, error): &(Option<i32>, String), says: &[&str]) {
    assert_eq!(*code, Some(2), "{what}: {error}");
    // A line for each problem, without a gap.
    let paragraph = error.starts_with("error: ") && !error.trim_end().contains("\n\n");
    assert!(paragraph, "{what} is not one paragraph: {error}");
    assert!(!error.contains("panicked") && !error.contains("backtrace"), "{what}: {error}");
    for part in says {
        assert!(error.contains(part), "{what}: `{part}` is not in: {error}");
    }
}

#[test]
fn the_good_file_is_good() {
    let folder = folder();
    fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    let (code, error) = run(folder.path(), &["check", "good.toml"]);
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn every_bad_file_is_refused_with_its_reason() {
    let folder = folder();
    assert!(BAD.len() >= 25);
    for Bad { what, from, to, says } in BAD {
        let changed = GOOD.replacen(from, to, 1);
        assert_ne!(changed, GOOD, "{what} changes nothing");
        fs::write(folder.path().join("bad.toml"), changed).unwrap();
        let refused = run(folder.path(), &["compare", "bad.toml", "--out", "out"]);
        is_refused(what, &refused, says);
        assert!(refused.1.contains("bad.toml"), "{what} does not name the file: {}", refused.1);
        assert!(!folder.path().join("out").exists(), "{what} left something behind");
    }
}

#[test]
fn a_strategy_that_asks_for_more_than_the_protocol_grants_is_refused() {
    let folder = folder();
    let asking = GOOD.replacen("steps = 1", "steps = 1\ndata = \"current-task\"", 1);
    fs::write(folder.path().join("asking.toml"), &asking).unwrap();
    let refused = run(folder.path(), &["compare", "asking.toml", "--out", "out"]);
    is_refused(
        "current-task data",
        &refused,
        &["\"pld\"", "asks for current-task data", "\"dcl\" grants surrogate data"],
    );
    assert!(!folder.path().join("out").exists());

    let granted = asking.replacen("{ kind = \"dcl\" }", "{ kind = \"dcl\", grants = \"current-task\" }", 1);
    fs::write(folder.path().join("granted.toml"), granted).unwrap();
    let (code, error) = run(folder.path(), &["check", "granted.toml"]);
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn a_missing_file_and_an_unwritable_folder_are_refused() {
    let folder = folder();
    let missing = run(folder.path(), &["compare", "missing.toml"]);
    is_refused("a missing file", &missing, &["missing.toml", "cannot be read"]);

    fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    // A file where a folder should be: not even the superuser can write into it.
    let unwritable = run(folder.path(), &["compare", "good.toml", "--out", "text.png/inside"]);
    is_refused("an unwritable folder", &unwritable, &["--out text.png/inside", "accepted: a folder"]);
}

#[test]
fn wrong_arguments_are_refused() {
    let folder = folder();
    for arguments in [
        &["compare"] as &[_],
        &["compare", "a.toml", "--jobs", "0"],
        &["compare", "a.toml", "--seeds", "x"],
        &["list", "all"],
    ] {
        let (code, error) = run(folder.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.starts_with("error: "), "{error}");
    }
}
