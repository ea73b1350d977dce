//! Bad input is refused before anything is trained, with exit code 2. The message is a paragraph that names file, table and key,
//! and says what is accepted. Nothing panics, and no file is left half-written.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The lines are counted from 1, and the first one is empty: `name` stands in line 2, `[[strategies]]` in 27 and 30.
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

/// What is changed in the good file, at which line and column the message stands, and what it must contain.
struct BadFile {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
}

const fn bad(
    what: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
) -> BadFile {
    BadFile { what, from, to, at, says }
}

const BAD: &[BadFile] = &[
    bad(
        "unknown strategy",
        "kind = \"naive\"",
        "kind = \"naiv\"",
        "28:1",
        &["[[strategies]] 1", "\"naiv\"", "weight-averaging"],
    ),
    bad(
        "unknown stream",
        "\"split-glyphs\"",
        "\"split-mnist\"",
        "11:1",
        &["[stream]", "split-mnist", "split-fashion-mnist"],
    ),
    bad("unknown backbone", "\"mlp\"", "\"vgg\"", "17:1", &["[backbone]", "vgg", "small-cnn"]),
    bad("unknown backend", "\"flex\"", "\"tpu\"", "8:1", &["[backend]", "tpu", "ndarray"]),
    bad("unknown surrogate", "\"noise\"", "\"nois\"", "24:1", &["[surrogate]", "nois", "single-image"]),
    bad("unknown protocol", "\"dcl\"", "\"fl\"", "3:14", &["protocol", "\"fl\"", "\"dcl\""]),
    bad("kind missing", "kind = \"mlp\"\n", "", "16:2", &["[backbone]", "`kind`", "\"small-cnn\""]),
    bad("kind not a string", "kind = \"mlp\"", "kind = 3", "17:1", &["[backbone]", "`kind`"]),
    bad("unknown key at the top", "seeds = [0]", "seeds = [0]\nsede = 1", "5:1", &["`sede`", "seeds"]),
    bad(
        "unknown key of a strategy",
        "steps = 1",
        "stepz = 1",
        "32:1",
        &["[[strategies]] 2", "`stepz`", "latent_weight"],
    ),
    bad("unknown key of the device", "epochs = 1", "epoch = 1", "21:1", &["[device]: `epoch`", "epochs"]),
    bad("unknown key of a stream", "tasks = 2", "task = 2", "12:1", &["[stream]", "`task`", "classes_per_task"]),
    bad("wrong type", "epochs = 1", "epochs = \"one\"", "21:1", &["[device]: `epochs`", "a string", "an integer"]),
    bad("a float for an integer", "tasks = 2", "tasks = 2.5", "12:1", &["[stream]", "`tasks`", "an integer"]),
    bad("a table for a list", "seeds = [0]", "seeds = { a = 1 }", "4:1", &["`seeds`", "a list"]),
    bad("no seeds", "seeds = [0]", "seeds = []", "4:1", &["`seeds`", "at least 1"]),
    bad("negative seed", "seeds = [0]", "seeds = [-1]", "4:10", &["`seeds.0`", "at least 0"]),
    bad("a seed twice", "seeds = [0]", "seeds = [1, 1]", "4:13", &["`seeds`", "twice"]),
    bad("out of range: epochs", "epochs = 1", "epochs = -1", "21:1", &["[device]: `epochs` = -1", "at least 0"]),
    bad(
        "out of range: momentum",
        "epochs = 1",
        "momentum = 1.5",
        "21:1",
        &["[device]: `momentum` = 1.5", "at most 0.9999"],
    ),
    bad("not a number: nan", "epochs = 1", "learning_rate = nan", "21:1", &["`device.learning_rate`", "a number"]),
    bad(
        "infinite",
        "steps = 1",
        "steps = -inf",
        "32:1",
        &["`strategies.steps` is -inf", "infinite", "a finite number"],
    ),
    bad(
        "a seed of 64 bits",
        "seeds = [0]",
        "seeds = [18446744073709551615]",
        "4:10",
        &["too large", "9223372036854775807"],
    ),
    bad("a date", "kind = \"mlp\"", "kind = 2026-11-29", "17:1", &["is the date 2026-11-29", "text in quotes"]),
    bad("out of range: λ", "steps = 1", "latent_weight = -1.0", "32:1", &["`latent_weight` = -1", "at least 0"]),
    bad(
        "out of the list",
        "steps = 1",
        "start = \"middle\"",
        "32:1",
        &["`start`", "\"previous\" or \"expert\" or \"average\""],
    ),
    bad(
        "nothing to learn",
        "steps = 1",
        "latent_weight = 0.0\noutput_weight = 0.0",
        "33:1",
        &["`output_weight`", "greater than 0"],
    ),
    bad(
        "a name twice",
        "kind = \"pld\"",
        "kind = \"pld\"\nname = \"naive\"",
        "32:1",
        &["[[strategies]] 2", "\"naive\" is taken"],
    ),
    bad("a reserved name", "kind = \"pld\"", "kind = \"pld\"\nname = \"joint\"", "32:1", &["\"joint\" is taken"]),
    bad(
        "baseline without a row",
        "baseline = \"naive\"",
        "baseline = \"nobody\"",
        "5:1",
        &["`baseline`", "\"nobody\"", "naive or pld"],
    ),
    bad(
        "no surrogate",
        "[surrogate]\nkind = \"noise\"\nsamples = 16\n",
        "",
        "27:1",
        &["\"pld\"", "no [surrogate] table"],
    ),
    bad(
        "surrogate data for a row that needs none",
        "kind = \"naive\"",
        "kind = \"naive\"\nsurrogate = { kind = \"noise\" }",
        "29:1",
        &["[[strategies]] 1", "\"naive\" uses no surrogate data"],
    ),
    bad(
        "surrogate data of a row that are no table",
        "steps = 1",
        "surrogate = \"noise\"",
        "32:1",
        &["[[strategies]] 2", "`surrogate` is not a table", "list surrogates"],
    ),
    bad(
        "an unknown key in a row's surrogate data",
        "steps = 1",
        "surrogate = { kind = \"noise\", patches = 5 }",
        "32:31",
        &["[[strategies]] 2", "`patches`", "samples"],
    ),
    bad(
        "the devices' own stream as surrogate data",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"dataset\"\nstream = { kind = \"split-glyphs\", tasks = 1, classes_per_task = 2 }",
        "23:2",
        &["[surrogate]", "\"split-glyphs\"", "must not see", "all-tasks"],
    ),
    bad("too many classes", "tasks = 2", "tasks = 40", "13:1", &["[stream]", "`classes_per_task`", "the data have 62"]),
    bad(
        "an unknown class",
        "tasks = 2",
        "tasks = 2\nclass_order = [\"A\", \"B\", \"C\", \"ß\"]",
        "13:1",
        &["`class_order`", "\"ß\""],
    ),
    bad(
        "an empty task",
        "train_samples_per_class = 5",
        "train_samples_per_class = 0",
        "14:1",
        &["[stream]", "`train_samples_per_class` = 0", "at least 1"],
    ),
    bad("no layers", "layers = [8]", "layers = []", "18:1", &["[backbone]", "`layers`", "at least 1"]),
    bad(
        "a photo that is not there",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"no.png\"",
        "25:1",
        &["[surrogate]", "no.png"],
    ),
    bad(
        "a photo that is none",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"text.png\"",
        "25:1",
        &["[surrogate]", "text.png", "PNG"],
    ),
    bad(
        "a photo of 0×0",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = \"empty.png\"",
        "25:1",
        &["[surrogate]", "empty.png"],
    ),
    bad(
        "a data set that is not there",
        "kind = \"split-glyphs\"",
        "kind = \"split-fashion-mnist\"\ndirectory = \"nowhere\"",
        "12:1",
        &["[stream]", "nowhere", "dataset-fashion-mnist"],
    ),
    bad(
        "a truncated IDX file",
        "kind = \"split-glyphs\"",
        "kind = \"split-fashion-mnist\"\ndirectory = \"truncated\"",
        "12:1",
        &["[stream]", "truncated", "train-images-idx3-ubyte"],
    ),
    bad(
        "a strategy for unknown tasks that is none",
        "kind = \"naive\"",
        "kind = \"naive\"\nunknown_task = { kind = \"pld\" }",
        "29:1",
        &["`unknown_task`", "\"pld\" makes no classifier", "class-statistics"],
    ),
    bad(
        "a strategy for unknown tasks with a wrong option",
        "kind = \"naive\"",
        "kind = \"naive\"\nunknown_task = { kind = \"analytic\", sise = 3 }",
        "29:37",
        &["`sise`", "size"],
    ),
    bad(
        "a strategy for unknown tasks whose features do not stay",
        "kind = \"naive\"",
        "kind = \"naive\"\nunknown_task = { kind = \"analytic\", features = \"first-backbone\" }",
        "29:1",
        &["`unknown_task` has `features`", "another strategy moves it"],
    ),
    bad("not TOML", "[stream]", "[stream", "10:8", &["is not TOML"]),
    bad("an empty file", GOOD, "", "1:1", &["`name` is missing", "`strategies` is missing"]),
    bad("no name", "name = \"good\"\n", "", "1:1", &["`name` is missing", "a string"]),
    bad("a strategy without a kind", "kind = \"pld\"\n", "", "30:1", &["[[strategies]] 2", "`kind` is missing"]),
    bad("a whole number as a float", "epochs = 1", "epochs = 1.0", "21:1", &["[device]: `epochs` is a float: 1.0"]),
    bad(
        "a wrong value in a list",
        "epochs = 1",
        "epochs = [1, -1]",
        "21:14",
        &["[device]: `epochs` = -1", "at least 0"],
    ),
    bad("a value twice in a list", "epochs = 1", "epochs = [1, 2, 1]", "21:17", &["[device]: `epochs` lists 1 twice"]),
    bad("an empty list", "epochs = 1", "epochs = []", "21:1", &["`epochs` is an empty list", "an integer at least 0"]),
    bad(
        "an unknown kind in a list",
        "\"naive\"\n\n[[",
        "[\"naive\", \"x\"]\n\n[[",
        "28:18",
        &["[[strategies]] 1", "\"x\""],
    ),
    bad(
        "a wrong value in a strategy's list",
        "steps = 1",
        "steps = [1, \"x\"]",
        "32:13",
        &["[[strategies]] 2", "`steps`"],
    ),
    bad(
        "an option that does not fit each kind",
        "\"noise\"\nsamples = 16",
        "[\"noise\", \"single-image\"]\nsamples = 16",
        "25:1",
        &["[surrogate]: `samples` is not a key", "(with surrogate.kind=single-image)"],
    ),
    bad(
        "a photo of several that is not there",
        "kind = \"noise\"\nsamples = 16",
        "kind = \"single-image\"\nimage = [\"empty.png\", \"no.png\"]",
        "25:23",
        &["[surrogate]", "no.png"],
    ),
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
    for BadFile { what, from, to, at, says } in BAD {
        let changed = GOOD.replacen(from, to, 1);
        assert_ne!(changed, GOOD, "{what} changes nothing");
        fs::write(folder.path().join("bad.toml"), changed).unwrap();
        let refused = run(folder.path(), &["compare", "bad.toml", "--out", "out"]);
        is_refused(what, &refused, says);
        let place = format!("bad.toml:{at}: ");
        assert!(refused.1.contains(&place), "{what} is not reported at {place}but: {}", refused.1);
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
        &["asking.toml:30:1: ", "\"pld\"", "asks for current-task data", "\"dcl\" grants surrogate data"],
    );
    assert!(!folder.path().join("out").exists());

    let granted = asking.replacen("{ kind = \"dcl\" }", "{ kind = \"dcl\", grants = \"current-task\" }", 1);
    fs::write(folder.path().join("granted.toml"), granted).unwrap();
    let (code, error) = run(folder.path(), &["check", "granted.toml"]);
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn a_file_that_is_not_text_is_refused_at_its_first_wrong_byte() {
    let folder = folder();
    fs::write(folder.path().join("latin.toml"), b"name = \"a\"\n# caf\xe9\n").unwrap();
    let refused = run(folder.path(), &["check", "latin.toml"]);
    is_refused("Latin-1", &refused, &["latin.toml:2:6: ", "not text in UTF-8"]);
}

#[test]
fn a_byte_order_mark_and_the_lines_of_windows_change_nothing() {
    let folder = folder();
    let written = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    fs::write(folder.path().join("windows.toml"), written).unwrap();
    let (code, error) = run(folder.path(), &["check", "windows.toml"]);
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn what_the_command_line_says_has_no_place_in_the_file() {
    let folder = folder();
    fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    let backend = run(folder.path(), &["compare", "good.toml", "--backend", "tpu"]);
    is_refused("an unknown backend", &backend, &["good.toml: [backend]", "\"tpu\""]);
    if !cfg!(feature = "wgpu") {
        let backend = run(folder.path(), &["compare", "good.toml", "--backend", "wgpu"]);
        let says = ["leaves out the backend kind \"wgpu\"", "--features wgpu", "flex"];
        is_refused("a backend that is a feature", &backend, &says);
    }
    let seeds = run(folder.path(), &["compare", "good.toml", "--seeds", "1,2,1"]);
    is_refused("a seed twice", &seeds, &["good.toml: `seeds`", "twice"]);
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
    for arguments in
        [&["compare", "a.toml", "--jobs", "0"] as &[_], &["compare", "a.toml", "--seeds", "x"], &["list", "all"]]
    {
        let (code, error) = run(folder.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.starts_with("error: "), "{error}");
    }
}
