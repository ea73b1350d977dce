//! Finds the words, their sounds, and the speakers, and says which sounds are for training.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_sound::FrontEnd;
use alluvium_stream::{SoundFiles, SourcePart, StreamError, options, read_text};

const TESTING: &str = "testing_list.txt";
const VALIDATION: &str = "validation_list.txt";
/// The longest list, in bytes; Google's have less than a tenth of it.
const LONGEST_LIST: u64 = 10 << 20;
/// What separates the speaker from the number in a file's name.
const AFTER_SPEAKER: &str = "_nohash_";
/// The endings of the names of sounds.
const ENDINGS: [&str; 2] = ["wav", "flac"];

/// The use of the samples that the official list calls validation samples.
#[options]
pub enum Validation {
    /// They are left out.
    LeaveOut,
    /// They are for training.
    Train,
}

/// A sound with its word and its speaker, each by its number.
#[derive(Debug, Clone)]
struct Sound {
    path: PathBuf,
    word: usize,
    speaker: usize,
}

/// The words and their sounds.
#[derive(Debug)]
pub struct SpeechCommands {
    words: Vec<String>,
    train: Vec<Sound>,
    test: Vec<Sound>,
}

impl SpeechCommands {
    /// Finds all sounds and divides them as the lists say.
    ///
    /// # Errors
    /// [`StreamError::File`] when a folder or a list cannot be read, a list names a sound that is not there, a sound is in both
    /// lists, or a speaker is in both parts.
    pub fn find(directory: &Path, validation: Validation) -> Result<Self, StreamError> {
        let words = entries(directory, true)?;
        if words.is_empty() {
            return Err(StreamError::file(directory, "does not hold folders; accepted: a folder for each word"));
        }
        let mut speakers = BTreeMap::new();
        let mut found = BTreeMap::new();
        for (word, name) in words.iter().enumerate() {
            for file in entries(&directory.join(name), false)? {
                let numbers = speakers.len();
                let speaker = *speakers.entry(speaker(&file).to_owned()).or_insert(numbers);
                let sound = Sound { path: directory.join(name).join(&file), word, speaker };
                found.insert(format!("{name}/{file}"), sound);
            }
        }
        let (testing, validating) = (list(directory, TESTING, &found)?, list(directory, VALIDATION, &found)?);
        if let Some(both) = testing.intersection(&validating).next() {
            let cause = format!("names {both}, which {TESTING} names, too; accepted: each sound in one list at most");
            return Err(StreamError::file(&directory.join(VALIDATION), cause));
        }
        let (mut train, mut test) = (vec![], vec![]);
        for (name, sound) in found {
            if testing.contains(&name) {
                test.push(sound);
            } else if !validating.contains(&name) || validation == Validation::Train {
                train.push(sound);
            }
        }
        let trained: BTreeSet<_> = train.iter().map(|sound| sound.speaker).collect();
        if let Some(sound) = test.iter().find(|sound| trained.contains(&sound.speaker)) {
            let cause = format!("names {}, whose speaker is heard in training, too", sound.path.display());
            return Err(StreamError::file(&directory.join(TESTING), cause));
        }
        Ok(SpeechCommands { words, train, test })
    }

    /// The words, and the two parts with the speakers of the training samples as domains.
    pub fn parts(self, front_end: &FrontEnd) -> (Vec<String>, [SourcePart; 2]) {
        let speakers = self.train.iter().map(|sound| sound.speaker).collect();
        let part = |sounds: Vec<Sound>, domains| {
            let sounds = sounds.into_iter().map(|sound| (sound.path, sound.word));
            SourcePart { samples: Arc::new(SoundFiles::new(front_end.clone(), sounds)), domains }
        };
        (self.words, [part(self.train, Some(speakers)), part(self.test, None)])
    }

    /// All sounds.
    pub fn into_paths(self) -> Vec<PathBuf> {
        self.train.into_iter().chain(self.test).map(|sound| sound.path).collect()
    }
}

/// The speaker in the name of a file. A name without a speaker is a speaker of its own.
fn speaker(file: &str) -> &str {
    file.split_once(AFTER_SPEAKER).map_or(file, |(speaker, _)| speaker)
}

/// The names in a list, each of which there must be.
fn list(directory: &Path, name: &str, found: &BTreeMap<String, Sound>) -> Result<BTreeSet<String>, StreamError> {
    let path = directory.join(name);
    let names: BTreeSet<_> = read_text(&path, LONGEST_LIST)?
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    match names.iter().find(|name| !found.contains_key(*name)) {
        Some(missing) => {
            let cause = format!(
                "names {missing}, which is not there; accepted: WORD/FILE of sounds in {}",
                directory.display()
            );
            Err(StreamError::file(&path, cause))
        }
        None => Ok(names),
    }
}

/// The names of the folders, or of the sounds, in a folder, sorted. Names that begin with a dot or `_` are skipped.
fn entries(folder: &Path, folders: bool) -> Result<Vec<String>, StreamError> {
    let failed = |error: std::io::Error| StreamError::file(folder, error.to_string());
    let mut names = vec![];
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let is_sound =
            path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        let skipped = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        if skipped || path.is_dir() != folders || !(folders || is_sound) {
            continue;
        }
        match entry.file_name().into_string() {
            Ok(name) => names.push(name),
            Err(_) => return Err(StreamError::file(&path, "has a name that is not text in UTF-8")),
        }
    }
    names.sort();
    Ok(names)
}
