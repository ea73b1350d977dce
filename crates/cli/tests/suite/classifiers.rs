//! Classifiers of a comparison: the default one, and others.

use crate::tiny::{TINY, alluvium, compare, folder, numbers, succeeds, text};

/// The tiny comparison under one seed, with these tables and rows added.
fn with(classifier: &str, rows: &str) -> String {
    let one = TINY.replacen("seeds = [0, 1]", "seeds = [0]", 1);
    format!("{}\n{rows}", one.replacen("[device]", &format!("{classifier}\n[device]"), 1))
}

#[test]
fn the_linear_classifier_is_the_default() {
    let folder = folder();
    compare(folder.path(), "silent", &with("", ""));
    compare(folder.path(), "linear", &with("[classifier]\nkind = \"linear\"\n", ""));
    let [silent, linear] = ["silent", "linear"].map(|name| numbers(&folder.path().join(name).join("summary.csv")));
    assert_eq!(linear, silent);
}

#[test]
fn strategies_work_with_other_scores() {
    let folder = folder();
    let rows = ["weight-averaging", "fisher-merging", "opcm", "ewc", "lwf", "deep-model-consolidation"].map(|kind| {
        let grants = "protocol = { kind = \"dcl\", grants = \"current-task\" }";
        let row = format!("[[strategies]]\nkind = \"{kind}\"\n{grants}\n");
        if kind == "deep-model-consolidation" { format!("{row}steps = 5\n") } else { row }
    });
    let cosine = |scale: &str| format!("[classifier]\nkind = \"cosine\"\nscale = {scale}\n");
    let results = compare(folder.path(), "cosine", &with(&cosine("10.0"), &rows.concat()));
    assert_eq!(results["config"]["classifier"]["kind"], "cosine");
    // Two rows of the tiny comparison, six here, and three reference rows at most.
    let rows = results["rows"].as_array().unwrap();
    assert!(rows.len() >= 8, "{} rows", rows.len());
    compare(folder.path(), "other", &with(&cosine("20.0"), ""));
    let [one, other] = ["cosine", "other"].map(|name| numbers(&folder.path().join(name).join("summary.csv")));
    let naive = |summary: &str| summary.lines().filter(|line| line.starts_with("naive,")).collect::<String>();
    assert_ne!(naive(&one), naive(&other), "another scale gives other numbers");
}

#[test]
fn classifiers_are_listed_and_checked() {
    let folder = folder();
    let listed = succeeds(folder.path(), &["list", "classifiers"]);
    assert!(listed.contains("linear") && listed.contains("cosine"), "{listed}");
    let wrong = with("[classifier]\nkind = \"cosine\"\nscale = 0.0\n", "");
    std::fs::write(folder.path().join("wrong.toml"), wrong).unwrap();
    let output = alluvium(folder.path(), &["check", "wrong.toml"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("[classifier]: `scale` = 0.0 is out of range"), "{error}");
}
