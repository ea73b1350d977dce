//! The six data sets of EMNIST and their classes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the six data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Dataset {
    /// Digits, capitals and small letters.
    ByClass,
    /// The same, with small letters that look like their capitals merged with them.
    ByMerge,
    /// As many of each class of `bymerge`.
    Balanced,
    /// Letters, both cases merged.
    Letters,
    /// Digits.
    Digits,
    /// Digits, as many as in MNIST.
    Mnist,
}

/// The small letters that are classes of their own where letters that look alike are merged.
const UNLIKE: &str = "abdefghnqrt";

impl Dataset {
    /// What it is called in the names of its files.
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

    /// The character of each label, as the archive's `emnist-NAME-mapping.txt` gives them; the first one is of the label
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

    /// The lowest label: those of letters count from 1.
    pub(crate) fn first_label(self) -> u8 {
        u8::from(self == Dataset::Letters)
    }
}
