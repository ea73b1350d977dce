//! One piece: cut, warped, tilted, and placed in silence.

use alluvium_model::Random;
use alluvium_sound::Recording;
use rand::RngExt;

use crate::SingleRecordingConfig;

/// The length over which a piece fades in and out, in seconds.
const FADE: f64 = 0.01;
/// The frequency that a tilt leaves as it is, in Hz.
const PIVOT: f64 = 1000.0;

/// A random piece of the recording, in `seconds` of silence.
pub fn piece(config: &SingleRecordingConfig, recording: &Recording, seconds: f64, random: &mut Random) -> Recording {
    let mut sound = warped(config, recording, random);
    if random.random::<f64>() < config.mixed {
        let other = warped(config, recording, random);
        let ratio = loudness(&sound) / loudness(&other).max(f64::MIN_POSITIVE);
        sound.iter_mut().zip(other).for_each(|(value, other)| *value += (f64::from(other) * ratio) as f32);
    }
    if config.tilt > 0.0 {
        let tilt = config.tilt * random.random_range(-1.0..=1.0);
        tilted(&mut sound, tilt, f64::from(recording.rate));
    }
    let total = (seconds * f64::from(recording.rate)).round() as usize;
    sound.truncate(total);
    let before = random.random_range(0..=total - sound.len());
    let mut samples = vec![0.0; total];
    samples[before..before + sound.len()].copy_from_slice(&sound);
    Recording { rate: recording.rate, samples }
}

/// A cut, faster or slower, forwards or backwards, faded in and out.
fn warped(config: &SingleRecordingConfig, recording: &Recording, random: &mut Random) -> Vec<f32> {
    let rate = f64::from(recording.rate);
    let length = (random.random_range(config.length[0]..=config.length[1]) * rate) as usize;
    let length = length.clamp(1, recording.samples.len());
    let start = random.random_range(0..=recording.samples.len() - length);
    let cut = &recording.samples[start..start + length];
    let speed = config.speed.powf(random.random_range(-1.0..=1.0));
    let mut sound = at_speed(cut, speed);
    if random.random::<f64>() < config.backwards {
        sound.reverse();
    }
    let fade = ((FADE * rate) as usize).min(sound.len() / 2);
    let last = sound.len() - 1;
    for index in 0..fade {
        let factor = (index + 1) as f32 / (fade + 1) as f32;
        sound[index] *= factor;
        sound[last - index] *= factor;
    }
    sound
}

/// The sound played this many times as fast, interpolated linearly.
fn at_speed(sound: &[f32], speed: f64) -> Vec<f32> {
    let length = ((sound.len() as f64 / speed) as usize).max(1);
    let value = |index: usize| {
        let place = index as f64 * speed;
        let low = (place as usize).min(sound.len() - 1);
        let fraction = (place - low as f64) as f32;
        sound[low] * (1.0 - fraction) + sound[(low + 1).min(sound.len() - 1)] * fraction
    };
    (0..length).map(value).collect()
}

/// Tilts the spectrum about 1 kHz by up to this many dB an octave: a filter of one pole or one zero at 1 kHz, mixed in.
fn tilted(sound: &mut [f32], decibels: f64, rate: f64) {
    let keep = (-std::f64::consts::TAU * PIVOT / rate).exp();
    // 6 dB an octave are one whole pole.
    let mix = (decibels.abs() / 6.0).min(1.0);
    let mut low = 0.0;
    for value in sound {
        let plain = f64::from(*value);
        low = (1.0 - keep) * plain + keep * low;
        let filtered = if decibels < 0.0 { low } else { plain - low };
        *value = ((1.0 - mix) * plain + mix * filtered) as f32;
    }
}

fn loudness(sound: &[f32]) -> f64 {
    let sum: f64 = sound.iter().map(|value| f64::from(*value).powi(2)).sum();
    (sum / sound.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use alluvium_model::Seed;

    use super::*;

    fn tone(hertz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|index| (TAU * hertz * index as f64 / 8000.0).sin() as f32).collect()
    }

    #[test]
    fn twice_the_speed_is_half_the_length_and_an_octave_up() {
        let fast = at_speed(&tone(200.0, 4000), 2.0);
        assert_eq!(fast.len(), 2000);
        assert!(fast.iter().zip(tone(400.0, 2000)).all(|(value, expected)| (value - expected).abs() < 1e-3));
    }

    #[test]
    fn a_tilt_changes_low_and_high_tones_in_opposite_directions() {
        let after = |hertz, tilt| {
            let mut sound = tone(hertz, 8000);
            tilted(&mut sound, tilt, 8000.0);
            loudness(&sound)
        };
        // With k = exp(−2π·1000/8000), the gain of (1 − k) / (1 − k z⁻¹) is 0.98 at 200 Hz and 0.38 at 3500 Hz; that of
        // the rest is 0.13 and 0.76 or more.
        assert!(after(200.0, -6.0) > 2.0 * after(3500.0, -6.0));
        assert!(after(200.0, 6.0) < after(3500.0, 6.0) / 3.0);
        assert!((after(700.0, 0.0) - 0.5_f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn a_piece_lies_in_silence() {
        let config = SingleRecordingConfig { mixed: 0.5, ..Default::default() };
        let recording = Recording { rate: 8000, samples: tone(300.0, 40_000) };
        let mut random = Seed::new(2).random();
        for _ in 0..50 {
            let sound = piece(&config, &recording, 1.0, &mut random);
            assert_eq!(sound.samples.len(), 8000);
            let heard = sound.samples.iter().filter(|value| **value != 0.0).count();
            // 0.2 to 0.8 seconds at 1/1.4 to 1.4 times the speed.
            assert!((1100..=8000).contains(&heard), "{heard}");
        }
    }
}
