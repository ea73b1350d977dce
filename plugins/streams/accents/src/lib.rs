//! The `accents` stream: twenty words in eight English accents, synthesised.
//!
//! `archive` holds the recordings, `spectrograms` turns them into inputs, `deal` says who has which, `stream` holds the tasks.

mod archive;
mod deal;
mod spectrograms;
mod stream;

use alluvium_sound::SpectrogramOptions;
use alluvium_stream::{Scenario, Seed, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin};

/// How the tasks differ.
#[options]
pub enum Shift {
    /// Each device has its own words, in all accents.
    Class,
    /// All devices have the same words, each in its own accent.
    Domain,
    /// Each device has its own words, in its own accent.
    ClassAndDomain,
}

/// Synthetic speech commands in eight English accents and sixteen voices: a synthesiser (espeak-ng) says the words, not people.
///
/// The words are the twenty commands of Google's Speech Commands: the digits, and yes, no, up, down, left, right, on, off, stop, go.
/// It is built into the binary and needs no files. Inputs are log-mel spectrograms, `[1, bands, frames]`, of one second at
/// 8 kHz; the values are 1 + dB / 40. Six voices are for testing, and no device hears them in training. Under domain shift,
/// each task has an accent of its own, and all tasks share one head. Under class shift, each task has its own words and its own
/// head. Both shifts can be combined. An accent that is left out has no device: its test samples are a test set of their own
/// (`unseen ACCENT`), which tells whether the centre generalises. `plugins/streams/accents/data/README.md` says how the
/// recordings were made.
#[options]
#[derive(PartialEq)]
pub struct AccentsConfig {
    /// The number of tasks. Each task is one device. Under domain shift, devices receive the accents in turn.
    #[schemars(range(min = 1, max = 1000))]
    #[default(8)]
    pub tasks: usize,
    /// The number of words of each task. If tasks have their own words, `tasks` × `classes_per_task` may be 20 at most.
    #[schemars(range(min = 1, max = 20))]
    #[default(20)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own words and its own head. `domain`: all tasks have the same words
    /// and one head, and each has its own accent. `class-and-domain`: both, with a head for each task.
    #[default(Shift::Domain)]
    pub shift: Shift,
    /// The words, in the order in which tasks receive them. Under domain shift, all tasks have the first `classes_per_task` of
    /// them. Absent: the seed shuffles the words.
    #[schemars(length(min = 1, max = 20))]
    pub class_order: Option<Vec<String>>,
    /// The accents, in the order in which devices receive them. Absent: the seed shuffles those that are not left out.
    #[schemars(length(min = 1, max = 8))]
    pub accent_order: Option<Vec<String>>,
    /// Accents that no device has. The centre is judged on each of them, as `unseen ACCENT`.
    #[schemars(length(max = 7))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Words that only one device has, `new_words_device`. They belong to the common head from the beginning, but no other
    /// device has samples of them. The centre is judged on them, as `new words`: on the test voices in all accents of the
    /// stream. Only under domain shift.
    #[schemars(length(max = 19))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_words: Vec<String>,
    /// The device that has the new words, numbered from 1. It has them beside the others, in its own accent.
    #[schemars(range(min = 1, max = 1000))]
    #[default(1)]
    pub new_words_device: usize,
    /// The largest number of training samples of each word that a task gets; the seed draws them. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// How sound becomes inputs.
    pub spectrogram: SpectrogramOptions,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(kind = "accents")]
impl StreamConfig for AccentsConfig {
    fn scenario(&self) -> Scenario {
        match self.shift {
            Shift::Class | Shift::ClassAndDomain => Scenario::ClassShift,
            Shift::Domain => Scenario::DomainShift,
        }
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        Ok(Box::new(deal::deal(self, seed)?))
    }
}

impl AccentsConfig {
    /// Converts these options to those of a split.
    fn split(&self) -> Split {
        Split {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings: self.split.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
