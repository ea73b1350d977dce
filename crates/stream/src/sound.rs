//! Sound files as inputs: a part of a data set whose inputs are spectrograms. Behind the feature `sound`.

use std::path::PathBuf;

use alluvium_model::InputShape;
use alluvium_sound::{FrontEnd, SoundError, read_file};

use crate::{DataPart, Samples, SoundClip, StreamError, ValueType, read_each_of_numbers};

/// The most bytes of a file that people may listen to in a report.
const MOST_HEARD: u64 = 200_000;

impl From<SoundError> for StreamError {
    fn from(error: SoundError) -> Self {
        let cause = error.to_string();
        match error {
            SoundError::File { path, cause } => StreamError::File { path, cause, hint: String::new() },
            SoundError::Option { option, problem, accepted } => StreamError::Option { option, problem, accepted },
            SoundError::Rate { .. } | SoundError::Resampling { .. } => StreamError::Option {
                option: "rate",
                problem: format!("does not fit: {cause}"),
                accepted: "the rate of the files, or one near it".to_owned(),
            },
        }
    }
}

/// Labelled WAV and FLAC files. Each becomes a log-mel spectrogram, `[1, bands, frames]`, when a task needs it.
#[derive(Debug, Clone)]
pub struct SoundFiles {
    front_end: FrontEnd,
    files: Vec<PathBuf>,
    labels: Vec<usize>,
}

impl SoundFiles {
    /// Creates a part from paths and labels.
    pub fn new(front_end: FrontEnd, sounds: impl IntoIterator<Item = (PathBuf, usize)>) -> Self {
        let (files, labels) = sounds.into_iter().unzip();
        SoundFiles { front_end, files, labels }
    }
}

impl DataPart for SoundFiles {
    fn input(&self) -> InputShape {
        [1, self.front_end.bands(), self.front_end.frames()].into()
    }

    fn value_type(&self) -> ValueType {
        ValueType::Numbers
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        read_each_of_numbers(self, indices, |index, values| {
            let recording = read_file(&self.files[index], self.front_end.seconds())?;
            values.copy_from_slice(&self.front_end.features(recording)?);
            Ok(())
        })
    }

    fn sound(&self, index: usize) -> Option<SoundClip> {
        let path = self.files.get(index)?;
        let is_flac = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("flac"));
        let short = std::fs::metadata(path).ok()?.len() <= MOST_HEARD;
        let media_type = if is_flac { "audio/flac" } else { "audio/wav" };
        short.then(|| Some(SoundClip { media_type, bytes: std::fs::read(path).ok()? })).flatten()
    }
}

#[cfg(test)]
mod tests {
    use alluvium_sound::SpectrogramOptions;

    use super::*;

    #[test]
    fn errors_keep_the_file_and_the_option() {
        let path = PathBuf::from("a.wav");
        let error = StreamError::from(SoundError::File { path, cause: "is empty".to_owned() });
        assert_eq!(error.to_string(), "a.wav: is empty");
        let error = SpectrogramOptions { bands: 1000, ..Default::default() }.front_end(8000).unwrap_err();
        assert!(StreamError::from(error).to_string().starts_with("`bands`"));
        let error = StreamError::from(SpectrogramOptions::default().front_end(1).unwrap_err()).to_string();
        assert!(error.contains("`rate`") && error.contains("1 Hz"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.wav");
        std::fs::write(&path, "no sound").unwrap();
        let front_end = SpectrogramOptions::default().front_end(8000).unwrap();
        let files = SoundFiles::new(front_end, [(path, 3)]);
        assert_eq!((files.input(), files.labels()), ([1, 32, 51].into(), &[3][..]));
        assert!(files.read(&[0]).unwrap_err().to_string().contains("text.wav: "));
        assert_eq!(files.sound(0).map(|clip| clip.media_type), Some("audio/wav"));
        assert_eq!(files.sound(1), None);
    }
}
