//! Replays the corpus in ordinary tests: every seed whole, cut off at every byte, and changed at every byte.
//!
//! Each reader's own tests include this file by its path.

use std::fs;
use std::path::Path;

/// The seeds of a target, in the order of their names.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    // Search upwards from the folder of the crate that includes this file.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let corpus = corpus.map(|folder| folder.join("crates/stream/fuzz/corpus").join(target));
    let corpus = corpus.into_iter().find(|folder| folder.is_dir()).expect("the repository has the corpus");
    let mut paths: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Passes all seeds to a reader: whole, cut off and changed.
pub fn each(seeds: &[Vec<u8>], mut reader: impl FnMut(&[u8])) {
    for seed in seeds {
        reader(seed);
        let mut changed = seed.clone();
        for at in 0..seed.len() {
            reader(&seed[..at]);
            for change in [0xff, 0x80, 0x01] {
                changed[at] = seed[at] ^ change;
                reader(&changed);
            }
            changed[at] = seed[at];
        }
    }
}
