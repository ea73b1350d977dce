//! The `single-recording` surrogate: pieces of one recording, cut and warped.

mod piece;

use std::path::{Path, PathBuf};

use alluvium_model::{Inputs, Seed};
use alluvium_sound::{FrontEnd, Recording, SpectrogramOptions, read_bytes, read_file};
use alluvium_strategy::{
    RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, options, plugin, spectrograms_only,
};

/// The built-in recording; `data/README.md` gives its origin.
const RECORDING: (&str, &[u8]) = ("data/caesar.flac", include_bytes!("../data/caesar.flac"));
/// The most seconds of a recording that are used.
const MOST_SECONDS: f64 = 600.0;

/// Pieces of one recording: random cuts, played faster or slower, backwards, tilted in their spectrum, and mixed. It is for
/// sounds what `single-image` is for pictures.
///
/// One recording of speech has vowels, consonants and silence of every kind, but need not share a word with the devices' data.
/// The built-in one is a minute of Latin. It is synthetic, by the synthesiser of the stream `accents`, in a voice that the
/// stream does not have; a recording of people is further from that stream, and nearer to real streams.
///
/// `rate` and `spectrogram` must be those of the stream, so that inputs have its shape.
#[options]
#[derive(PartialEq)]
pub struct SingleRecordingConfig {
    /// The recording, WAV or FLAC, of which the first ten minutes are used. Absent: a minute of Latin that is built in.
    pub recording: Option<PathBuf>,
    /// The number of pieces of the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub pieces: usize,
    /// The shortest and the longest piece, in seconds, before it is warped. The rest of an input is silence.
    #[schemars(inner(range(min = 0.02, max = 60.0)))]
    #[default([0.2, 0.8])]
    pub length: [f64; 2],
    /// The largest factor by which a piece is played faster or slower, which changes its pitch, too. The factor is drawn between
    /// 1 / `speed` and `speed`, evenly on a logarithmic scale. 1: no change.
    #[schemars(range(min = 1.0, max = 4.0))]
    #[default(1.4)]
    pub speed: f64,
    /// The probability that a piece is played backwards.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.25)]
    pub backwards: f64,
    /// The probability that a second piece is added, as loud as the first.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.25)]
    pub mixed: f64,
    /// The largest tilt of the spectrum, in dB an octave, up or down. 0: none.
    #[schemars(range(min = 0.0, max = 24.0))]
    #[default(4.0)]
    pub tilt: f64,
    /// The rate of the sound, in Hz: that of the stream.
    #[schemars(range(min = 1000, max = 192_000))]
    #[default(8000)]
    pub rate: u32,
    /// How sound becomes inputs: as in the stream.
    pub spectrogram: SpectrogramOptions,
}

#[plugin(
    kind = "single-recording",
    paper = "after Asano & Saeed, \"The augmented image prior: distilling 1000 classes by extrapolating from a single image\", \
             ICLR 2023, arXiv 2112.00725"
)]
impl SurrogateConfig for SingleRecordingConfig {
    fn files(&self) -> Vec<PathBuf> {
        self.recording.iter().cloned().collect()
    }

    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        let [least, most] = self.length;
        if least > most {
            return Err(SurrogateError::Option {
                option: "length",
                problem: format!("= [{least}, {most}] ends before it begins"),
                accepted: "the shortest length, then the longest".to_owned(),
            });
        }
        let front_end = self.spectrogram.front_end(self.rate)?;
        run.input.map_or(Ok(()), |input| spectrograms_only(&front_end, input))
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let front_end = self.spectrogram.front_end(self.rate)?;
        let recording = match &self.recording {
            Some(path) => read_file(path, MOST_SECONDS)?,
            None => read_bytes(RECORDING.1.to_vec(), Path::new(RECORDING.0), MOST_SECONDS)?,
        };
        let recording = recording.resampled(self.rate)?;
        let longest = (self.length[1] * f64::from(self.rate)) as usize;
        if recording.samples.len() < longest {
            return Err(SurrogateError::Option {
                option: "length",
                problem: format!("asks for {} seconds, but the recording has fewer", self.length[1]),
                accepted: format!("at most {:.2}", recording.samples.len() as f64 / f64::from(self.rate)),
            });
        }
        Ok(Box::new(SingleRecording { config: self.clone(), front_end, recording, fixed: None }))
    }
}

/// The source of pieces.
#[derive(Debug)]
struct SingleRecording {
    config: SingleRecordingConfig,
    front_end: FrontEnd,
    recording: Recording,
    /// The last fixed set with its seed: all consolidations of a cell request the same one.
    fixed: Option<(Seed, Vec<f32>)>,
}

impl SingleRecording {
    /// The values of `count` inputs, one after the other.
    fn values(&mut self, count: usize, seed: Seed) -> Result<Vec<f32>, SurrogateError> {
        if let Some((_, known)) = self.fixed.as_ref().filter(|(known, _)| *known == seed && count == self.config.pieces)
        {
            return Ok(known.clone());
        }
        let mut random = seed.random();
        let mut values = vec![];
        for _ in 0..count {
            let sound = piece::piece(&self.config, &self.recording, self.front_end.seconds(), &mut random);
            values.extend(self.front_end.features(sound)?);
        }
        if count == self.config.pieces {
            self.fixed = Some((seed, values.clone()));
        }
        Ok(values)
    }
}

impl Surrogate for SingleRecording {
    fn samples(&self) -> usize {
        self.config.pieces
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

    fn small() -> SingleRecordingConfig {
        SingleRecordingConfig { pieces: 12, ..Default::default() }
    }

    fn refused(config: SingleRecordingConfig) -> String {
        let run = RunDescription { input: Some([1, 32, 51].into()), ..Default::default() };
        let built = config.validate(&run).and_then(|()| config.build(&run).map(drop));
        built.unwrap_err().to_string()
    }

    #[test]
    fn conforms() {
        check_surrogate_of(&small(), [1, 32, 51].into());
    }

    #[test]
    fn the_built_in_recording_is_a_minute_of_sound() {
        let recording = read_bytes(RECORDING.1.to_vec(), Path::new(RECORDING.0), MOST_SECONDS).unwrap();
        assert_eq!(recording.rate, 8000);
        assert!((50.0..90.0).contains(&(recording.samples.len() as f64 / 8000.0)));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(refused(SingleRecordingConfig { length: [0.5, 0.2], ..small() }).contains("ends before it begins"));
        assert!(
            refused(SingleRecordingConfig { length: [0.5, 600.0], ..small() })
                .contains("`length` asks for 600 seconds")
        );
        let missing = refused(SingleRecordingConfig { recording: Some("/no/sound.wav".into()), ..small() });
        assert!(missing.contains("/no/sound.wav"), "{missing}");
        let other = SpectrogramOptions { hop: 30.0, ..Default::default() };
        let other = refused(SingleRecordingConfig { rate: 16_000, spectrogram: other, ..small() });
        assert!(other.contains("1×32×34"), "{other}");
    }

    #[test]
    fn the_fixed_set_is_drawn_once_and_begins_like_other_draws() {
        let run = RunDescription::default();
        let front_end = small().spectrogram.front_end(8000).unwrap();
        let recording = read_bytes(RECORDING.1.to_vec(), Path::new(RECORDING.0), MOST_SECONDS).unwrap();
        assert!(small().build(&run).is_ok());
        let mut source = SingleRecording { config: small(), front_end, recording, fixed: None };
        let fixed = source.values(12, Seed::new(1)).unwrap();
        let few = source.values(5, Seed::new(1)).unwrap();
        assert_eq!(few, fixed[..few.len()]);
        source.recording.samples.fill(0.0);
        assert_eq!(source.values(12, Seed::new(1)).unwrap(), fixed);
        assert_ne!(source.values(12, Seed::new(2)).unwrap(), fixed);
    }
}
