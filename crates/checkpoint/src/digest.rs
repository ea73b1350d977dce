//! The digest of a model: the same for the same tensors, in whatever kind of file they are.

use alluvium_primitives::DigestBuilder;

use crate::TensorInfo;

/// What tells these digests from those of anything else.
const DOMAIN: &[u8] = b"alluvium-checkpoint-1\n";

/// A digest that is being made: all tensors, in the order of their names.
pub(crate) struct ModelDigest(DigestBuilder);

impl ModelDigest {
    pub(crate) fn new() -> Self {
        let mut digest = DigestBuilder::default();
        digest.update(DOMAIN);
        ModelDigest(digest)
    }

    /// What is said of one tensor; its little-endian bytes follow as [`values`](ModelDigest::values). Each part goes behind its
    /// length: two models cannot run into one another.
    pub(crate) fn tensor(&mut self, info: &TensorInfo) {
        for text in [info.name.as_bytes(), info.dtype.name().as_bytes()] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
        self.0.update((info.shape.len() as u64).to_le_bytes());
        for size in &info.shape {
            self.0.update((*size as u64).to_le_bytes());
        }
        self.0.update(info.bytes().to_le_bytes());
    }

    /// The next bytes of that tensor.
    pub(crate) fn values(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.0.finish().to_string()
    }
}
