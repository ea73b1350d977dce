//! Seeds, digests and progress: what every stage of a run needs. Nothing here depends on a model.
//!
//! A [`Seed`] is split by name, so that each random part of a run has its own generator. A [`Digest`] tells whether two
//! byte sequences are the same. A [`Progress`] is told how far a computation is. A [`Host`] is the program around the library,
//! for plugins whose code runs there.
//!
//! This crate does not know tensors, models, files or streams.

mod digest;
mod host;
mod progress;
mod seed;

pub use digest::{Digest, DigestBuilder};
pub use host::{Host, host, set_host};
pub use progress::{Progress, Silent};
pub use seed::{Random, Seed};
