//! The noise itself: syllables of pulses or of noise behind moving resonances.

use std::f64::consts::TAU;

use alluvium_model::Random;
use alluvium_sound::Recording;
use rand::RngExt;

/// The ranges of the first three formants of vowels, in Hz (Peterson & Barney, "Control methods used in a study of the vowels",
/// JASA 24, 1952, table II: men to children, without the vowel of "bird", rounded outwards), and the width of each resonance.
const FORMANTS: [([f64; 2], f64); 3] = [([250.0, 1050.0], 90.0), ([750.0, 3300.0], 120.0), ([2100.0, 3800.0], 180.0)];
/// The pitch of voices, from men to children, in Hz.
const PITCH: [f64; 2] = [80.0, 320.0];
/// The lengths of a syllable and of a pause, in seconds.
const SYLLABLE: [f64; 2] = [0.1, 0.35];
const PAUSE: [f64; 2] = [0.02, 0.2];
/// Above this frequency, the spectrum of speech falls by 6 dB an octave.
const CORNER: f64 = 500.0;

/// One sound of this rate and length. `voiced` is the probability that a syllable is voiced.
pub fn babble(rate: u32, seconds: f64, voiced: f64, random: &mut Random) -> Recording {
    let hertz = f64::from(rate);
    let total = (seconds * hertz).round() as usize;
    let mut samples = Vec::with_capacity(total);
    // Sounds begin within a syllable, within a pause, or with a longer silence.
    let lead = (random.random_range(0.0..=0.3 * seconds) * hertz) as usize;
    samples.resize(lead.min(total), 0.0);
    while samples.len() < total {
        let length = ((between(SYLLABLE, random) * hertz) as usize).min(total - samples.len()).max(1);
        let is_voiced = random.random::<f64>() < voiced;
        syllable(&mut samples, length, hertz, is_voiced, random);
        let pause = (between(PAUSE, random) * hertz) as usize;
        samples.resize((samples.len() + pause).min(total), 0.0);
        // Half of the sounds are as short as a word.
        if random.random::<f64>() < 0.25 {
            samples.resize(total, 0.0);
        }
    }
    Recording { rate, samples }
}

/// Adds one syllable of `length` samples.
fn syllable(samples: &mut Vec<f32>, length: usize, rate: f64, voiced: bool, random: &mut Random) {
    let ends = FORMANTS.map(|(range, _)| [(); 2].map(|()| between(range, random).min(0.45 * rate)));
    let pitch = [(); 2].map(|()| between(PITCH, random));
    let loudness = random.random_range(0.3..=1.0);
    let mut resonances = FORMANTS.map(|(_, width)| Resonance::new(width, rate));
    let falloff = (-TAU * CORNER / rate).exp();
    let (mut phase, mut low) = (0.0, 0.0);
    for index in 0..length {
        let along = index as f64 / length as f64;
        let at = |[from, to]: [f64; 2]| from + along * (to - from);
        phase += at(pitch) / rate;
        let source = if voiced {
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase %= 1.0;
            pulse
        } else {
            0.3 * random.random_range(-1.0..=1.0)
        };
        // A low-pass filter of one pole, 6 dB an octave.
        low = source * (1.0 - falloff) + falloff * low;
        let formed: f64 = resonances.iter_mut().zip(ends).map(|(resonance, ends)| resonance.next(low, at(ends))).sum();
        let envelope = (std::f64::consts::PI * along).sin();
        samples.push((loudness * envelope * formed) as f32);
    }
}

/// A resonance: a filter of two poles with unit gain at its peak, approximately.
struct Resonance {
    rate: f64,
    radius: f64,
    before: [f64; 2],
}

impl Resonance {
    fn new(width: f64, rate: f64) -> Self {
        Resonance { rate, radius: (-std::f64::consts::PI * width / rate).exp(), before: [0.0; 2] }
    }

    fn next(&mut self, input: f64, frequency: f64) -> f64 {
        let [last, older] = self.before;
        let angle = TAU * frequency / self.rate;
        let gain = (1.0 - self.radius) * (1.0 - 2.0 * self.radius * (2.0 * angle).cos() + self.radius.powi(2)).sqrt();
        let output = gain * input + 2.0 * self.radius * angle.cos() * last - self.radius.powi(2) * older;
        self.before = [output, last];
        output
    }
}

fn between([least, most]: [f64; 2], random: &mut Random) -> f64 {
    random.random_range(least..=most)
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    #[test]
    fn a_resonance_is_loudest_at_its_frequency() {
        let power = |hertz: f64| {
            let mut resonance = Resonance::new(100.0, 8000.0);
            let outputs =
                (0..4000).map(|index| resonance.next((TAU * hertz * f64::from(index) / 8000.0).sin(), 1000.0));
            outputs.skip(2000).map(|output| output * output).sum::<f64>() / 2000.0
        };
        // A sine of amplitude 1 has the power ½, and the gain at the peak is 1. At twice the frequency,
        // |1 − 2 r cos θ z⁻¹ + r² z⁻²| with z = exp(jπ/2), θ = π/4 and r = exp(−π/80) is 1.362, and the gain 0.0540 / 1.362.
        assert!((power(1000.0) - 0.5).abs() < 0.02, "{}", power(1000.0));
        assert!(power(2000.0) < 0.002 && power(500.0) < 0.01);
    }

    #[test]
    fn sounds_are_finite_as_long_as_asked_for_and_mostly_low() {
        let mut random = Seed::new(0).random();
        let (mut low, mut high) = (0.0, 0.0);
        for _ in 0..40 {
            let sound = babble(8000, 1.0, 0.5, &mut random);
            assert_eq!((sound.rate, sound.samples.len()), (8000, 8000));
            assert!(sound.samples.iter().all(|sample| sample.is_finite() && sample.abs() < 10.0));
            // Differences of neighbours pass high frequencies, sums pass low ones.
            low += sound.samples.windows(2).map(|pair| f64::from(pair[0] + pair[1]).powi(2)).sum::<f64>();
            high += sound.samples.windows(2).map(|pair| f64::from(pair[0] - pair[1]).powi(2)).sum::<f64>();
        }
        assert!(low > 2.0 * high && high > 0.0, "{low} {high}");
    }
}
