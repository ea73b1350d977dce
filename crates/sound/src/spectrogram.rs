//! What a user chooses about spectrograms, and its checks.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::front_end::{FrontEnd, Level};
use crate::mel::{Band, bands};
use crate::recording::sample_count;
use crate::{RATES, SoundError};

/// How sound becomes a log-mel spectrogram: the power in bands of frequency, in decibels, at equally distant times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpectrogramOptions {
    /// The length of an input in seconds. A longer recording is cut: its beginning is kept. A shorter one is padded
    /// with silence on both sides.
    #[schemars(range(min = 0.05, max = 60.0))]
    pub seconds: f64,
    /// The length of the window of a spectrum in milliseconds.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub window: f64,
    /// The time from one window to the next in milliseconds.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub hop: f64,
    /// The number of bands, whose centres are equally distant on the mel scale.
    #[schemars(range(min = 4, max = 256))]
    pub bands: usize,
    /// The lowest frequency of the bands in Hz.
    #[schemars(range(min = 0.0, max = 384_000.0))]
    pub lowest: f64,
    /// The highest frequency of the bands in Hz. Absent: half of the rate.
    #[schemars(range(min = 0.0, max = 384_000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highest: Option<f64>,
    /// The lowest power that is told apart, in decibels. Less counts as this much, and more than 0 dB counts as 0 dB.
    #[schemars(range(min = -200.0, max = 0.0))]
    pub floor: f64,
    /// Whether recordings are brought to the same loudness. If not, they stay as loud as they are.
    pub normalise_loudness: bool,
    /// That loudness: the root mean square of a recording in decibels, relative to full scale. It is that of the
    /// recording before it is cut or padded.
    #[schemars(range(min = -100.0, max = 0.0))]
    pub loudness: f64,
}

impl Default for SpectrogramOptions {
    fn default() -> Self {
        SpectrogramOptions {
            seconds: 1.0,
            window: 32.0,
            hop: 20.0,
            bands: 32,
            lowest: 20.0,
            highest: None,
            floor: -80.0,
            normalise_loudness: true,
            loudness: -30.0,
        }
    }
}

impl SpectrogramOptions {
    /// Checks the options and prepares spectrograms of sound at `rate` Hz. Recordings of other rates are brought to it.
    ///
    /// # Errors
    /// [`SoundError::Option`] when an option is out of range, when the frequencies do not lie between 0 and half of the
    /// rate, or when there are more bands than the window resolves: one of them would be empty. [`SoundError::Rate`]
    /// when the rate is not one of [`RATES`].
    pub fn front_end(&self, rate: u32) -> Result<FrontEnd, SoundError> {
        if !RATES.contains(&rate) {
            return Err(SoundError::Rate { rate });
        }
        within("seconds", self.seconds, 0.05..=60.0, "seconds")?;
        within("window", self.window, 1.0..=1000.0, "milliseconds")?;
        within("hop", self.hop, 1.0..=1000.0, "milliseconds")?;
        within("floor", self.floor, -200.0..=0.0, "decibels")?;
        within("loudness", self.loudness, -100.0..=0.0, "decibels")?;
        let half = f64::from(rate) / 2.0;
        let highest = self.highest.unwrap_or(half);
        if !(highest > 0.0 && highest <= half) {
            let accepted = format!("up to {half} Hz, half of the rate of {rate} Hz");
            return Err(SoundError::option("highest", format!("is {highest} Hz"), accepted));
        }
        if !(self.lowest >= 0.0 && self.lowest < highest) {
            let accepted = format!("0 to less than the highest frequency, {highest} Hz");
            return Err(SoundError::option("lowest", format!("is {} Hz", self.lowest), accepted));
        }
        let window = length("window", self.window, rate)?;
        let hop = length("hop", self.hop, rate)?;
        let loudness = self.normalise_loudness.then_some(self.loudness);
        let level = Level { seconds: self.seconds, floor: self.floor, loudness };
        Ok(FrontEnd::new(level, rate, window, hop, self.resolved_bands(rate, window, highest)?))
    }

    /// The bands, each of which has a bin.
    fn resolved_bands(&self, rate: u32, window: usize, highest: f64) -> Result<Vec<Band>, SoundError> {
        const FEWEST: usize = 4;
        const MOST: usize = 256;
        if !(FEWEST..=MOST).contains(&self.bands) {
            return Err(SoundError::option("bands", format!("is {}", self.bands), format!("{FEWEST} to {MOST}")));
        }
        let resolved = |count| {
            let bands = bands(count, self.lowest, highest, rate, window);
            bands.iter().all(|band| !band.is_empty()).then_some(bands)
        };
        resolved(self.bands).ok_or_else(|| {
            let most = (FEWEST..self.bands).rev().find(|&count| resolved(count).is_some());
            let problem = format!(
                "is {}, which is more than a window of {} ms resolves between {} and {highest} Hz: a band would be \
                 empty",
                self.bands, self.window, self.lowest
            );
            let fewer = most.map_or(String::new(), |most| format!("{most} bands, or "));
            SoundError::option("bands", problem, fewer + "a longer `window`, or frequencies further apart")
        })
    }
}

/// The number of samples of a time in milliseconds: at least two.
fn length(option: &'static str, milliseconds: f64, rate: u32) -> Result<usize, SoundError> {
    let samples = sample_count(milliseconds / 1000.0, rate);
    if samples < 2 {
        let problem = format!("is {milliseconds} ms, which is less than 2 samples at {rate} Hz");
        let accepted = format!("at least {} milliseconds", 2000.0 / f64::from(rate));
        return Err(SoundError::option(option, problem, accepted));
    }
    Ok(samples)
}

fn within(option: &'static str, value: f64, range: RangeInclusive<f64>, unit: &str) -> Result<(), SoundError> {
    if range.contains(&value) {
        return Ok(());
    }
    let accepted = format!("{} to {} {unit}", range.start(), range.end());
    Err(SoundError::option(option, format!("is {value}"), accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_ranges_and_the_defaults() {
        let schema = serde_json::to_value(schemars::schema_for!(SpectrogramOptions)).unwrap();
        let property = |name: &str, key: &str| schema["properties"][name][key].clone();
        assert_eq!(property("seconds", "minimum"), 0.05);
        assert_eq!(property("seconds", "default"), 1.0);
        assert_eq!(property("bands", "maximum"), 256);
        assert_eq!(property("loudness", "default"), -30.0);
        assert_eq!(property("normalise_loudness", "default"), true);
        let empty: SpectrogramOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, SpectrogramOptions::default());
    }
}
