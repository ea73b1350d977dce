//! The digest of the running program.

use std::sync::OnceLock;

use alluvium_model::Digest;

/// The digest of the running executable, with all plugins.
///
/// Stages of another build are not reused, because their code may differ. If the executable cannot be read, its version is used
/// instead.
pub(crate) fn program_digest() -> &'static Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let executable = std::env::current_exe().and_then(std::fs::read);
        executable.map_or_else(|_| Digest::of(env!("CARGO_PKG_VERSION").as_bytes()), |bytes| Digest::of(&bytes))
    })
}
