//! `SHA256SUMS`: the digests of a folder's files, as `sha256sum` writes and reads them.

use std::collections::BTreeMap;

use alluvium_primitives::Digest;

/// The digest of each file, by its name relative to the folder, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums(pub(crate) BTreeMap<String, String>);

impl Sums {
    /// Parses a list. `None`: a line is malformed, because the list was cut off or changed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let complete = text.is_empty() || text.ends_with('\n');
        let lines = text.lines().map(|line| {
            let (digest, name) = line.split_once("  ")?;
            let digits = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            (digits && !name.is_empty()).then(|| (name.to_owned(), digest.to_owned()))
        });
        lines.collect::<Option<_>>().filter(|_| complete).map(Sums)
    }

    pub(crate) fn to_text(&self) -> String {
        self.0.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
    }
}

/// The SHA-256 digest of some bytes, as 64 hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_sha256sum_writes_it() {
        // FIPS 180-4's example: SHA-256("abc").
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(b"abc"), abc);
        let sums = Sums(BTreeMap::from([("b/c.txt".to_owned(), digest(b"abc"))]));
        assert_eq!(sums.to_text(), format!("{abc}  b/c.txt\n"));
        assert_eq!(Sums::parse(&sums.to_text()), Some(sums));
    }

    #[test]
    fn a_list_that_was_cut_off_is_none() {
        let text = Sums(BTreeMap::from([("a".to_owned(), digest(b"a")), ("b".to_owned(), digest(b"b"))])).to_text();
        for length in 1..text.len() {
            let cut = Sums::parse(&text[..length]);
            // A list that is cut between two lines is still valid, but shorter: a reader then finds a file missing.
            assert!(cut.is_none() || length == text.len() / 2, "{length}");
        }
    }
}
