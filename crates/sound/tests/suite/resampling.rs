//! Changing the rate of sound keeps what the lower rate can hold, and nothing else.

use std::f64::consts::TAU;
use std::path::Path;

use alluvium_sound::{Recording, read_bytes};

use crate::written::integers;

/// A tone of that frequency and amplitude.
fn tone(rate: u32, seconds: f64, frequency: f64, amplitude: f64) -> Vec<f64> {
    let count = (seconds * f64::from(rate)).round() as usize;
    (0..count).map(|sample| amplitude * (TAU * frequency * sample as f64 / f64::from(rate) + 0.5).sin()).collect()
}

/// The largest difference, but for the first and the last tenth, where the silence around the recording shows.
fn difference(samples: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(samples.len(), expected.len());
    let edge = samples.len() / 10;
    let pairs = samples.iter().zip(expected).skip(edge).take(samples.len() - 2 * edge);
    pairs.map(|(&is, should)| (f64::from(is) - should).abs()).fold(0.0, f64::max)
}

#[test]
fn a_stereo_file_of_44100_hertz_is_mixed_and_brought_to_8000() {
    // Left: 1 kHz. Right: 1 kHz and 5 kHz, which is above 4 kHz, half of the new rate. Mixed, the first stays as it is.
    let (low, high) = (tone(44_100, 1.0, 1000.0, 0.4), tone(44_100, 1.0, 5000.0, 0.4));
    let bytes = low.iter().zip(&high).flat_map(|(low, high)| {
        [*low, low + high].map(|value| ((value * 32_767.0).round() as i16).to_le_bytes()).concat()
    });
    let file = integers(2, 44_100, 16, &bytes.collect::<Vec<_>>());
    let recording = read_bytes(&file, Path::new("sound"), 1.0).unwrap();
    assert_eq!((recording.rate, recording.samples.len()), (44_100, 44_100));
    let resampled = recording.resampled(8000).unwrap();
    assert_eq!((resampled.rate, resampled.samples.len()), (8000, 8000));
    // Rounding to 16 bits alone is up to 1.5e-5.
    let furthest = difference(&resampled.samples, &tone(8000, 1.0, 1000.0, 0.4));
    assert!(furthest < 1e-4, "{furthest}");
}

#[test]
fn a_tone_keeps_frequency_amplitude_and_phase_between_any_rates() {
    // The last pair has no common divisor, and a filter of two seconds.
    for (from, to, seconds) in [
        (44_100, 16_000, 2.0),
        (22_050, 8000, 2.0),
        (48_000, 44_100, 2.0),
        (8000, 16_000, 2.0),
        (11_025, 8000, 2.0),
        (7919, 16_000, 20.0),
    ] {
        for frequency in [100.0, 0.475 * f64::from(from.min(to))] {
            let samples = tone(from, seconds, frequency, 0.5).into_iter().map(|sample| sample as f32).collect();
            let resampled = Recording { rate: from, samples }.resampled(to).unwrap();
            let furthest = difference(&resampled.samples, &tone(to, seconds, frequency, 0.5));
            assert!(furthest < 1e-6, "{from} to {to} Hz, {frequency} Hz: {furthest}");
        }
    }
}

#[test]
fn a_tone_from_half_of_the_new_rate_on_disappears() {
    for frequency in [4000.0, 4010.0, 5000.0, 7900.0, 20_000.0] {
        let samples = tone(44_100, 1.0, frequency, 0.5).into_iter().map(|sample| sample as f32).collect();
        let resampled = Recording { rate: 44_100, samples }.resampled(8000).unwrap();
        let loudest = difference(&resampled.samples, &[0.0; 8000]);
        assert!(loudest < 1e-7, "{frequency} Hz: {loudest}");
    }
}

#[test]
fn nothing_is_shifted_and_short_sounds_stay_short() {
    // A click at 1000 of 4000 samples is at 500 of 2000.
    let mut samples = vec![0.0; 4000];
    samples[1000] = 1.0;
    let resampled = Recording { rate: 16_000, samples }.resampled(8000).unwrap().samples;
    let loudest = resampled.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap();
    assert_eq!((loudest.0, resampled.len()), (500, 2000));
    assert!((resampled[499] - resampled[501]).abs() < 1e-6);
    // 5 · 8000 / 44100 is 0.9, and 3 · 8000 / 44100 is 0.5, rounded to 1; at least one sample stays.
    for (samples, expected) in [(5, 1), (3, 1), (1, 1), (0, 0), (11, 2)] {
        let short = Recording { rate: 44_100, samples: vec![0.5; samples] };
        assert_eq!(short.resampled(8000).unwrap().samples.len(), expected, "{samples}");
    }
}

#[test]
fn the_same_rate_changes_nothing_and_no_rate_is_refused() {
    let recording = Recording { rate: 8000, samples: vec![0.1, 0.7, -0.3] };
    assert_eq!(recording.clone().resampled(8000).unwrap(), recording);
    let error = recording.clone().resampled(0).unwrap_err().to_string();
    assert!(error.contains("a rate of 0 Hz is not that of sound; accepted: 100 to 768000 Hz"), "{error}");
    assert!(Recording { rate: u32::MAX, ..recording }.resampled(8000).is_err());
    // Rates that differ most, without a common divisor.
    let slow = Recording { rate: 101, samples: vec![0.5; 101] };
    assert_eq!(slow.resampled(768_000).unwrap().samples.len(), 768_000);
}
