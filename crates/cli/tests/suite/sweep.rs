//! Sweeps as a user sees them: what `check` prints, which errors there are, and what `compare` runs.

use std::fs;

use crate::tiny::{TINY, alluvium, folder, succeeds, text};

/// The tiny comparison with changes.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(TINY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// What `check` prints for a correct file.
#[track_caller]
fn shown(changes: &[(&str, &str)]) -> String {
    let folder = folder();
    fs::write(folder.path().join("swept.toml"), changed(changes)).unwrap();
    succeeds(folder.path(), &["check", "swept.toml"])
}

/// What `check` prints for a wrong file, without `error: `.
#[track_caller]
fn refused(changes: &[(&str, &str)]) -> String {
    let folder = folder();
    fs::write(folder.path().join("swept.toml"), changed(changes)).unwrap();
    let output = alluvium(folder.path(), &["check", "swept.toml"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    error.trim_start_matches("error: ").trim_end().to_owned()
}

#[test]
fn check_shows_one_comparison_in_two_lines() {
    let expected = "swept.toml is right: naive, pld under 2 seeds\n\
                    4 cells (2 rows × 2 seeds), at most 14 devices to adapt\n";
    // 2 seeds, each 3 devices alone and 2 rows of 2 devices after the first one.
    assert_eq!(shown(&[]), expected);
}

#[test]
fn check_counts_every_visit_of_a_round_and_no_device_as_shared_that_is_not() {
    let row = "kind = \"fedavg\"\nprotocol = { kind = \"federated\", rounds = 4, client_fraction = 0.67 }";
    let federated = shown(&[("baseline = \"naive\"\n", ""), ("kind = \"naive\"", row)]);
    // 2 seeds, each 3 devices alone, 4 rounds of 2 clients, and 2 devices of pld after the first one.
    assert!(federated.contains("at most 26 devices to adapt"), "{federated}");
    // A device alone is not held near a centre: 2 seeds, each 3 devices alone and 2 rows of 3.
    let near = shown(&[("epochs = 1", "epochs = 1\nproximal = 0.1")]);
    assert!(near.contains("at most 18 devices to adapt"), "{near}");
}

#[test]
fn check_shows_variants_and_rows() {
    let sweeps =
        [("epochs = 1", "epochs = [1, 2]"), ("tasks = 3", "tasks = [3, 10]"), ("steps = 5", "steps = [5, 10]")];
    let expected = "\
swept.toml is right: 4 variants of 3 rows under 2 seeds

rows
  naive
  pld (steps = 5)
  pld (steps = 10)

variant  stream.tasks  device.epochs  devices
1        3             1              3
2        3             2              3
3        10            1              10
4        10            2              10

24 cells (4 variants × 3 rows × 2 seeds), at most 184 devices to adapt
";
    // 2 seeds × 2 epochs × ((3 + 3 × 2) + (10 + 3 × 9)) devices.
    assert_eq!(shown(&sweeps), expected);
}

#[test]
fn check_lists_many_rows_below_each_other() {
    let many = shown(&[("steps = 5", "steps = [1, 2, 3, 4, 5, 6, 7]\nlatent_weight = [0.0, 1.0]")]);
    assert!(many.starts_with("swept.toml is right: 15 rows under 2 seeds\n  naive\n"), "{many}");
    assert!(
        many.contains("\n  pld (steps = 1, latent_weight = 0.0)\n  pld (steps = 1, latent_weight = 1.0)\n"),
        "{many}"
    );
}

#[test]
fn a_problem_of_all_combinations_is_reported_once() {
    let sweeps = [("epochs = 1", "epochs = [1, 2]"), ("steps = 5", "stepz = 5\nlatent_weight = [0.0, 1.0]")];
    let error = refused(&sweeps);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("swept.toml:34:1: [[strategies]] 2: `stepz` is not a key"), "{error}");
    assert!(!error.contains("(with"), "{error}");
}

#[test]
fn a_problem_of_some_combinations_names_what_they_have_in_common() {
    // 40 tasks of 2 classes are more than the 62 classes of the data.
    let error = refused(&[("tasks = 3", "tasks = [3, 40]"), ("epochs = 1", "epochs = [1, 2]")]);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("swept.toml:13:1: [stream]: `classes_per_task`"), "{error}");
    assert!(error.ends_with("(with stream.tasks=40)"), "{error}");

    let grants = ("{ kind = \"dcl\" }", "{ kind = \"dcl\", grants = [\"none\", \"surrogate\"] }");
    let error = refused(&[grants, ("steps = 5", "steps = [5, 10]")]);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("swept.toml:32:1: [[strategies]] 2: the strategy \"pld\" asks for"), "{error}");
    assert!(error.ends_with("(with protocol.grants=none)"), "{error}");
}

#[test]
fn every_wrong_value_of_a_list_is_reported_at_its_place() {
    let error = refused(&[("epochs = 1", "epochs = [-2, 1,\n  -1]"), ("steps = 5", "steps = [5, 10]")]);
    let places: Vec<_> = error.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["swept.toml:21:11", "swept.toml:22:3"], "{error}");
}

#[test]
fn too_many_combinations_are_refused_with_their_number() {
    let list: Vec<_> = (1..=101).map(|number| number.to_string()).collect();
    let list = list.join(", ");
    let (epochs, tasks) = (format!("epochs = [{list}]"), format!("batch_size = [{list}]"));
    let error = refused(&[("epochs = 1", &epochs), ("batch_size = 16", &tasks)]);
    assert_eq!(error, "swept.toml:21:1: [device]: the lists of values give 10 201 variants; accepted: 1 000 at most");
}

#[test]
fn fifty_variants_are_fifty_lines() {
    let list: Vec<_> = (1..=50).map(|number| number.to_string()).collect();
    let shown = shown(&[("epochs = 1", &format!("epochs = [{}]", list.join(", ")))]);
    assert!(shown.contains("\n50       50             3\n"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 100), "{shown}");
}

#[test]
fn a_flag_stands_in_for_what_is_swept() {
    let folder = folder();
    let swept = changed(&[("kind = \"flex\"", "kind = [\"flex\", \"ndarray\"]"), ("steps = 5", "steps = 1")]);
    fs::write(folder.path().join("swept.toml"), swept).unwrap();
    let arguments = ["compare", "swept.toml", "--backend", "flex", "--seeds", "0", "--out", "out"];
    succeeds(folder.path(), &arguments);
    assert!(folder.path().join("out/summary.csv").exists());
}

#[test]
fn every_variant_has_a_folder_with_all_rows() {
    let folder = folder();
    let swept = changed(&[("epochs = 1", "epochs = [1, 2]"), ("steps = 5", "steps = [1, 2]")]);
    fs::write(folder.path().join("swept.toml"), swept).unwrap();
    succeeds(folder.path(), &["compare", "swept.toml", "--seeds", "0", "--out", "out"]);
    for (variant, epochs) in [("device.epochs=1", 1), ("device.epochs=2", 2)] {
        let results = fs::read_to_string(folder.path().join("out").join(variant).join("results.json")).unwrap();
        let results: serde_json::Value = serde_json::from_str(&results).unwrap();
        assert_eq!(results["config"]["device"]["epochs"], epochs, "the variant's own configuration is kept");
        let rows: Vec<_> = results["config"]["strategies"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
        assert_eq!(rows, ["naive", "pld (steps = 1)", "pld (steps = 2)"]);
    }
}
