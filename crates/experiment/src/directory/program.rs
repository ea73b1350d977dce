//! The digest of the running program.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use alluvium_model::Digest;

/// The file with the code of this program, if it is not the executable.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// States the file that holds the code of this program: a library that another program has loaded. Call it before the first run.
/// Only the first call counts.
pub fn program_in(file: &Path) {
    FILE.get_or_init(|| file.to_owned());
}

/// The digest of the running executable, or of the library that [`program_in`] stated, with all plugins.
///
/// Stages of another build are not reused, because their code may differ. If the file cannot be read, its version is used
/// instead.
pub(crate) fn program_digest() -> &'static Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let file = FILE.get().cloned().map_or_else(std::env::current_exe, Ok);
        let bytes = file.and_then(std::fs::read);
        bytes.map_or_else(|_| Digest::of(env!("CARGO_PKG_VERSION").as_bytes()), |bytes| Digest::of(&bytes))
    })
}
