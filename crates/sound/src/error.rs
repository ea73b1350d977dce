//! Errors of reading sound and of options for spectrograms.

use std::path::{Path, PathBuf};

use crate::RATES;

/// An error in reading sound or in computing its spectrogram. Messages name the file or the option, and what is
/// accepted.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// A file cannot be read, or is not sound that is accepted here.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what helps.
        cause: String,
    },
    /// An option is out of range, or does not fit the others.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// A rate is not one that sound has.
    #[error("a rate of {rate} Hz is not that of sound; accepted: {} to {} Hz", RATES.start(), RATES.end())]
    Rate {
        /// The rate, in Hz.
        rate: u32,
    },
    /// The rate cannot be changed.
    #[error("sound of {from} Hz cannot be brought to {to} Hz ({cause}); convert the files to {to} Hz beforehand")]
    Resampling {
        /// The rate of the recording, in Hz.
        from: u32,
        /// The rate that was asked for, in Hz.
        to: u32,
        /// What the resampler says.
        cause: String,
    },
}

impl SoundError {
    /// The error of a file.
    pub(crate) fn file(path: &Path, cause: impl Into<String>) -> Self {
        SoundError::File { path: path.to_owned(), cause: cause.into() }
    }

    /// The error of an option.
    pub(crate) fn option(option: &'static str, problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        SoundError::Option { option, problem: problem.into(), accepted: accepted.into() }
    }
}
