//! What every stage of a run needs, and no model: seeds, digests, progress.
//!
//! A [`Seed`] is split by name, so that everything random has a generator of its own. A [`Digest`] tells whether two things
//! are the same. [`Progress`] listens to a computation that takes steps.
//!
//! This crate refuses to know tensors, models, files and streams.

mod digest;
mod progress;
mod seed;

pub use digest::{Digest, DigestBuilder};
pub use progress::{Progress, Silent};
pub use seed::{Random, Seed};
