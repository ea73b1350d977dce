//! The `speech-noise` surrogate: noise with the spectrum and the rhythm of speech.

mod babble;

use alluvium_model::{Inputs, Seed};
use alluvium_sound::{FrontEnd, SpectrogramOptions};
use alluvium_strategy::{
    RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, options, plugin, spectrograms_only,
};

/// Noise that sounds like speech from afar: bursts of noise and of pulses, coloured by moving resonances, for streams of
/// spectrograms.
///
/// It needs no recording. The spectrum falls by 6 dB an octave above 500 Hz, as that of speech does on average (Byrne et al.,
/// "An international comparison of long-term average speech spectra", JASA 96, 1994). Three resonances move between random
/// frequencies in the ranges of the first three formants of vowels, and the loudness rises and falls two to six times a second,
/// as syllables do. It says no word.
///
/// `rate` and `spectrogram` must be those of the stream, so that inputs have its shape.
#[options]
#[derive(PartialEq)]
pub struct SpeechNoiseConfig {
    /// The number of inputs of the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub samples: usize,
    /// The probability that a syllable is voiced: made of pulses at the pitch of a voice, and not of noise.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.7)]
    pub voiced: f64,
    /// The rate of the sound, in Hz: that of the stream.
    #[schemars(range(min = 1000, max = 192_000))]
    #[default(8000)]
    pub rate: u32,
    /// How sound becomes inputs: as in the stream.
    pub spectrogram: SpectrogramOptions,
}

#[plugin(kind = "speech-noise")]
impl SurrogateConfig for SpeechNoiseConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        let front_end = self.spectrogram.front_end(self.rate)?;
        run.input.map_or(Ok(()), |input| spectrograms_only(&front_end, input))
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let front_end = self.spectrogram.front_end(self.rate)?;
        Ok(Box::new(SpeechNoise { config: self.clone(), front_end, fixed: None }))
    }
}

/// The source of noise.
#[derive(Debug)]
struct SpeechNoise {
    config: SpeechNoiseConfig,
    front_end: FrontEnd,
    /// The last fixed set with its seed: all consolidations of a cell request the same one.
    fixed: Option<(Seed, Vec<f32>)>,
}

impl SpeechNoise {
    /// The values of `count` inputs, one after the other.
    fn values(&mut self, count: usize, seed: Seed) -> Result<Vec<f32>, SurrogateError> {
        if let Some((_, known)) =
            self.fixed.as_ref().filter(|(known, _)| *known == seed && count == self.config.samples)
        {
            return Ok(known.clone());
        }
        let mut random = seed.random();
        let mut values = vec![];
        for _ in 0..count {
            let sound = babble::babble(self.config.rate, self.front_end.seconds(), self.config.voiced, &mut random);
            values.extend(self.front_end.features(sound)?);
        }
        if count == self.config.samples {
            self.fixed = Some((seed, values.clone()));
        }
        Ok(values)
    }
}

impl Surrogate for SpeechNoise {
    fn samples(&self) -> usize {
        self.config.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        spectrograms_only(&self.front_end, request.input)?;
        Ok(request.inputs(self.values(count, request.seed)?))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_strategy::conformance::check_surrogate_of;

    use super::*;

    fn small() -> SpeechNoiseConfig {
        SpeechNoiseConfig { samples: 12, ..Default::default() }
    }

    #[test]
    fn conforms() {
        check_surrogate_of(&small(), [1, 32, 51].into());
    }

    #[test]
    fn inputs_of_another_shape_are_refused() {
        let run = RunDescription { input: Some([1, 28, 28].into()), ..Default::default() };
        let error = small().validate(&run).unwrap_err().to_string();
        assert!(error.contains("1×32×51") && error.contains("1×28×28"), "{error}");
        let bands = SpectrogramOptions { bands: 250, ..Default::default() };
        let error = SpeechNoiseConfig { spectrogram: bands, ..small() }.validate(&run).unwrap_err().to_string();
        assert!(error.contains("`bands`"), "{error}");
    }

    #[test]
    fn the_fixed_set_is_drawn_once_and_begins_like_other_draws() {
        let front_end = small().spectrogram.front_end(8000).unwrap();
        let mut source = SpeechNoise { config: small(), front_end, fixed: None };
        let fixed = source.values(12, Seed::new(1)).unwrap();
        let few = source.values(5, Seed::new(1)).unwrap();
        assert_eq!(few, fixed[..few.len()]);
        source.config.voiced = 0.0;
        assert_eq!(source.values(12, Seed::new(1)).unwrap(), fixed);
        assert_ne!(source.values(12, Seed::new(2)).unwrap(), fixed);
    }
}
