//! Inputs of any shape: the examples run, and parts that do not fit the stream's inputs are refused before anything is trained.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::tiny::{alluvium, succeeds};

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"))
}

/// An example whose data are found from any folder, with changes, one seed and few epochs.
fn example(name: &str, changes: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(examples().join(name)).unwrap();
    let data = examples().join("data");
    let text = text.replace("\"examples/data/", &format!("\"{}/", data.display()));
    let text = text.replace("seeds = [0, 1, 2]", "seeds = [0]").replace("epochs = 20", "epochs = 2");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{name} does not have {from}");
        text.replace(from, to)
    })
}

/// What `check` says about a configuration that is wrong.
fn refused(name: &str, changes: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("wrong.toml"), example(name, changes)).unwrap();
    let output = alluvium(folder.path(), &["check", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    // Messages are wrapped to the width of the terminal.
    String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_examples_of_arrays_and_tables_run() {
    for (name, rows) in [("embeddings.toml", 3), ("table.toml", 3)] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(name), example(name, &[])).unwrap();
        succeeds(folder.path(), &["compare", name, "--out", "out"]);
        let summary = fs::read_to_string(folder.path().join("out/summary.csv")).unwrap();
        assert!(summary.lines().count() > rows, "{summary}");
    }
}

#[test]
fn a_backbone_that_takes_other_inputs_is_refused_with_those_that_fit() {
    let error = refused("embeddings.toml", &[("kind = \"identity\"", "kind = \"small-cnn\"")]);
    let expected = "the backbone \"small-cnn\" takes pictures [channels, height, width]; the stream \"arrays\" gives vectors of 64 \
                    numbers; accepted: ";
    // Between them are the kinds of conformance tests, which only test binaries have.
    assert!(error.contains(expected) && error.contains("identity, mlp"), "{error}");
    let shape = ("tasks = 5", "tasks = 5\nshape = [4, 16]");
    let error = refused("embeddings.toml", &[("kind = \"identity\"", "kind = \"vit-tiny\""), shape]);
    let expected = "gives sequences of 16 steps with 4 channels; accepted: ";
    assert!(error.contains(expected) && error.contains("conv1d, identity, mlp"), "{error}");
}

#[test]
fn only_pictures_of_bytes_are_augmented() {
    let flip = ("batch_size = 8", "batch_size = 8\naugmentation = { flip = true }");
    let error = refused("table.toml", &[flip]);
    let expected = "`augmentation` changes pictures whose values are bytes; the stream \"table\" gives vectors of 13 numbers, as \
                    32-bit numbers; accepted: no such keys";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn surrogate_data_that_are_pictures_do_not_fit_other_inputs() {
    let folder = TempDir::new().unwrap();
    let noise = "kind = \"noise\"                           # with the moments of the embeddings\ndistribution = \
                 \"normal\"\nmean = 0.94\ndeviation = 0.81\nsamples = 500";
    let text = example("embeddings.toml", &[(noise, "kind = \"single-image\"\npatches = 50")]);
    fs::write(folder.path().join("wrong.toml"), text).unwrap();
    let output = alluvium(folder.path(), &["compare", "wrong.toml", "--out", "out"]);
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        error.contains("\"single-image\" are pictures [channels, height, width], but the inputs are vectors of 64"),
        "{error}"
    );
}
