//! The spectrogram itself: from samples to decibels, and to the inputs of networks.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::mel::Band;
use crate::recording::sample_count;
use crate::{Recording, SoundError};

/// The decibels between two values of a feature that differ by 1. 0 dB is 1, and −80 dB is −1.
pub const DECIBELS_PER_UNIT: f32 = 40.0;

/// Computes log-mel spectrograms of sound at one rate. [`SpectrogramOptions::front_end`](crate::SpectrogramOptions::front_end) makes one.
#[derive(Clone)]
pub struct FrontEnd {
    level: Level,
    rate: u32,
    /// The samples from one window to the next.
    hop: usize,
    /// The weights of the samples of a window.
    window: Vec<f64>,
    bands: Vec<Band>,
    transform: Arc<dyn RealToComplex<f64>>,
}

/// How long and how loud inputs are.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    /// Their length, in seconds.
    pub(crate) seconds: f64,
    /// The lowest power that is told apart, in decibels.
    pub(crate) floor: f64,
    /// What recordings are brought to, in decibels relative to full scale.
    pub(crate) loudness: Option<f64>,
}

impl fmt::Debug for FrontEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = self.window.len();
        let mut fields = formatter.debug_struct("FrontEnd");
        fields.field("level", &self.level).field("rate", &self.rate).field("window", &window);
        fields.field("hop", &self.hop).finish_non_exhaustive()
    }
}

impl FrontEnd {
    /// From checked options. `window` and `hop` are in samples, at least 1.
    pub(crate) fn new(level: Level, rate: u32, window: usize, hop: usize, bands: Vec<Band>) -> Self {
        // The periodic Hann window: F. J. Harris, "On the use of windows for harmonic analysis with the discrete
        // Fourier transform", Proceedings of the IEEE 66 (1978), equation 27b.
        let hann = |sample| 0.5 - 0.5 * (TAU * sample as f64 / window as f64).cos();
        let transform = RealFftPlanner::new().plan_fft_forward(window);
        FrontEnd { level, rate, hop, window: (0..window).map(hann).collect(), bands, transform }
    }

    /// The number of bands.
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The number of frames, that is of windows, of [`Self::features`].
    pub fn frames(&self) -> usize {
        self.frames_of(sample_count(self.level.seconds, self.rate))
    }

    /// The rate of the sound in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The length of an input in seconds.
    pub fn seconds(&self) -> f64 {
        self.level.seconds
    }

    /// The log-mel spectrogram of samples at [`Self::rate`], in decibels: `[bands, frames]`, frames fastest.
    ///
    /// The samples are taken as they are, whatever their loudness and number. The value is 10 · log₁₀ of the power in a
    /// band, or the floor if that is more. Frame i is centred at sample i · hop; silence is assumed outside of the
    /// samples. The number of frames is 1 + length / hop, rounded down (for an odd window, of one sample less; none of
    /// no samples).
    ///
    /// It is what librosa 0.11 computes by `power_to_db(feature.melspectrogram(y=samples, sr=rate, n_fft=window,
    /// hop_length=hop, n_mels=bands, fmin=lowest, fmax=highest), ref=1.0, amin=10**(floor/10), top_db=None)`, with
    /// `window` and `hop` in samples: milliseconds times rate, rounded.
    pub fn decibels(&self, samples: &[f32]) -> Vec<f32> {
        let length = self.window.len();
        let frames = self.frames_of(samples.len());
        let least = 10f64.powf(self.level.floor / 10.0);
        let mut windowed = self.transform.make_input_vec();
        let mut transformed = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut spectrum = vec![0.0; transformed.len()];
        let mut decibels = vec![0.0; self.bands.len() * frames];
        for frame in 0..frames {
            for (index, (value, weight)) in windowed.iter_mut().zip(&self.window).enumerate() {
                // Half a window of silence comes before the first sample.
                let sample = (frame * self.hop + index).checked_sub(length / 2).and_then(|index| samples.get(index));
                *value = sample.map_or(0.0, |&sample| f64::from(sample) * weight);
            }
            self.transform
                .process_with_scratch(&mut windowed, &mut transformed, &mut scratch)
                .expect("the buffers have the lengths that the transform makes");
            spectrum.iter_mut().zip(&transformed).for_each(|(power, value)| *power = value.norm_sqr());
            for (index, band) in self.bands.iter().enumerate() {
                decibels[index * frames + frame] = (10.0 * band.power(&spectrum).max(least).log10()) as f32;
            }
        }
        decibels
    }

    /// The inputs that a recording becomes: `[bands, frames]`, frames fastest.
    ///
    /// The recording is brought to [`Self::rate`], then to the loudness of the options, then cut or padded to
    /// [`Self::seconds`]. The values are 1 + decibels / [`DECIBELS_PER_UNIT`], at most 1: more than 0 dB counts as 0 dB. With
    /// the usual floor they are in −1…1, as those of pictures are.
    ///
    /// # Errors
    /// As [`Recording::resampled`].
    pub fn features(&self, recording: Recording) -> Result<Vec<f32>, SoundError> {
        let mut recording = recording.resampled(self.rate)?;
        if let Some(loudness) = self.level.loudness {
            recording = recording.at_loudness(loudness);
        }
        let mut values = self.decibels(&recording.of_seconds(self.level.seconds).samples);
        values.iter_mut().for_each(|value| *value = (1.0 + *value / DECIBELS_PER_UNIT).min(1.0));
        Ok(values)
    }

    /// The frames of that many samples, which half a window of silence precedes and follows.
    fn frames_of(&self, samples: usize) -> usize {
        let length = self.window.len();
        (samples + length / 2 * 2).checked_sub(length).map_or(0, |room| 1 + room / self.hop)
    }
}
