//! The six data sets of EMNIST and their classes.

use alluvium_stream::options;

/// One of the six data sets.
#[options]
#[serde(rename_all = "lowercase")]
pub enum Dataset {
    /// Digits, capital and small letters.
    ByClass,
    /// The same, but small letters that look like their capitals are merged with them.
    ByMerge,
    /// The classes of `bymerge`, with the same number of images each.
    Balanced,
    /// Letters, both cases merged.
    Letters,
    /// Digits.
    Digits,
    /// Digits, with the same number of images as MNIST.
    Mnist,
}

/// The small letters that are not merged with their capitals.
const UNLIKE: &str = "abdefghnqrt";

impl Dataset {
    /// The data set's name in the names of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dataset::ByClass => "byclass",
            Dataset::ByMerge => "bymerge",
            Dataset::Balanced => "balanced",
            Dataset::Letters => "letters",
            Dataset::Digits => "digits",
            Dataset::Mnist => "mnist",
        }
    }

    /// The character of each label, as in the archive's `emnist-NAME-mapping.txt`. The first one belongs to the label
    /// [`first_label`](Self::first_label).
    pub(crate) fn class_names(self) -> Vec<String> {
        let (digits, capitals) = ('0'..='9', 'A'..='Z');
        let characters: Vec<char> = match self {
            Dataset::ByClass => digits.chain(capitals).chain('a'..='z').collect(),
            Dataset::ByMerge | Dataset::Balanced => digits.chain(capitals).chain(UNLIKE.chars()).collect(),
            Dataset::Letters => capitals.collect(),
            Dataset::Digits | Dataset::Mnist => digits.collect(),
        };
        characters.into_iter().map(String::from).collect()
    }

    /// The lowest label; the labels of letters count from 1.
    pub(crate) fn first_label(self) -> u8 {
        u8::from(self == Dataset::Letters)
    }
}
