//! The `speech-commands` stream: a folder of sounds for each word, with the official lists.

mod folders;

use std::path::PathBuf;

use alluvium_sound::SpectrogramOptions;
use alluvium_stream::{DataSplit, Scenario, Seed, StreamConfig, StreamError, TaskStream, options, plugin};

use folders::SpeechCommands;

pub use folders::Validation;

/// Google's Speech Commands, split over devices: 35 words of one second each, said by thousands of people (Warden, "Speech
/// commands: a dataset for limited-vocabulary speech recognition", arXiv 1804.03209).
///
/// The files are those of the archive, unpacked: a folder for each word, `testing_list.txt` and `validation_list.txt`. A file is
/// called `SPEAKER_nohash_N.wav`, and a speaker is in one part only. Folders whose names begin with `_`, such as
/// `_background_noise_`, are skipped. Any data set in this layout can be read, WAV or FLAC, of any rate. Inputs are log-mel
/// spectrograms, `[1, bands, frames]`, computed when they are needed; the values are 1 + dB / 40.
///
/// Under class shift, each task has its own words and its own head. Under domain shift, all tasks have the same words and one
/// head, and each has its own speakers; the test speakers are others, so the test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SpeechCommandsConfig {
    /// The folder of the words and the lists.
    #[default("speech_commands_v0.02".into())]
    pub directory: PathBuf,
    /// The rate to which sounds are brought, in Hz.
    #[schemars(range(min = 1000, max = 192_000))]
    #[default(16_000)]
    pub rate: u32,
    /// The use of the samples in `validation_list.txt`: `leave-out` or `train`.
    #[default(Validation::LeaveOut)]
    pub validation: Validation,
    /// How sound becomes inputs.
    pub spectrogram: SpectrogramOptions,
    /// How the samples are split over devices. The domains are the speakers.
    #[serde(flatten)]
    pub data: DataSplit,
}

#[plugin(
    kind = "speech-commands",
    paper = "Warden, \"Speech commands: a dataset for limited-vocabulary speech recognition\", arXiv 1804.03209"
)]
impl StreamConfig for SpeechCommandsConfig {
    fn scenario(&self) -> Scenario {
        self.data.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let front_end = self.spectrogram.front_end(self.rate)?;
        let found = SpeechCommands::find(&self.directory, self.validation)?;
        let (words, [train, test]) = found.parts(&front_end);
        Ok(Box::new(self.data.tasks(words, train, Some(test), seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        // `build` reports folders that cannot be read.
        SpeechCommands::find(&self.directory, self.validation).map(SpeechCommands::into_paths).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
