//! The spectrograms of all recordings, computed once for each set of options.

use std::sync::{Arc, Mutex, PoisonError};

use alluvium_sound::SpectrogramOptions;
use alluvium_stream::{DataPart, InputShape, Samples, SoundClip, StreamError, ValueType};
use rayon::prelude::*;

use crate::archive::Archive;

/// The rate of the recordings, in Hz.
const RATE: u32 = 8000;

/// The archive and the spectrogram of each recording.
#[derive(Debug)]
pub struct Spectrograms {
    pub archive: Archive,
    /// `[1, bands, frames]`.
    input: InputShape,
    /// One spectrogram after another, in the order of the archive.
    values: Vec<f32>,
}

/// The spectrograms that were computed last. All seeds of a comparison need the same ones.
static LATEST: Mutex<Option<(SpectrogramOptions, Arc<Spectrograms>)>> = Mutex::new(None);

impl Spectrograms {
    /// Computes the spectrograms, or finds those that were computed last.
    ///
    /// # Errors
    /// [`StreamError::Option`] when an option is out of range, [`StreamError::File`] when the binary was built from damaged
    /// data.
    pub fn of(options: &SpectrogramOptions) -> Result<Arc<Self>, StreamError> {
        let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = latest.as_ref().filter(|(known, _)| known == options) {
            return Ok(known.clone());
        }
        let computed = Arc::new(Self::compute(options)?);
        *latest = Some((options.clone(), computed.clone()));
        Ok(computed)
    }

    fn compute(options: &SpectrogramOptions) -> Result<Self, StreamError> {
        let front_end = options.front_end(RATE)?;
        let archive = Archive::embedded()?;
        let input = InputShape::from([1, front_end.bands(), front_end.frames()]);
        let mut values = vec![0.0; archive.utterances.len() * input.values()];
        let each = values.par_chunks_mut(input.values()).zip(&archive.utterances);
        each.try_for_each(|(values, utterance)| {
            let features = front_end.features(archive.recording(utterance)?)?;
            values.copy_from_slice(&features);
            Ok::<(), StreamError>(())
        })?;
        Ok(Spectrograms { archive, input, values })
    }

    fn of_utterance(&self, index: usize) -> &[f32] {
        &self.values[index * self.input.values()..][..self.input.values()]
    }
}

/// Some of the recordings as one part of a data set.
#[derive(Debug, Clone)]
pub struct Utterances {
    spectrograms: Arc<Spectrograms>,
    /// The recordings, by their index in the archive.
    indices: Vec<usize>,
    labels: Vec<usize>,
}

impl Utterances {
    pub fn new(spectrograms: &Arc<Spectrograms>, indices: Vec<usize>) -> Self {
        let labels = indices.iter().map(|index| spectrograms.archive.utterances[*index].word).collect();
        Utterances { spectrograms: spectrograms.clone(), indices, labels }
    }

    /// All of them.
    pub fn all(&self) -> Samples {
        let values = self.indices.iter().flat_map(|index| self.spectrograms.of_utterance(*index)).copied().collect();
        Samples::of_numbers(self.spectrograms.input, values, self.labels.clone())
    }

    /// The accent of each.
    pub fn accents(&self) -> Vec<usize> {
        self.indices.iter().map(|index| self.spectrograms.archive.utterances[*index].accent).collect()
    }
}

impl DataPart for Utterances {
    fn input(&self) -> InputShape {
        self.spectrograms.input
    }

    fn value_type(&self) -> ValueType {
        ValueType::Numbers
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        let own = indices.iter().map(|index| self.indices[*index]).collect();
        Ok(Utterances::new(&self.spectrograms, own).all())
    }

    fn sound(&self, index: usize) -> Option<SoundClip> {
        let archive = &self.spectrograms.archive;
        let bytes = archive.flac(archive.utterances.get(*self.indices.get(index)?)?).ok()?;
        Some(SoundClip { media_type: "audio/flac", bytes })
    }
}
