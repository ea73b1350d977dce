//! The recordings: an archive of FLAC files and a table of voices, which are built into the binary. `cargo xtask accents`
//! makes them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use alluvium_sound::Recording;
use alluvium_stream::StreamError;
use serde::Deserialize;
use zip::ZipArchive;

/// The files `ACCENT/VOICE/WORD.flac`, not compressed again.
const RECORDINGS: (&str, &[u8]) = ("data/accents.zip", include_bytes!("../data/accents.zip"));
/// One row per voice.
const VOICES: (&str, &str) = ("data/voices.csv", include_str!("../data/voices.csv"));
/// The longest recording, in seconds; none of the built-in ones has as many.
const MOST_SECONDS: f64 = 10.0;

/// The part of the data set that a voice belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Train,
    Test,
}

/// One voice: the columns of the table that are used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Voice {
    voice: String,
    part: Part,
}

/// What is said in a recording, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// The index of the accent.
    pub accent: usize,
    /// The name of the voice.
    pub voice: String,
    /// The index of the word.
    pub word: usize,
    /// The part of the voice.
    pub part: Part,
    /// The name of the file within the archive.
    file: String,
}

/// All recordings.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The accents, as the synthesiser calls them, in alphabetical order.
    pub accents: Vec<String>,
    /// The words, in alphabetical order.
    pub words: Vec<String>,
    /// The recordings, in the order of the archive.
    pub utterances: Vec<Utterance>,
    zip: ZipArchive<Cursor<&'static [u8]>>,
}

impl Archive {
    /// Reads the list of the built-in recordings.
    ///
    /// # Errors
    /// When the two files contradict each other, because the binary was built from damaged data.
    pub fn embedded() -> Result<Self, StreamError> {
        Self::parse(RECORDINGS.1, VOICES.1)
    }

    fn parse(zip: &'static [u8], voices: &str) -> Result<Self, StreamError> {
        let zip = ZipArchive::new(Cursor::new(zip)).map_err(|error| wrong(RECORDINGS.0, error.to_string()))?;
        let rows = csv::Reader::from_reader(voices.as_bytes()).into_deserialize().collect::<Result<Vec<Voice>, _>>();
        let rows = rows.map_err(|error| wrong(VOICES.0, error.to_string()))?;
        let parts: BTreeMap<_, _> = rows.into_iter().map(|row| (row.voice, row.part)).collect();
        let names = zip.file_names().map(|name| name.map(|name| name.into_owned())).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|error| wrong(RECORDINGS.0, error.to_string()))?;
        let mut files = vec![];
        for file in &names {
            let parts = file.strip_suffix(".flac").map(|name| name.split('/').collect::<Vec<_>>());
            match parts.as_deref() {
                Some([accent, voice, word]) => files.push((file, *accent, *voice, *word)),
                _ => return Err(wrong(RECORDINGS.0, format!("holds {file}; accepted: ACCENT/VOICE/WORD.flac"))),
            }
        }
        let distinct = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.dedup();
            names.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let accents = distinct(files.iter().map(|(_, accent, ..)| *accent).collect());
        let words = distinct(files.iter().map(|(.., word)| *word).collect());
        let index = |names: &[String], name: &str| names.iter().position(|other| other == name).unwrap_or_default();
        let mut utterances = vec![];
        for (file, accent, voice, word) in files {
            let Some(part) = parts.get(voice) else {
                return Err(wrong(VOICES.0, format!("has no voice \"{voice}\", which {} has", RECORDINGS.0)));
            };
            utterances.push(Utterance {
                accent: index(&accents, accent),
                voice: voice.to_owned(),
                word: index(&words, word),
                part: *part,
                file: file.clone(),
            });
        }
        Ok(Archive { accents, words, utterances, zip })
    }

    /// The FLAC file of an utterance.
    ///
    /// # Errors
    /// When the archive is damaged.
    pub fn flac(&self, utterance: &Utterance) -> Result<Vec<u8>, StreamError> {
        let failed = |error: &dyn std::fmt::Display| wrong(RECORDINGS.0, format!("{}: {error}", utterance.file));
        // Clones share the list of files.
        let mut zip = self.zip.clone();
        let mut file = zip.by_name(&utterance.file).map_err(|error| failed(&error))?;
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        Ok(bytes)
    }

    /// The sound of an utterance.
    ///
    /// # Errors
    /// When the archive is damaged.
    pub fn recording(&self, utterance: &Utterance) -> Result<Recording, StreamError> {
        let name = Path::new(&utterance.file);
        let read = alluvium_sound::read_bytes(self.flac(utterance)?, name, MOST_SECONDS);
        read.map_err(|error| wrong(RECORDINGS.0, error.to_string()))
    }
}

fn wrong(name: &str, cause: String) -> StreamError {
    StreamError::File {
        path: PathBuf::from(name),
        cause,
        hint: " (built into this binary; `cargo xtask accents` makes the file)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_accent_has_every_word_in_every_voice() {
        let archive = Archive::embedded().unwrap();
        let voices: BTreeSet<_> = archive.utterances.iter().map(|utterance| utterance.voice.as_str()).collect();
        assert!(archive.accents.len() >= 7 && archive.words.len() >= 20 && voices.len() >= 12);
        assert_eq!(archive.utterances.len(), archive.accents.len() * archive.words.len() * voices.len());
        let test = archive.utterances.iter().filter(|utterance| utterance.part == Part::Test);
        let tested: BTreeSet<_> = test.map(|utterance| utterance.voice.as_str()).collect();
        assert!(tested.len() >= 4 && voices.len() - tested.len() >= 8, "{tested:?}");
    }

    #[test]
    fn no_recording_is_in_both_parts() {
        let archive = Archive::embedded().unwrap();
        let mut parts = BTreeMap::<Vec<u8>, BTreeSet<bool>>::new();
        for utterance in &archive.utterances {
            let sound = archive.flac(utterance).unwrap();
            parts.entry(sound).or_default().insert(utterance.part == Part::Test);
        }
        assert!(parts.values().all(|parts| parts.len() == 1));
        // Some accents say some words alike, which the README states.
        assert!(parts.len() > archive.utterances.len() / 2, "{} distinct recordings", parts.len());
    }

    #[test]
    fn recordings_are_short_mono_sound() {
        let archive = Archive::embedded().unwrap();
        for utterance in archive.utterances.iter().step_by(97) {
            let recording = archive.recording(utterance).unwrap();
            assert_eq!(recording.rate, 8000);
            assert!((800..=8000).contains(&recording.samples.len()), "{utterance:?}: {}", recording.samples.len());
        }
    }

    #[test]
    fn contradictory_files_are_refused() {
        let no_zip = Archive::parse(b"PK", VOICES.1).unwrap_err().to_string();
        assert!(no_zip.contains("accents.zip") && no_zip.contains("cargo xtask accents"), "{no_zip}");
        let no_voices = Archive::parse(RECORDINGS.1, "voice,part\n").unwrap_err().to_string();
        assert!(no_voices.contains("voices.csv") && no_voices.contains("has no voice"), "{no_voices}");
        let no_part = Archive::parse(RECORDINGS.1, "voice,part\na,both\n").unwrap_err().to_string();
        assert!(no_part.contains("both"), "{no_part}");
    }
}
