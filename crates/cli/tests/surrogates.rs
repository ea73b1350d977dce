//! The kinds of surrogate data that other tests do not run, in a whole comparison: the strategy `pld` consolidates with
//! them, and the numbers repeat.

mod tiny;

use std::fs;

use tiny::{TINY, folder, numbers, succeeds};

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
    for (place, table) in TABLES.into_iter().enumerate() {
        let config = TINY.replace("kind = \"noise\"\nsamples = 64", table).replace("seeds = [0, 1]", "seeds = [0]");
        assert!(config.contains(table));
        fs::write(folder.path().join("one.toml"), config).unwrap();
        let summary = |out: String| {
            succeeds(folder.path(), &["compare", "one.toml", "--out", &out]);
            numbers(&folder.path().join(out).join("summary.csv"))
        };
        let (once, again) = (summary(format!("once-{place}")), summary(format!("again-{place}")));
        assert!(once.contains("pld,average_accuracy_task_aware,"), "{table}: {once}");
        assert_eq!(once, again, "{table}");
    }
}
