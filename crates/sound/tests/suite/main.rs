//! Tests of the crate from outside: reading, resampling, spectrograms, and messages for people.

mod flac;
mod librosa;
mod options;
mod resampling;
mod wav;
mod written;

use std::path::{Path, PathBuf};

/// A file of the fixtures, which `fixtures/generate.py` writes.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The message of the error that reading the bytes as a file called `sound` is.
fn refusal(bytes: &[u8], most_seconds: f64) -> String {
    let error = alluvium_sound::read_bytes(bytes, Path::new("some/sound"), most_seconds);
    let message = error.expect_err("it should be refused").to_string();
    assert!(message.starts_with("some/sound: "), "{message}");
    message
}
