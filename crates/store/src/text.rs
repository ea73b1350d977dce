//! Text files that people write: lists of names, tables, configurations. One reader for all of them.
//!
//! Editors write the same text in several ways. [`read_text`] accepts UTF-8 with and without a byte order mark, and
//! lines that end as on Unix or on Windows. The text it returns has neither mark nor carriage returns. It refuses other
//! encodings and names them, because a wrong guess would change the names in the file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The byte order marks of UTF-16. UTF-32 begins with the same bytes, followed by zeros.
const WIDE_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// A file that cannot be read as text. The message names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct TextError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: NotText,
}

/// Why bytes are not accepted as text, and what is accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotText {
    /// The operating system cannot read it.
    #[error("cannot be read ({0})")]
    Unreadable(io::Error),
    /// It is longer than the caller accepts.
    #[error("is longer than {longest} bytes; accepted: a text file of at most {longest}")]
    TooLong {
        /// The most bytes that are accepted.
        longest: u64,
    },
    /// It is UTF-16 or UTF-32.
    #[error("is text in UTF-16 or UTF-32; accepted: text in UTF-8 (save it again with that encoding)")]
    Wide,
    /// It holds bytes that are not text in UTF-8.
    #[error("is not text in UTF-8 (line {line} holds the byte 0x{byte:02x}); accepted: text in UTF-8")]
    Foreign {
        /// The line of the first such byte, from 1.
        line: usize,
        /// Its column in that line: the characters before it, plus 1.
        column: usize,
        /// The byte.
        byte: u8,
    },
}

/// Reads a text file of at most `longest` bytes. A byte order mark at its beginning is left out, and `\r\n` becomes `\n`.
///
/// # Errors
/// [`TextError`], which names the file, when it cannot be read, is longer, or is not text in UTF-8.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("names.txt");
/// std::fs::write(&file, b"\xef\xbb\xbfcat\r\ndog\r\n")?;
/// assert_eq!(alluvium_store::text::read_text(&file, 1000)?, "cat\ndog\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_text(path: &Path, longest: u64) -> Result<String, TextError> {
    let wrong = |problem| TextError { path: path.to_owned(), problem };
    let mut bytes = vec![];
    let file = File::open(path).map_err(NotText::Unreadable).map_err(wrong)?;
    file.take(longest.saturating_add(1)).read_to_end(&mut bytes).map_err(NotText::Unreadable).map_err(wrong)?;
    if bytes.len() as u64 > longest {
        Err(wrong(NotText::TooLong { longest }))
    } else {
        from_bytes(&bytes).map_err(wrong)
    }
}

/// Decodes bytes by the rules of [`read_text`]. Use it for bytes from an archive or ones that were read already.
///
/// # Errors
/// [`NotText`], when they are not text in UTF-8.
pub fn from_bytes(bytes: &[u8]) -> Result<String, NotText> {
    if WIDE_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(NotText::Wide);
    }
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    // UTF-16 without a mark is recognised by the zero bytes between letters. UTF-8 never has these.
    let zero = bytes.iter().position(|byte| *byte == 0);
    match (str::from_utf8(bytes), zero) {
        (Ok(text), None) => Ok(text.replace("\r\n", "\n")),
        (_, Some(at)) if at < 4 => Err(NotText::Wide),
        (Err(error), _) => Err(foreign(bytes, error.valid_up_to())),
        (Ok(_), Some(at)) => Err(foreign(bytes, at)),
    }
}

fn foreign(bytes: &[u8], at: usize) -> NotText {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    NotText::Foreign { line, column, byte: bytes.get(at).copied().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_read_however_an_editor_wrote_it() {
        for written in [&b"cat\ndog\n"[..], b"cat\r\ndog\r\n", b"\xef\xbb\xbfcat\ndog\n", b"\xef\xbb\xbfcat\r\ndog\n"] {
            assert_eq!(from_bytes(written).unwrap(), "cat\ndog\n", "{written:?}");
        }
        assert_eq!(from_bytes("\u{feff}".as_bytes()).unwrap(), "");
        assert_eq!(from_bytes("chat\u{a0}é\r".as_bytes()).unwrap(), "chat\u{a0}é\r", "a lone \\r is of the text");
    }

    #[test]
    fn other_encodings_are_named() {
        // "cat" by Python's "cat".encode("utf-16"), ("utf-16-be") with and without a mark, and ("utf-32").
        for wide in [
            &b"\xff\xfec\0a\0t\0"[..],
            b"\xfe\xff\0c\0a\0t",
            b"c\0a\0t\0",
            b"\0c\0a\0t",
            b"\xff\xfe\0\0c\0\0\0a\0\0\0t\0\0\0",
        ] {
            let error = from_bytes(wide).unwrap_err().to_string();
            assert!(error.contains("UTF-16") && error.contains("accepted: text in UTF-8"), "{error}");
        }
        // "Käse" in Latin-1.
        let error = from_bytes(b"cat\nK\xe4se").unwrap_err().to_string();
        assert!(error.contains("line 2 holds the byte 0xe4"), "{error}");
        let error = from_bytes(b"binary\0").unwrap_err().to_string();
        assert!(error.contains("line 1 holds the byte 0x00"), "{error}");
    }

    #[test]
    fn a_file_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("names.txt");
        std::fs::write(&file, b"\xef\xbb\xbfcat\r\n").unwrap();
        assert_eq!(read_text(&file, 8).unwrap(), "cat\n", "8 bytes, the mark included");
        let said = |file: &Path, longest| read_text(file, longest).unwrap_err().to_string();
        assert!(said(&file, 7).contains("names.txt: is longer than 7 bytes"), "{}", said(&file, 7));
        let missing = said(&folder.path().join("missing"), 7);
        assert!(missing.contains("missing: cannot be read"), "{missing}");
        assert!(said(folder.path(), 7).contains("cannot be read"));
    }
}
