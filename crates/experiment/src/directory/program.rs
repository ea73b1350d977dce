//! Which program this is.

use std::sync::OnceLock;

use alluvium_model::Digest;

/// The digest of the running executable, plugins and all.
///
/// A stage that another build computed is not found: its code may have been another one. Where the executable cannot
/// be read, its version stands in.
pub(crate) fn program_digest() -> &'static Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    DIGEST.get_or_init(|| {
        let executable = std::env::current_exe().and_then(std::fs::read);
        executable.map_or_else(|_| Digest::of(env!("CARGO_PKG_VERSION").as_bytes()), |bytes| Digest::of(&bytes))
    })
}
