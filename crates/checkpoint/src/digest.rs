//! The digest of a model. It is the same for the same tensors in any kind of file.

use alluvium_primitives::DigestBuilder;

use crate::TensorInfo;

/// A prefix that distinguishes these digests from those of other data.
const DOMAIN: &[u8] = b"alluvium-checkpoint-1\n";

/// Computes a digest from all tensors, in the order of their names.
pub(crate) struct ModelDigest(DigestBuilder);

impl ModelDigest {
    pub(crate) fn new() -> Self {
        let mut digest = DigestBuilder::default();
        digest.update(DOMAIN);
        ModelDigest(digest)
    }

    /// Adds the description of one tensor. Its little-endian bytes follow with [`values`](ModelDigest::values). Each
    /// part is preceded by its length, so different models give different input.
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

    /// Adds the next bytes of that tensor.
    pub(crate) fn values(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.0.finish().to_string()
    }
}
