//! Durable files: whole or not at all, checked by digest, bounded, one process at a time.
//!
//! [`write_file`] replaces a file at once and for good. A [`Folder`] is a folder whose files are listed with their
//! SHA-256 digests in `SHA256SUMS` (`sha256sum -c` reads it, too): what does not agree with its digest is
//! [damage](Damage), and is never handed out. A [`Store`] keeps such folders by key, within a bound. A [`Lock`] keeps a
//! second process out and dies with its owner. [`Lines`] appends to a journal whose lines check themselves. [`text`] reads the
//! text files that people write, one way for all.
//!
//! This crate holds bytes and names. It refuses to know what they mean: no models, no results, no configuration.

mod damage;
mod error;
mod file;
mod folder;
mod lines;
mod lock;
mod store;
mod sums;
pub mod text;

pub use damage::Damage;
pub use error::StoreError;
pub use file::{Held, hold_writing, write_file};
pub use folder::{Folder, SUMS};
pub use lines::{Lines, read_lines};
pub use lock::{Lock, LockError, is_locked};
pub use store::{Entry, RECORD, Store, Usage};
