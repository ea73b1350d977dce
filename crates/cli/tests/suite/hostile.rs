//! Malicious files, given to `alluvium consolidate` as an expert. The error names the file and, if there is one, the tensor.
//! The exit code is that of a wrong file, and nothing is written. The tests of `crates/checkpoint` have more such files.

use std::fs;
use std::path::Path;

use alluvium_checkpoint::Checkpoint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::by_hand::{self, flat, zip};
use crate::perceptron::{SAID, folder, write, write_with};
use crate::tiny::{self, alluvium, files_below, text};

/// Everything below a folder, with its bytes.
fn contents(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
    // What a dangling link leads to cannot be read.
    files_below(folder).iter().map(|path| (name(path), fs::read(path).ok())).collect()
}

/// Checks that the second expert is refused in a message with its name and these words, and that nothing is written.
#[track_caller]
fn refused(folder: &Path, expert: &str, says: &[&str]) {
    refused_for(folder, expert, &[&[expert][..], says].concat());
}

/// The same for a problem of a file that another file names.
#[track_caller]
fn refused_for(folder: &Path, expert: &str, says: &[&str]) {
    let before = contents(folder);
    let models = ["consolidate", "--previous", "base.safetensors", "--expert", "a.safetensors", "--expert", expert];
    let how = ["--strategy", "weight-averaging", "--out", "out.safetensors"];
    let output = alluvium(folder, &[&models[..], &SAID, &how].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{expert}: {error}");
    assert!(contents(folder) == before, "{expert} made it write something");
    for part in says {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(error.lines().filter(|line| line.starts_with("error: ")).count() == 1, "{error}");
}

/// The header and the data of a sound expert of two classes.
fn sound(folder: &Path) -> (Value, Vec<u8>) {
    write(&folder.join("sound.safetensors"), 5, 2);
    let bytes = fs::read(folder.join("sound.safetensors")).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).unwrap(), data.to_vec())
}

/// A folder with models, and in it as `c.safetensors` a sound one with another header.
fn with_header(change: impl FnOnce(&mut Value)) -> TempDir {
    let folder = folder();
    let (mut header, data) = sound(folder.path());
    change(&mut header);
    fs::write(folder.path().join("c.safetensors"), flat(&header.to_string(), &data)).unwrap();
    folder
}

#[test]
fn the_file_that_is_bent_below_is_sound() {
    let folder = with_header(|_| ());
    let models = ["consolidate", "--previous", "base.safetensors", "--expert", "c.safetensors"];
    let how = ["--strategy", "weight-averaging", "--out", "out.safetensors"];
    tiny::succeeds(folder.path(), &[&models[..], &SAID, &how].concat());
}

#[test]
fn headers_that_lie() {
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 10] = [
        (|header| header["out.bias"]["data_offsets"][1] = json!(u64::MAX), &["`out.bias`"]),
        (
            |header| header["hidden.bias"]["data_offsets"] = header["out.bias"]["data_offsets"].clone(),
            &["bias`", "bytes"],
        ),
        (|header| header["hidden.weight"]["data_offsets"] = json!([8, 0]), &["`hidden.weight`"]),
        (|header| header["hidden.weight"]["shape"] = json!([1_u64 << 60, 16]), &["`hidden.weight`", "more than fits"]),
        (|header| header["hidden.weight"]["shape"] = json!([1_u64 << 60]), &["`hidden.weight`", "needs"]),
        (|header| header["hidden.weight"]["shape"] = json!([-1, 784]), &["`hidden.weight`"]),
        (|header| header["out.weight"]["dtype"] = json!("F4"), &["`out.weight`", "`F4`"]),
        (|header| header["out.weight"]["shape"] = json!([8, 2]), &["`out.weight` has the shape [8, 2]", "needs"]),
        (
            |header| header["out.weight"]["dtype"] = json!("I32"),
            &["`out.weight` holds I32; accepted for weights: floats"],
        ),
        (|header| header["\u{1b}[2J"] = json!({ "dtype": "F7", "shape": [], "data_offsets": [0, 0] }), &["\\u{1b}[2J"]),
    ];
    for (change, says) in cases {
        refused(with_header(change).path(), "c.safetensors", says);
    }
    let folder = folder();
    for (claimed, says) in [(1_u64 << 60, "1152921504606846976 bytes"), (u64::MAX, "bytes"), (0, "")] {
        fs::write(folder.path().join("c.safetensors"), [&claimed.to_le_bytes()[..], b"{}"].concat()).unwrap();
        refused(folder.path(), "c.safetensors", &[says]);
    }
    for (bytes, says) in [(&b""[..], "is empty"), (b"# hello", "is not a model file")] {
        fs::write(folder.path().join("c.safetensors"), bytes).unwrap();
        refused(folder.path(), "c.safetensors", &[says]);
    }
}

#[test]
fn tensors_that_are_missing_too_many_or_those_of_another_network() {
    let cases: [(&str, &str, &[&str]); 4] = [
        ("hidden.bias", "hidden.bios", &["1 tensors: `hidden.bios`"]),
        ("hidden.bias", "steps.2", &["`steps.2`"]),
        ("out.bias", "steps", &["`steps`"]),
        ("out.weight", "hidden.weight", &["`hidden.weight`", "twice"]),
    ];
    for (from, to, says) in cases {
        let folder = folder();
        let (header, data) = sound(folder.path());
        // As text: a table cannot have a key twice.
        let header = header.to_string().replace(&format!("\"{from}\""), &format!("\"{to}\""));
        fs::write(folder.path().join("c.safetensors"), flat(&header, &data)).unwrap();
        refused(folder.path(), "c.safetensors", says);
    }
    // The first tensors of the file alone, and their bytes.
    let order = ["hidden.weight", "hidden.bias", "out.weight", "out.bias", "steps"];
    let cases: [(usize, &[&str]); 3] = [
        (1, &["`hidden.bias` is missing; mlp (layers = [8]) needs it with the shape [8]"]),
        (2, &["has no classifier"]),
        (3, &["`out.bias` is missing, but `out.weight` is present"]),
    ];
    for (kept, says) in cases {
        let folder = folder();
        let (mut header, data) = sound(folder.path());
        let end = header[order[kept - 1]]["data_offsets"][1].as_u64().unwrap() as usize;
        order[kept..].iter().for_each(|name| _ = header.as_object_mut().unwrap().remove(*name));
        fs::write(folder.path().join("c.safetensors"), flat(&header.to_string(), &data[..end])).unwrap();
        refused(folder.path(), "c.safetensors", says);
    }
    // Another architecture altogether.
    let folder = folder();
    fs::copy(folder.path().join("a.safetensors"), folder.path().join("c.safetensors")).unwrap();
    let resnet = ["--backbone", "{ kind = \"slim-resnet18\", width = 2 }"];
    let other = alluvium(
        folder.path(),
        &[&["inspect", "c.safetensors", "--names", "names.toml", "--input", "1x28x28"][..], &resnet].concat(),
    );
    assert!(text(&other.stdout).contains("slim-resnet18 (width = 2) needs"), "{}", text(&other.stdout));
}

#[test]
fn values_that_are_no_numbers() {
    for (tensor, value) in [("hidden.weight", f32::NAN), ("out.weight", f32::INFINITY), ("out.bias", f32::NEG_INFINITY)]
    {
        let folder = folder();
        let change = |name: &str, mut values: Vec<f32>| {
            if name == tensor {
                values[1] = value;
            }
            values
        };
        write_with(&folder.path().join("c.safetensors"), 3, 2, change);
        refused(folder.path(), "c.safetensors", &[&format!("`{tensor}` holds a value that is not finite"), "index 1"]);
    }
}

#[test]
fn what_a_file_says_of_itself_and_is_not_true() {
    let manifest = json!({
        "backbone": { "kind": "mlp", "layers": [8] },
        "input": [1, 28, 28],
        "normalisation": { "mean": [0.5], "std": [0.5] },
        "heads": [{ "name": "head-1", "classes": ["X", "Y"] }],
    });
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 7] = [
        (|own| own["heads"][0]["classes"] = json!(["X"]), &["`out.weight` has 2 rows", "names 1 classes"]),
        (|own| own["heads"][0]["classes"] = json!(["X", "X"]), &["`X` is named twice"]),
        (
            |own| own["heads"][0]["classes"] = json!(["X", "\u{1b}[31m"]),
            &["`\\u{1b}[31m` is not a valid name of a class"],
        ),
        (|own| own["input"] = json!([3, 28, 28]), &["3×28×28"]),
        (|own| own["backbone"] = json!({}), &["no `kind`"]),
        (|own| own["backbone"] = json!({ "kind": "mlp", "layers": [1_u64 << 60] }), &["out of range"]),
        (|own| own["normalisation"]["std"] = json!([0]), &["above 0"]),
    ];
    for (change, says) in cases {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        let folder = with_header(|header| header["__metadata__"] = json!({ "alluvium.model": manifest.to_string() }));
        refused(folder.path(), "c.safetensors", says);
    }
    let folder = with_header(|header| header["__metadata__"] = json!({ "alluvium.provenance": "{\"version\": 3}" }));
    refused(folder.path(), "c.safetensors", &["alluvium.provenance"]);
    // A model that a device of a run sent.
    let folder = with_header(|header| header["__metadata__"] = json!({ "alluvium": "{\"backbone\":{}}" }));
    refused(folder.path(), "c.safetensors", &["run directory"]);
}

#[test]
fn pickles_and_archives() {
    let folder = folder();
    let code = b"\x80\x02cos\nsystem\nX\x17\0\0\0touch pwned.safetensors\x85R.";
    let cases: [(Vec<u8>, &[&str]); 6] = [
        (zip(&[("a/data.pkl", code)]), &["wants to call `os.system`", "nothing was executed"]),
        (code.to_vec(), &[]),
        (zip(&[("a/data.pkl", b"\x80\x02c__builtin__\neval\n.")]), &["`__builtin__.eval`"]),
        (zip(&[("a/data.pkl", &b"N0".repeat(3_000_000))]), &["more than 5000000 instructions"]),
        (zip(&[("a/model.json", b"{}")]), &["without a `data.pkl`"]),
        (b"PK\x03\x04 and so on".to_vec(), &["not a readable zip archive"]),
    ];
    for (bytes, says) in cases {
        fs::write(folder.path().join("c.pt"), bytes).unwrap();
        refused(folder.path(), "c.pt", says);
    }
    // A bomb: 150 MB of zeros in 150 kB, said to be ten bytes.
    let mut encoder = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 150_000_000), &mut encoder).unwrap();
    let bytes = encoder.finish().unwrap();
    let name = "a/data.pkl".to_owned();
    let bomb = by_hand::Entry { name, bytes, method: 8, length: 10, checksum: 0, shared: false };
    fs::write(folder.path().join("c.pt"), by_hand::zip_of(&[bomb])).unwrap();
    refused(folder.path(), "c.pt", &["data.pkl"]);
}

#[test]
fn indices_and_folders() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let index = "c.safetensors.index.json";
    let cases: [(&str, &str, &[&str]); 7] = [
        (r#"{"hidden.bias":"../a.safetensors"}"#, index, &["`hidden.bias`", "without a folder"]),
        (r#"{"hidden.bias":"/etc/passwd"}"#, index, &["`hidden.bias`", "`/etc/passwd`"]),
        (r#"{"hidden.bias":"none.safetensors"}"#, index, &["`hidden.bias`", "`none.safetensors`", "cannot be opened"]),
        (r#"{"hidden.bias":"a.safetensors"}"#, "a.safetensors: the tensor", &["is not listed in the index"]),
        (r#"{"missing":"a.safetensors"}"#, "a.safetensors: the tensor", &[]),
        (r#"{"steps":"a.safetensors","steps":"b.safetensors"}"#, index, &["the tensor `steps` occurs twice"]),
        ("7", index, &["is not an index"]),
    ];
    for (map, file, says) in cases {
        fs::write(at(index), format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#)).unwrap();
        refused_for(folder.path(), index, &[&[file][..], says].concat());
    }
    fs::create_dir(at("empty")).unwrap();
    refused(folder.path(), "empty", &["holds no model file"]);
    fs::create_dir(at("two")).unwrap();
    for name in ["two/x.safetensors", "two/y.safetensors"] {
        fs::copy(at("a.safetensors"), at(name)).unwrap();
    }
    refused(folder.path(), "two", &["holds more than one model", "`x.safetensors`"]);
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder() {
    use std::os::unix::fs::symlink;

    let (folder, outside) = (folder(), TempDir::new().unwrap());
    write(&outside.path().join("secret"), 7, 2);
    symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
    let names = Checkpoint::open(outside.path().join("secret")).unwrap();
    let map: serde_json::Map<_, _> = names.tensors().map(|info| (info.name.clone(), json!("link"))).collect();
    let index = "c.safetensors.index.json";
    fs::write(folder.path().join(index), json!({ "metadata": {}, "weight_map": map }).to_string()).unwrap();
    refused(folder.path(), index, &["a link that leads out of the folder"]);
    symlink("nowhere", folder.path().join("dangling.safetensors")).unwrap();
    refused(folder.path(), "dangling.safetensors", &["cannot be read"]);
    symlink("loop.safetensors", folder.path().join("loop.safetensors")).unwrap();
    refused(folder.path(), "loop.safetensors", &["cannot be read"]);
}

#[test]
fn surrogate_data_that_cannot_be_read_are_missed_before_anything_is_done() {
    let folder = folder();
    fs::write(folder.path().join("broken.png"), b"\x89PNG\r\n\x1a\n and no more").unwrap();
    let before = contents(folder.path());
    for (photo, dry) in [("missing.png", true), ("broken.png", true), ("missing.png", false), ("broken.png", false)] {
        let models = ["consolidate", "--previous", "base.safetensors", "--expert", "a.safetensors"];
        let how = ["--strategy", "pld", "--surrogate", photo, "--out", "out.safetensors"];
        let dry: &[&str] = if dry { &["--dry-run"] } else { &[] };
        let output = alluvium(folder.path(), &[&models[..], &SAID, &how, dry].concat());
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(photo), "{photo}: {error}");
        assert!(output.stdout.is_empty(), "nothing is planned");
        assert!(contents(folder.path()) == before);
    }
}
