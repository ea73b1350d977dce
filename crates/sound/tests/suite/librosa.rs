//! Spectrograms are those of librosa 0.11.0.
//!
//! `fixtures/generate.py` computed the numbers, of files that this crate reads.

use alluvium_sound::{SpectrogramOptions, read_file};
use serde_json::Value;

use crate::fixture;

/// What may differ, in decibels. librosa's numbers are rounded to 10⁻⁶, and its bands' weights to 32 bits.
const TOLERANCE: f32 = 1e-4;

#[test]
fn the_spectrogram_is_that_of_librosa() {
    let cases = std::fs::read_to_string(fixture("librosa.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let recording = read_file(&fixture(case["file"].as_str().unwrap()), 10.0).unwrap();
        let options: SpectrogramOptions = serde_json::from_value(case["options"].clone()).unwrap();
        let front_end = options.front_end(recording.rate).unwrap();
        assert_eq!(u64::from(recording.rate), case["rate"].as_u64().unwrap());
        let decibels = front_end.decibels(&recording.samples);
        let expected: Vec<f32> = serde_json::from_value(case["decibels"].clone()).unwrap();
        assert_eq!(decibels.len(), expected.len());
        assert_eq!(decibels.len(), front_end.bands() * case["frames"].as_u64().unwrap() as usize);
        let floor = options.floor as f32;
        assert!(expected.contains(&floor) && expected.iter().any(|value| *value > 0.0), "it covers little");
        let furthest = decibels.iter().zip(&expected).map(|(is, should)| (is - should).abs()).fold(0.0, f32::max);
        assert!(furthest < TOLERANCE, "{options:?}: {furthest} dB");
    }
}
