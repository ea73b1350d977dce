//! The mean of a file's channels, collected up to a number of samples.

use crate::RATES;

/// Collects mono samples. It never holds more than were asked for, whatever a file's header promises.
#[derive(Debug)]
pub(crate) struct Mixdown {
    /// The samples so far.
    pub samples: Vec<f32>,
    rate: u32,
    channels: usize,
    most: usize,
}

impl Mixdown {
    /// An empty mixdown that takes `most_seconds` of sound: at least one sample.
    ///
    /// # Errors
    /// When a file cannot have that rate or number of channels: a description for people.
    pub fn new(rate: u32, channels: usize, most_seconds: f64) -> Result<Self, String> {
        if !RATES.contains(&rate) {
            let (lowest, highest) = (RATES.start(), RATES.end());
            return Err(format!("claims a rate of {rate} Hz; accepted: {lowest} to {highest} Hz"));
        }
        if channels == 0 {
            return Err("claims 0 channels; accepted: at least 1".to_owned());
        }
        // The conversion saturates, so an infinite limit is one that no file reaches.
        let most = (most_seconds * f64::from(rate)).round().max(1.0) as usize;
        Ok(Mixdown { samples: vec![], rate, channels, most })
    }

    /// Whether no more samples are wanted.
    pub fn is_full(&self) -> bool {
        self.samples.len() >= self.most
    }

    /// The number of samples that are still wanted.
    pub fn wanted(&self) -> usize {
        self.most - self.samples.len()
    }

    /// Adds a sample: the mean of its channels' amplitudes.
    ///
    /// # Errors
    /// When an amplitude is not finite: a description for people.
    pub fn push(&mut self, amplitudes: impl Iterator<Item = f64>) -> Result<(), String> {
        let mut sum = 0.0;
        for (channel, amplitude) in amplitudes.enumerate() {
            if !amplitude.is_finite() {
                let sample = self.samples.len();
                return Err(format!(
                    "sample {sample} (from 0) of channel {channel} (from 0) is {amplitude}; accepted: finite \
                     amplitudes, where 1 is full scale"
                ));
            }
            sum += amplitude;
        }
        self.samples.push((sum / self.channels as f64) as f32);
        Ok(())
    }

    /// The samples, if there are as many as the header promised, or as were asked for.
    ///
    /// # Errors
    /// When there are fewer, or none: a description for people.
    pub fn finish(self, promised: Option<u64>) -> Result<Vec<f32>, String> {
        let held = self.samples.len() as u64;
        let seconds = |samples: u64| samples as f64 / f64::from(self.rate);
        match promised {
            Some(promised) if held < promised && !self.is_full() => Err(format!(
                "is cut short: its header promises {promised} samples ({:.3} s), but it holds {held} ({:.3} s); get \
                 the file again, or leave it out",
                seconds(promised),
                seconds(held)
            )),
            _ if held == 0 => Err("holds no samples; leave it out".to_owned()),
            _ => Ok(self.samples),
        }
    }
}
