//! Digests: SHA-256 of bytes that are given at once or in parts.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts([bytes])
    }

    /// The digest of several parts, joined in their order.
    pub fn of_parts(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut builder = DigestBuilder::default();
        parts.into_iter().for_each(|part| builder.update(part));
        builder.finish()
    }

    /// One digest of several in their order; `None` of none.
    pub fn joined(digests: impl IntoIterator<Item = Digest>) -> Option<Digest> {
        let texts = digests.into_iter().map(|digest| digest.to_string());
        texts.reduce(|first, second| format!("{first} {second}")).map(|joined| Digest::of(joined.as_bytes()))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Computes a digest while bytes are still being added.
#[derive(Debug, Clone, Default)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The digest of all bytes that were added.
    pub fn finish(self) -> Digest {
        Digest(hex::encode(self.0.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard_whole_or_in_parts() {
        // FIPS 180-4's example: SHA-256("abc").
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").as_str(), abc);
        assert_eq!(Digest::of_parts(["a", "", "bc"]).to_string(), abc);
        let [first, second] = [Digest::of(b"a"), Digest::of(b"b")];
        assert_eq!(Digest::joined([]), None);
        let both = Digest::joined([first.clone(), second.clone()]);
        assert_eq!(both, Some(Digest::of(format!("{first} {second}").as_bytes())));
        assert_ne!(both, Digest::joined([second, first]));
    }
}
