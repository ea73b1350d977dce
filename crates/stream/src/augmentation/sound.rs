//! Changes to spectrograms: shifts, gain, noise, and the masks and warps of SpecAugment.

use alluvium_model::Random;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The decibels of one unit of a spectrogram's values, as the streams of sound give them: a value is 1 + dB / 40.
const DECIBELS_PER_UNIT: f64 = 40.0;

/// Random changes to spectrograms, new ones for every sample in every epoch. All are off by default, and are applied in the
/// order of the keys.
///
/// A spectrogram has bands as rows, the lowest first, and frames as columns. Its values are 1 + dB / 40, as the streams of sound
/// give them. All changes work on the spectrogram, not on the sound: a gain adds the same to all values, and noise adds its
/// power to that of each cell.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct SoundAugmentation {
    /// The largest shift in time, in frames to either side; all are equally likely. What comes in is as quiet as the quietest
    /// value. 0: none.
    #[schemars(range(min = 0, max = 10_000))]
    pub shift: usize,
    /// The largest gain and loss, in dB. 0: none.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub gain: f64,
    /// The smallest and the largest ratio of signal to noise, in dB, between which the ratio is drawn. The noise is white: in
    /// each cell its power is exponentially distributed around the same mean, as that of the bins of white noise is. Absent: no
    /// noise.
    #[schemars(inner(range(min = -60.0, max = 120.0)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_to_noise: Option<[f64; 2]>,
    /// W of SpecAugment's time warping (Park et al., Interspeech 2019, arXiv 1904.08779): a frame at least W from both ends
    /// moves by at most W frames, and the parts before and after it are stretched linearly. 0: none.
    #[schemars(range(min = 0, max = 10_000))]
    pub time_warp: usize,
    /// The number of SpecAugment's frequency masks. Each sets some neighbouring bands to the mean of the spectrogram.
    #[schemars(range(min = 0, max = 100))]
    pub frequency_masks: usize,
    /// F of SpecAugment: a frequency mask has 0 to this many bands.
    #[schemars(range(min = 0, max = 10_000))]
    pub frequency_mask_bands: usize,
    /// The number of SpecAugment's time masks. Each sets some neighbouring frames to the mean of the spectrogram.
    #[schemars(range(min = 0, max = 100))]
    pub time_masks: usize,
    /// T of SpecAugment: a time mask has 0 to this many frames.
    #[schemars(range(min = 0, max = 10_000))]
    pub time_mask_frames: usize,
}

impl SoundAugmentation {
    /// Whether all changes are off.
    pub fn is_off(&self) -> bool {
        *self == SoundAugmentation::default()
    }

    /// Changes a spectrogram of this many bands, `[bands, frames]`.
    pub(super) fn apply(&self, values: &mut [f32], bands: usize, random: &mut Random) {
        let frames = values.len() / bands.max(1);
        if frames == 0 || self.is_off() {
            return;
        }
        if self.shift > 0 {
            let most = self.shift.min(frames) as i64;
            shift(values, frames, random.random_range(-most..=most));
        }
        if self.gain > 0.0 {
            let gain = (self.gain * random.random_range(-1.0..=1.0) / DECIBELS_PER_UNIT) as f32;
            values.iter_mut().for_each(|value| *value += gain);
        }
        if let Some([least, most]) = self.signal_to_noise {
            add_noise(values, random.random_range(least.min(most)..=most.max(least)), random);
        }
        if self.time_warp > 0 && frames > 2 * self.time_warp {
            let from = random.random_range(self.time_warp..frames - self.time_warp);
            let to = from + random.random_range(0..=2 * self.time_warp) - self.time_warp;
            // The ends stay, so no other frame goes there.
            warp(values, frames, from, to.clamp(1, frames - 2));
        }
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        for _ in 0..self.frequency_masks {
            let [start, end] = mask(bands, self.frequency_mask_bands, random);
            values[start * frames..end * frames].fill(mean);
        }
        for _ in 0..self.time_masks {
            let [start, end] = mask(frames, self.time_mask_frames, random);
            values.chunks_mut(frames).for_each(|band| band[start..end].fill(mean));
        }
    }
}

/// Moves all frames by `by` frames to the right.
fn shift(values: &mut [f32], frames: usize, by: i64) {
    let quiet = values.iter().copied().fold(f32::INFINITY, f32::min);
    let distance = by.unsigned_abs() as usize;
    for band in values.chunks_mut(frames) {
        if by >= 0 {
            band.copy_within(..frames - distance, distance);
            band[..distance].fill(quiet);
        } else {
            band.copy_within(distance.., 0);
            band[frames - distance..].fill(quiet);
        }
    }
}

/// Adds white noise whose mean power is this many dB below that of the spectrogram.
fn add_noise(values: &mut [f32], ratio: f64, random: &mut Random) {
    let power = |value: f32| 10_f64.powf((f64::from(value) - 1.0) * DECIBELS_PER_UNIT / 10.0);
    let signal = values.iter().map(|value| power(*value)).sum::<f64>() / values.len() as f64;
    let noise = signal / 10_f64.powf(ratio / 10.0);
    for value in values {
        // 1 − u lies in (0, 1], so that its logarithm is finite.
        let of_cell = noise * -(1.0 - random.random::<f64>()).ln();
        *value = (1.0 + 10.0 * (power(*value) + of_cell).log10() / DECIBELS_PER_UNIT) as f32;
    }
}

/// Moves frame `from` to `to`, neither of which is the first or the last frame; these stay, and the frames between are interpolated linearly.
fn warp(values: &mut [f32], frames: usize, from: usize, to: usize) {
    let last = frames - 1;
    let source = |frame: usize| {
        if frame <= to {
            frame as f32 * from as f32 / to as f32
        } else {
            from as f32 + (frame - to) as f32 * (last - from) as f32 / (last - to) as f32
        }
    };
    let sources: Vec<f32> = (0..frames).map(source).collect();
    for band in values.chunks_mut(frames) {
        let before = band.to_vec();
        for (value, source) in band.iter_mut().zip(&sources) {
            let low = (*source as usize).min(last);
            let fraction = source - low as f32;
            *value = before[low] * (1.0 - fraction) + before[(low + 1).min(last)] * fraction;
        }
    }
}

/// The first row or column of a mask, and the one after its last.
fn mask(length: usize, most: usize, random: &mut Random) -> [usize; 2] {
    let size = random.random_range(0..=most.min(length));
    let start = random.random_range(0..=length - size);
    [start, start + size]
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    const OFF: SoundAugmentation = SoundAugmentation {
        shift: 0,
        gain: 0.0,
        signal_to_noise: None,
        time_warp: 0,
        frequency_masks: 0,
        frequency_mask_bands: 0,
        time_masks: 0,
        time_mask_frames: 0,
    };

    /// Two bands of five frames.
    const VALUES: [f32; 10] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];

    /// What 500 samples of the same spectrogram become.
    fn changed(augmentation: SoundAugmentation) -> Vec<Vec<f32>> {
        let mut random = Seed::new(3).random();
        let one = |_| {
            let mut values = VALUES.to_vec();
            augmentation.apply(&mut values, 2, &mut random);
            values
        };
        (0..500).map(one).collect()
    }

    #[test]
    fn frames_move_and_silence_comes_in() {
        let moved = |by| {
            let mut values = VALUES.to_vec();
            shift(&mut values, 5, by);
            values
        };
        assert_eq!(moved(2), [1.0, 1.0, 1.0, 2.0, 3.0, 1.0, 1.0, 6.0, 7.0, 8.0]);
        assert_eq!(moved(-1), [2.0, 3.0, 4.0, 5.0, 1.0, 7.0, 8.0, 9.0, 10.0, 1.0]);
        assert_eq!(moved(5), [1.0; 10]);
        // All five shifts of at most two frames are seen, and no other.
        let mut seen = changed(SoundAugmentation { shift: 2, ..OFF });
        seen.sort_by(|one, other| one.partial_cmp(other).unwrap());
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn a_gain_adds_the_same_decibels_everywhere() {
        let gains: Vec<_> = changed(SoundAugmentation { gain: 10.0, ..OFF })
            .into_iter()
            .map(|values| {
                let gain = values[0] - 1.0;
                assert!(values.iter().zip(VALUES).all(|(value, before)| (value - before - gain).abs() < 1e-5));
                gain
            })
            .collect();
        // 10 dB are a quarter of a unit.
        assert!(gains.iter().all(|gain| gain.abs() <= 0.2501));
        assert!(gains.iter().any(|gain| *gain > 0.24) && gains.iter().any(|gain| *gain < -0.24));
    }

    #[test]
    fn noise_has_the_power_that_its_ratio_states() {
        // 10 000 cells of 0 dB and noise of −10 dB: the mean power is 1.1, with a standard error of 0.001.
        let mut values = vec![1.0; 10_000];
        add_noise(&mut values, 10.0, &mut Seed::new(1).random());
        let power = values.iter().map(|value| 10_f64.powf((f64::from(*value) - 1.0) * 4.0)).sum::<f64>() / 10_000.0;
        assert!((power - 1.1).abs() < 0.005, "{power}");
        assert!(values.iter().all(|value| *value >= 1.0));
    }

    #[test]
    fn a_warp_stretches_both_sides_of_its_frame() {
        let mut values = [0.0, 10.0, 20.0, 30.0, 40.0];
        // Frame 2 goes to 1: frames 0, 2, then 2⅔, 3⅓, 4.
        warp(&mut values, 5, 2, 1);
        let expected = [0.0, 20.0, 80.0 / 3.0, 100.0 / 3.0, 40.0];
        assert!(values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-4), "{values:?}");
        let mut values = [0.0, 10.0, 20.0, 30.0, 40.0];
        warp(&mut values, 5, 1, 2);
        let expected = [0.0, 5.0, 10.0, 25.0, 40.0];
        assert!(values.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-4), "{values:?}");
        let warped = changed(SoundAugmentation { time_warp: 1, ..OFF });
        let stays = |values: &[f32], index: usize| (values[index] - VALUES[index]).abs() < 1e-5;
        assert!(warped.iter().all(|values| [0, 4, 5, 9].into_iter().all(|end| stays(values, end))));
    }

    #[test]
    fn masks_are_whole_bands_and_frames_of_the_mean() {
        let masked = changed(SoundAugmentation { frequency_masks: 1, frequency_mask_bands: 1, ..OFF });
        let band = |values: &[f32]| values.iter().all(|value| *value == 5.5);
        assert!(masked.iter().all(|values| *values == VALUES || band(&values[..5]) != band(&values[5..])));
        // No band, the first, the second: a half, a quarter, a quarter of 500, ± 5 standard deviations.
        let none = masked.iter().filter(|values| **values == VALUES).count();
        assert!((194..=306).contains(&none), "{none}");
        let masked = changed(SoundAugmentation { time_masks: 1, time_mask_frames: 2, ..OFF });
        for values in &masked {
            let frames: Vec<_> = (0..5).filter(|frame| values[*frame] == 5.5).collect();
            assert!(frames.len() <= 2 && frames.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!((0..5).all(|frame| (values[frame] == 5.5) == (values[5 + frame] == 5.5)));
        }
    }

    #[test]
    fn more_than_there_is_does_not_fail() {
        let all = SoundAugmentation {
            shift: 99,
            gain: 1.0,
            signal_to_noise: Some([20.0, 0.0]),
            time_warp: 99,
            frequency_masks: 3,
            frequency_mask_bands: 99,
            time_masks: 3,
            time_mask_frames: 99,
        };
        assert!(changed(all).iter().flatten().all(|value| value.is_finite()));
        all.apply(&mut [], 2, &mut Seed::new(1).random());
    }
}
