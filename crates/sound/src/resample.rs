//! Changing the rate of a recording.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use crate::{RATES, Recording, SoundError};

/// The fewest samples of a block, on the side with the lower rate. The filter is as long as a block. With this length,
/// half of the lower rate is damped by more than 130 dB, and 95 % of it by less than 0.001 dB.
const BLOCK: u32 = 1024;

impl Recording {
    /// The recording at another rate, in Hz.
    ///
    /// Frequencies from half of the lower rate on are removed; those below 95 % of that keep their amplitude and phase.
    /// The duration stays the same, rounded to whole samples, and nothing is shifted: the resampler's delay is removed.
    /// Outside of the recording, silence is assumed, which shows within 512 samples of the lower rate from its ends
    /// (within a second, if the rates have no common divisor). At the rate that it has, a recording is returned
    /// unchanged.
    ///
    /// # Errors
    /// [`SoundError::Rate`] when one of the rates is not one of [`RATES`]; [`SoundError::Resampling`] when the
    /// resampler refuses them.
    pub fn resampled(self, rate: u32) -> Result<Recording, SoundError> {
        if let Some(&rate) = [self.rate, rate].iter().find(|rate| !RATES.contains(rate)) {
            return Err(SoundError::Rate { rate });
        }
        if self.rate == rate || self.samples.is_empty() {
            return Ok(Recording { rate, ..self });
        }
        let samples = resample(&self.samples, self.rate, rate).map_err(|cause| SoundError::Resampling {
            from: self.rate,
            to: rate,
            cause,
        })?;
        Ok(Recording { rate, samples })
    }
}

fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, String> {
    let divisor = greatest_common_divisor(from, to);
    // A block spans the same time at both rates. An even number of these times makes both lengths even, so that the
    // delay, half a block, is a whole number of samples on both sides.
    let times = BLOCK.div_ceil(from.min(to) / divisor).next_multiple_of(2);
    let block = (from / divisor * times) as usize;
    let (window, fixed) = (WindowFunction::BlackmanHarris2, FixedSync::Input);
    // In 64 bits, what comes out is exact to the 32 bits of a sample.
    let resampler = Fft::<f64>::new_custom(from as usize, to as usize, block, 1, 1, window, fixed);
    let mut resampler = resampler.map_err(|error| error.to_string())?;
    let samples: Vec<_> = samples.iter().map(|&sample| f64::from(sample)).collect();
    let input = InterleavedSlice::new(&samples, 1, samples.len()).map_err(|error| error.to_string())?;
    let output = resampler.process_all(&input, samples.len(), None).map_err(|error| error.to_string())?;
    let mut resampled: Vec<_> = output.take_data().into_iter().map(|sample| sample as f32).collect();
    // The duration, rounded to samples. The resampler rounds it up, and not exactly.
    let length = (samples.len() as u128 * u128::from(to) + u128::from(from / 2)) / u128::from(from);
    resampled.resize((length as usize).max(1), 0.0);
    Ok(resampled)
}

/// Euclid's algorithm.
fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
