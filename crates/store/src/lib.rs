//! Durable files: written atomically, checked by digest, bounded in size, used by one process at a time.
//!
//! [`write_file`] replaces a file atomically. A [`Folder`] lists its files with their SHA-256 digests in `SHA256SUMS`,
//! which `sha256sum -c` reads, too. A file that does not match its digest is [damaged](Damage), and its content is
//! never returned. A [`Store`] keeps such folders by key, within a size bound. A [`Lock`] keeps a second process out;
//! it ends with the process that holds it. [`Lines`] appends to a journal, each of whose lines carries a digest.
//! [`text`] reads text files that people write.
//!
//! This crate handles bytes and names. It does not know what they mean: models, results and configuration are
//! elsewhere.

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
pub use file::{TEMPORARY, WritingPause, folder_of, hold_writing, sync_folder, temporary_beside, write_file};
pub use folder::{Folder, SUMS};
pub use lines::{Lines, read_lines};
pub use lock::{Lock, LockError, is_locked};
pub use store::{Entry, RECORD, Store, Usage};
