//! `alluvium init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use alluvium_registry::{Family, find};

use crate::describe::table;
use crate::{Refusal, print};

/// The part of the configuration that no plugin owns.
const HEAD: &str = r#"# A comparison of consolidation strategies. Run it with `alluvium compare FILE`.
# `alluvium list` lists all kinds, `alluvium show KIND` their options, `alluvium check FILE` checks this file.
# For an editor that completes and checks TOML: `alluvium schema > alluvium.schema.json`, and one # less in the next line.
##:schema alluvium.schema.json

name = "my-comparison"
# Distributed continual learning: each device has two contacts, and the centre sees surrogate data at most.
protocol = { kind = "dcl" }
# The whole comparison is repeated under each seed. Intervals are over seeds.
seeds = [0, 1, 2]
# The row that the others are compared with, seed by seed.
baseline = "weight-averaging"
# Rows without a strategy, for comparison: each device alone, and joint training on all data.
references = ["devices-alone", "joint"]

# How every device adapts the model to its task.
[device]
epochs = 5
batch_size = 32
learning_rate = 0.01

# Some devices may have a network of their own, which strategies that distil from experts take (pld among them):
# [own_networks]
# every = 2                                # every second device
# backbone = { kind = "small-cnn", width = 8, latent = 32 }
# start = "own"                            # or "distilled", from the central model

"#;

/// The kinds that the configuration uses, in its order.
const KINDS: [(Family, &str); 7] = [
    (Family::Backend, "flex"),
    (Family::Stream, "split-glyphs"),
    (Family::Backbone, "small-cnn"),
    (Family::Surrogate, "single-image"),
    (Family::Strategy, "naive"),
    (Family::Strategy, "weight-averaging"),
    (Family::Strategy, "pld"),
];

pub(crate) fn init(file: &Path, force: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = template()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force).create(true).truncate(force);
    let opened = options.open(file).map_err(|error| {
        let name = file.display();
        Refusal(format!("{name}: cannot be written ({error}); accepted: a new file, or --force to overwrite one"))
    });
    opened?.write_all(text.as_bytes())?;
    print(out, &format!("Written: {}. Run it with: alluvium compare {}\n", file.display(), file.display()))
}

fn template() -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    for (family, kind) in KINDS {
        text.push_str(&table(find(family, kind)?));
        text.push('\n');
    }
    Ok(text)
}
