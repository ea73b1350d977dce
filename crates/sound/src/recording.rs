//! Mono sound in memory, its loudness and its length.

/// Mono sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The number of samples per second, in Hz.
    pub rate: u32,
    /// The amplitudes, where −1…1 is full scale. Floating-point files may exceed it.
    pub samples: Vec<f32>,
}

impl Recording {
    /// The duration in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// The recording with a root mean square of `decibels`, relative to an amplitude of 1: −20 is a tenth of it.
    ///
    /// All samples are multiplied by the same number. Peaks may exceed full scale; they are not clipped. Silence (all
    /// samples zero, or none) stays silent.
    pub fn at_loudness(mut self, decibels: f64) -> Recording {
        let power: f64 = self.samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        if power > 0.0 {
            let root_mean_square = (power / self.samples.len() as f64).sqrt();
            // Amplitudes, so 20 decibels for a factor of ten.
            let factor = 10f64.powf(decibels / 20.0) / root_mean_square;
            self.samples.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * factor) as f32);
        }
        self
    }

    /// The recording with a duration of `seconds`, rounded to whole samples.
    ///
    /// A longer one is cut: its beginning is kept. A shorter one is padded with zeros on both sides, equally; if their
    /// number is odd, the side behind gets one more. Less than 0 and NaN count as 0 seconds.
    pub fn of_seconds(mut self, seconds: f64) -> Recording {
        let length = sample_count(seconds, self.rate);
        if self.samples.len() >= length {
            self.samples.truncate(length);
        } else {
            let before = (length - self.samples.len()) / 2;
            let mut padded = vec![0.0; length];
            padded[before..before + self.samples.len()].copy_from_slice(&self.samples);
            self.samples = padded;
        }
        self
    }
}

/// The number of samples of a duration.
pub(crate) fn sample_count(seconds: f64, rate: u32) -> usize {
    (seconds * f64::from(rate)).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_the_root_mean_square() {
        // The mean of the squares of 3, -3, 3 and -3 hundredths is 0.03². -20 dB are an amplitude of 0.1, -40 dB one of
        // 0.01.
        let recording = Recording { rate: 8000, samples: vec![0.03, -0.03, 0.03, -0.03] };
        let loud = recording.clone().at_loudness(-20.0).samples;
        assert!(loud.iter().zip([0.1, -0.1, 0.1, -0.1]).all(|(is, should)| (is - should).abs() < 1e-7), "{loud:?}");
        let quiet = recording.at_loudness(-40.0).samples;
        assert!(
            quiet.iter().zip([0.01, -0.01, 0.01, -0.01]).all(|(is, should)| (is - should).abs() < 1e-8),
            "{quiet:?}"
        );
        // Of 0 and 0.2, the mean square is 0.02 and its root 0.141421. 0.2 / 1.41421 is 0.141421.
        let half = Recording { rate: 8000, samples: vec![0.0, 0.2] }.at_loudness(-20.0).samples;
        assert_eq!(half[0], 0.0);
        assert!((half[1] - 0.141_421_36).abs() < 1e-7, "{half:?}");
    }

    #[test]
    fn silence_stays_and_the_faintest_sound_does_not_overflow() {
        for samples in [vec![], vec![0.0; 5]] {
            let recording = Recording { rate: 8000, samples };
            assert_eq!(recording.clone().at_loudness(-20.0), recording);
        }
        let faint = Recording { rate: 8000, samples: vec![f32::from_bits(1); 3] }.at_loudness(-20.0);
        assert!(faint.samples.iter().all(|sample| (sample - 0.1).abs() < 1e-7), "{faint:?}");
    }

    #[test]
    fn a_duration_cuts_the_end_or_pads_both_sides() {
        let recording = Recording { rate: 10, samples: vec![1.0, 2.0, 3.0] };
        let of = |seconds| recording.clone().of_seconds(seconds).samples;
        assert_eq!(of(0.2), [1.0, 2.0]);
        assert_eq!(of(0.3), [1.0, 2.0, 3.0]);
        // 0.34 s are 3.4 samples, rounded to 3; 0.36 s are rounded to 4.
        assert_eq!(of(0.34), [1.0, 2.0, 3.0]);
        assert_eq!(of(0.36), [1.0, 2.0, 3.0, 0.0]);
        assert_eq!(of(0.5), [0.0, 1.0, 2.0, 3.0, 0.0]);
        assert_eq!(of(0.6), [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert!(of(-1.0).is_empty() && of(f64::NAN).is_empty());
        assert_eq!(recording.seconds(), 0.3);
    }
}
