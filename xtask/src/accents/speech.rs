//! Sounds of the synthesiser: said, brought to 8 kHz, trimmed, and packed as FLAC.

use std::fs;
use std::process::Command;

use alluvium_sound::{Recording, read_file};
use anyhow::{Context, Result, ensure};

use super::programs::output;
use super::voices::Voice;

/// The rate of the data files, in Hz.
const RATE: u32 = 8000;
/// Sound before and after a word is cut if it is quieter than this fraction of its loudest sample.
const QUIET: f32 = 0.002;
/// The longest sound, in seconds.
const MOST_SECONDS: f64 = 600.0;
/// The voice of the recording that no device has.
const READER: [&str; 6] = ["-v", "la+m8", "-p", "45", "-s", "150"];

/// A word in an accent and a voice, as FLAC.
pub fn of_word(word: &str, accent: &str, voice: &Voice) -> Result<Vec<u8>> {
    // The synthesiser knows British English as `en` and `en-gb`, and ignores the variant of the second.
    let accent = if accent == "en-gb" { "en" } else { accent };
    let (name, pitch, speed) =
        (format!("{accent}+{}", voice.variant), voice.pitch.to_string(), voice.speed.to_string());
    packed(&trimmed(said(&["-v", &name, "-p", &pitch, "-s", &speed], word)?))
}

/// A Latin text in a voice that no device has, as FLAC.
pub fn of_text(text: &str) -> Result<Vec<u8>> {
    packed(&trimmed(said(&READER, text)?))
}

fn said(voice: &[&str], text: &str) -> Result<Recording> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("said.wav");
    output(Command::new("espeak-ng").args(voice).arg("-w").arg(&file).arg(text))?;
    let recording = read_file(&file, MOST_SECONDS)?.resampled(RATE)?;
    ensure!(!recording.samples.is_empty(), "espeak-ng said nothing for \"{text}\" with {voice:?}");
    Ok(recording)
}

/// The sound without silence before and after it.
fn trimmed(recording: Recording) -> Recording {
    let Recording { rate, samples } = recording;
    let loudest = samples.iter().map(|sample| sample.abs()).fold(0.0, f32::max);
    let is_loud = |sample: &f32| sample.abs() > QUIET * loudest;
    let start = samples.iter().position(is_loud).unwrap_or(0);
    let end = samples.iter().rposition(is_loud).map_or(samples.len(), |last| last + 1);
    Recording { rate, samples: samples[start..end].to_vec() }
}

/// The sound as FLAC of 16 bits, the last four of which are 0, without anything but the sound. FLAC does not store bits that are
/// always 0, and players know 16 bits better than 12.
fn packed(recording: &Recording) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let (raw, flac) = (folder.path().join("sound.raw"), folder.path().join("sound.flac"));
    let sample = |sample: &f32| (16 * (sample * 2048.0).round().clamp(-2048.0, 2047.0) as i16).to_le_bytes();
    fs::write(&raw, recording.samples.iter().flat_map(sample).collect::<Vec<_>>())?;
    let options = ["--silent", "--best", "--no-padding", "--no-seektable", "--force-raw-format", "--endian=little"];
    let format = ["--sign=signed", "--channels=1", "--bps=16", &format!("--sample-rate={}", recording.rate)];
    output(Command::new("flac").args(options).args(format).arg("-o").arg(&flac).arg(&raw))?;
    fs::read(&flac).with_context(|| format!("reading {}", flac.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_around_a_word_is_cut() {
        let sound = Recording { rate: 8000, samples: vec![0.0, 0.0005, 0.3, 0.0, -0.5, 0.0009, 0.0] };
        assert_eq!(trimmed(sound).samples, [0.3, 0.0, -0.5]);
        let silent = Recording { rate: 8000, samples: vec![0.0; 3] };
        assert_eq!(trimmed(silent).samples.len(), 3);
    }
}
