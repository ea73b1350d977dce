//! The kinds of surrogate data that other tests do not run, in a whole comparison: the strategy `pld` consolidates with
//! them, and the numbers repeat.

use std::fs;

use crate::tiny::{TINY, folder, numbers, succeeds};

/// The table of each kind, in place of the tiny comparison's; photos lie in `photos`.
const TABLES: [&str; 4] = [
    "kind = \"image-folder\"\nfolder = \"photos\"\nsamples = 32",
    "kind = \"dataset\"\nsamples = 32\nstream = { kind = \"split-glyphs\", tasks = 1, classes_per_task = 2 }",
    "kind = \"model-inversion\"\nsamples = 16\nsteps = 5",
    "kind = \"data-impressions\"\nsamples = 16\nsteps = 5",
];

#[test]
fn each_kind_serves_a_consolidation_and_repeats_itself() {
    let folder = folder();
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/surrogates/single-image/data/coffee.png");
    fs::copy(photo, photos.join("coffee.png")).unwrap();
    for (number, table) in TABLES.into_iter().enumerate() {
        let config = TINY.replace("kind = \"noise\"\nsamples = 64", table).replace("seeds = [0, 1]", "seeds = [0]");
        // The kind `dataset` takes the devices' own stream here, which needs this grant.
        let config = config.replace("{ kind = \"dcl\" }", "{ kind = \"dcl\", grants = \"all-tasks\" }");
        assert!(config.contains(table) && config.contains("all-tasks"));
        fs::write(folder.path().join("one.toml"), config).unwrap();
        let summary = |out: String| {
            succeeds(folder.path(), &["compare", "one.toml", "--out", &out]);
            numbers(&folder.path().join(out).join("summary.csv"))
        };
        let (once, again) = (summary(format!("once-{number}")), summary(format!("again-{number}")));
        assert!(once.contains("pld,average_accuracy_task_aware,"), "{table}: {once}");
        assert_eq!(once, again, "{table}");
    }
}

#[test]
fn a_row_with_surrogate_data_of_its_own_gives_the_numbers_of_one_that_takes_the_experiments() {
    let folder = folder();
    let of_all = TINY.replace("seeds = [0, 1]", "seeds = [0]");
    let own = "kind = \"pld\"\nsurrogate = { kind = \"noise\", samples = 64 }";
    let of_row = of_all.replace("[surrogate]\nkind = \"noise\"\nsamples = 64\n", "").replace("kind = \"pld\"", own);
    assert!(of_row.contains(own) && !of_row.contains("[surrogate]"));
    let summary = |name: &str, config: &str| {
        fs::write(folder.path().join(format!("{name}.toml")), config).unwrap();
        succeeds(folder.path(), &["compare", &format!("{name}.toml"), "--out", name]);
        numbers(&folder.path().join(name).join("summary.csv"))
    };
    assert_eq!(summary("all", &of_all), summary("row", &of_row));
}

#[test]
fn selected_and_inverted_inputs_serve_consolidations_with_batch_normalisation() {
    let folder = folder();
    let inverted = "kind = \"model-inversion\"\nsamples = 16\nsteps = 2\nclass_weight = 0.0\nstatistics_of = \"both\"\n\
                    statistics_distance = \"relative\"\nselect = 0.5\n\n[surrogate.start]\nkind = \"single-image\"\n\
                    tones = \"stretched\"\nselect = 0.5";
    let config = TINY.replace("kind = \"noise\"\nsamples = 64", inverted).replace("seeds = [0, 1]", "seeds = [0]");
    let config = config.replace("kind = \"mlp\"\nlayers = [16, 8]", "kind = \"slim-resnet18\"\nwidth = 2");
    let row = |name: &str, surrogate: &str| {
        format!(
            "\n[[strategies]]\nkind = \"pld\"\nname = \"{name}\"\nsteps = 5\nbatch_size = 16\nsurrogate = {surrogate}\n"
        )
    };
    let noise = row("noise", "{ kind = \"noise\", samples = 16, select = [0.5, 1.0] }");
    let photo = row("photo", "{ kind = \"single-image\", patches = 16, select = 0.25 }");
    let config = format!("{config}{noise}{photo}");
    assert!(config.contains("slim-resnet18") && config.contains("class_weight"));
    fs::write(folder.path().join("one.toml"), config).unwrap();
    let summary = |out: &str| {
        succeeds(folder.path(), &["compare", "one.toml", "--out", out]);
        numbers(&folder.path().join(out).join("summary.csv"))
    };
    let once = summary("once");
    let of = |name: &str| {
        let start = format!("{name},");
        let own: Vec<_> = once.lines().filter_map(|line| line.trim_matches('"').strip_prefix(&start)).collect();
        assert!(!own.is_empty(), "{name}: {once}");
        own.join("\n")
    };
    assert_ne!(of("pld"), of("photo"));
    // Nothing of how these students learn is in the file: the defaults follow from the network, and results state them.
    let results = fs::read_to_string(folder.path().join("once/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let rows = results["config"]["strategies"].as_array().unwrap();
    for row in rows.iter().filter(|row| row["kind"] == "pld") {
        let stated = (&row["start"], &row["learning_rate"], &row["schedule"]);
        assert_eq!(stated, (&"average".into(), &0.005.into(), &"cosine".into()), "{row}");
    }
    assert_eq!(summary("again"), once);
}
