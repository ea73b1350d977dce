//! Sound: WAV and FLAC files become mono [`Recording`]s, and recordings become log-mel spectrograms.
//!
//! [`read_file`] reads the beginning of a file. [`SpectrogramOptions`] are what a user chooses; checked against a rate,
//! they become a [`FrontEnd`], which turns recordings into inputs of networks: `[bands, frames]` numbers each.
//!
//! The crate refuses to hold data sets, splits, labels and training. It knows neither tensors nor the other crates of
//! the workspace.
//!
//! ```
//! use alluvium_sound::{Recording, SpectrogramOptions};
//!
//! // A second of 440 Hz, at the rate of a compact disc.
//! let tone = (0..44_100).map(|sample| (sample as f32 * 440.0 * std::f32::consts::TAU / 44_100.0).sin() * 0.1);
//! let recording = Recording { rate: 44_100, samples: tone.collect() };
//!
//! let front_end = SpectrogramOptions::default().front_end(8000)?;
//! let features = front_end.features(recording)?;
//! assert_eq!(features.len(), front_end.bands() * front_end.frames());
//! # Ok::<(), alluvium_sound::SoundError>(())
//! ```

mod error;
mod flac;
mod front_end;
mod mel;
mod mixdown;
mod rates;
mod read;
mod recording;
mod resample;
mod source;
mod spectrogram;
mod wav;

pub use error::SoundError;
pub use front_end::{DECIBELS_PER_UNIT, FrontEnd};
pub use rates::RATES;
pub use read::{read_bytes, read_file};
pub use recording::Recording;
pub use spectrogram::SpectrogramOptions;
