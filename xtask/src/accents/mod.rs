//! The chore that makes the recordings of the stream `accents`, and the recording of the surrogate data `single-recording`.
//!
//! It reads the table of voices (`voices.csv`), lets espeak-ng say every word in every accent and voice, and packs the sounds.
//! Both programs that it calls, `espeak-ng` and `flac`, are Debian packages of the same names.

mod archive;
mod programs;
mod speech;
mod voices;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

/// The archive of the words, and the table that it is made from.
const ARCHIVE: &str = "accents.zip";
const VOICES: &str = "voices.csv";
/// The recording that no device has, and its text.
const RECORDING: &str = "caesar.flac";
const TEXT: &str = "caesar.txt";

/// Arguments of `cargo xtask accents`.
#[derive(Args)]
pub struct AccentsArgs {
    /// Write nothing; fail if the data files would change by one byte.
    #[arg(long)]
    check: bool,
}

/// Runs the chore.
pub fn run(args: &AccentsArgs) -> Result<()> {
    programs::check()?;
    let words = crate::repository().join("plugins/streams/accents/data");
    let recording = crate::repository().join("plugins/surrogates/single-recording/data");
    let voices = voices::read(&words.join(VOICES))?;
    let text = recording.join(TEXT);
    let text = fs::read_to_string(&text).with_context(|| format!("reading {}", text.display()))?;
    put(&words.join(ARCHIVE), &archive::of_words(&voices)?, args.check)?;
    put(&recording.join(RECORDING), &speech::of_text(&text)?, args.check)
}

/// Writes a file, or compares it with the one that is there.
fn put(path: &Path, bytes: &[u8], check: bool) -> Result<()> {
    let shown: PathBuf = path.to_owned();
    if !check {
        fs::write(path, bytes).with_context(|| format!("writing {}", shown.display()))?;
        println!("{} ({} bytes)", shown.display(), bytes.len());
        return Ok(());
    }
    let stored = fs::read(path).with_context(|| format!("reading {}", shown.display()))?;
    if stored != bytes {
        bail!(
            "{}: {} bytes are stored, {} were made, and they differ; the files were made by {}",
            shown.display(),
            stored.len(),
            bytes.len(),
            programs::MADE_BY
        );
    }
    println!("{} is up to date ({} bytes)", shown.display(), stored.len());
    Ok(())
}
